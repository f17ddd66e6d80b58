package statetest

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/streams/state"
)

func drawTime(t *rapid.T) int64 { return rapid.Int64Range(-60, 200).Draw(t, "time") }

// window is a window's changelog key, taken apart.
type window struct {
	key   string
	start int64
	seq   int64
}

func parseWindow(composed string) window {
	key, start, seq, err := state.ParseWindowKey([]byte(composed))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return window{string(key), start, int64(seq)}
}

func windowKey(key string, start int64, seq int) string {
	return string(state.AppendWindowKey(nil, []byte(key), start, uint32(seq)))
}

func windowTime(composed string) int64 { return parseWindow(composed).start }

func compareWindows(a, b string) int {
	x, y := parseWindow(a), parseWindow(b)
	return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.seq, y.seq), strings.Compare(x.key, y.key))
}

func drawWindow(t *rapid.T) string { return windowKey(drawUserKey(t), drawTime(t), 0) }

// Window checks a window store. It needs stores with several retentions.
func Window(t *testing.T, open func(retention time.Duration) state.Window) {
	walk(t, layout{time: windowTime, draw: drawWindow}, func(retention time.Duration) subject { return windowSubject(open(retention)) })
	t.Run("Retention", func(t *testing.T) { windowRetention(t, open(11*time.Millisecond)) })
	t.Run("Bounds", func(t *testing.T) { windowBounds(t, open(100*time.Millisecond)) })
	t.Run("ExpiryInLoop", func(t *testing.T) {
		for kind := range 2 {
			s := open(100 * time.Millisecond)
			for start := int64(0); start < 8; start++ {
				s.Put([]byte("k"), start, []byte("v"), start)
			}
			if kind == 0 {
				expiryInLoop(t, s, s.Fetch([]byte("k"), 0, 100), "Fetch")
				continue
			}
			expiryInLoop(t, s, func(yield func(int64, state.Value) bool) {
				for k, v := range s.FetchAll(0, 100) {
					if !yield(k.Start, v) {
						return
					}
				}
			}, "FetchAll")
		}
	})
	t.Run("HostileKeys", func(t *testing.T) {
		hostile(t, open(time.Second).(state.Logged), windowKey("k", 1, 1), "short")
	})
}

func windowSubject(s state.Window) subject {
	return subject{
		logged: s.(state.Logged),
		timed:  s,
		put: func(composed string, value []byte, ts int64) bool {
			w := parseWindow(composed)
			return s.Put([]byte(w.key), w.start, value, ts)
		},
		get: func(composed string) ([]byte, int64, bool) {
			w := parseWindow(composed)
			return s.Get([]byte(w.key), w.start)
		},
		scan: func(t *rapid.T) (scan, iter.Seq2[string, state.Value]) { return drawWindowScan(t, s) },
	}
}

func drawWindowScan(t *rapid.T, s state.Window) (scan, iter.Seq2[string, state.Value]) {
	key, from, to := drawUserKey(t), drawTime(t), drawTime(t)
	between := func(composed string) bool { w := parseWindow(composed); return from <= w.start && w.start <= to }
	ofKey := func(composed string) bool { return parseWindow(composed).key == key && between(composed) }
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return scan{"Fetch", compareWindows, ofKey}, ofWindows(key, s.Fetch([]byte(key), from, to))
	case 1:
		return scan{"FetchBackward", backward(compareWindows), ofKey}, ofWindows(key, s.FetchBackward([]byte(key), from, to))
	}
	return scan{"FetchAll", compareWindows, between}, func(yield func(string, state.Value) bool) {
		for k, v := range s.FetchAll(from, to) {
			if !yield(windowKey(string(k.Key), k.Start, 0), v) {
				return
			}
		}
	}
}

func ofWindows(key string, entries iter.Seq2[int64, state.Value]) iter.Seq2[string, state.Value] {
	return func(yield func(string, state.Value) bool) {
		for start, v := range entries {
			if !yield(windowKey(key, start, 0), v) {
				return
			}
		}
	}
}

// windowRetention is exact: highest - retention is gone, one millisecond later is there.
func windowRetention(t *testing.T, s state.Window) {
	key := []byte("k")
	for start := range int64(20) {
		if !s.Put(key, start, []byte{byte(start)}, start) {
			t.Errorf("window %d is refused", start)
		}
	}
	var got []int64
	for start := range s.Fetch(key, 0, 100) {
		got = append(got, start)
	}
	if len(got) != 11 || got[0] != 9 || got[10] != 19 {
		t.Errorf("with highest time 19 and retention 11 the store has windows %v, want 9 to 19", got)
	}
	if _, _, ok := s.Get(key, 8); ok {
		t.Error("Get finds an expired window")
	}
	if s.Put(key, 8, []byte("late"), 0) || s.Put(key, 8, nil, 0) || s.Expired() != 2 {
		t.Errorf("late puts are accepted, or not counted: %d", s.Expired())
	}
	if !s.Put(key, 30, nil, 0) || s.HighestTime() != 30 {
		t.Error("a put of nil does not move time")
	}
	if _, _, ok := s.Get(key, 19); ok {
		t.Error("window 19 is there after time went on to 30")
	}
}

// windowBounds fetches every range of a store with a window at every third millisecond of its retention.
func windowBounds(t *testing.T, s state.Window) {
	const first, last, step = 61, 160, 3
	for start := int64(last); start >= first; start -= step { // 160, 157 … 61
		s.Put([]byte("k"), start, []byte("v"), start)
		s.Put([]byte("other"), start, []byte("v"), start)
	}
	for from := int64(first - 2); from <= last+2; from++ {
		for to := from - 1; to <= last+2; to++ {
			var want, got, back, all []int64
			for start := int64(first); start <= last; start += step {
				if from <= start && start <= to {
					want = append(want, start)
				}
			}
			for start := range s.Fetch([]byte("k"), from, to) {
				got = append(got, start)
			}
			for start := range s.FetchBackward([]byte("k"), from, to) {
				back = append(back, start)
			}
			for k := range s.FetchAll(from, to) {
				if string(k.Key) == "k" {
					all = append(all, k.Start)
				}
			}
			slices.Reverse(back)
			if !slices.Equal(got, want) || !slices.Equal(back, want) || !slices.Equal(all, want) {
				t.Fatalf("from %d to %d: Fetch %v, FetchBackward reversed %v, FetchAll %v, want %v", from, to, got, back, all, want)
			}
		}
	}
}

// expiryInLoop: what expires while a loop runs is not visited, though its segment may still be there.
func expiryInLoop(t *testing.T, s state.Timed, entries iter.Seq2[int64, state.Value], name string) {
	var got []int64
	for start := range entries {
		got = append(got, start)
		s.ObserveTime(106)
	}
	if len(got) != 2 || got[0]+got[1] != 0+7 {
		t.Errorf("%s visits %v; after the first, time 106 with retention 100 leaves 7 only", name, got)
	}
}

// hostile restores keys that no changelog can hold, and every cut of the first one.
func hostile(t *testing.T, logged state.Logged, keys ...string) {
	for _, key := range keys {
		if err := logged.Restore([]byte(key), []byte("v"), 0); err == nil {
			t.Errorf("Restore takes the key %q", key)
		}
	}
	if err := logged.Restore(nil, nil, 0); err == nil {
		t.Error("Restore takes a null key")
	}
	if n := logged.DirtyBytes(); n != 0 {
		t.Errorf("%d dirty bytes after failed restores", n)
	}
}

// Duplicates checks the store of a stream-stream join.
func Duplicates(t *testing.T, open func(retention time.Duration) state.Duplicates) {
	walk(t, layout{time: windowTime, draw: drawWindow}, func(retention time.Duration) subject { return duplicatesSubject(open(retention)) })
	t.Run("HostileKeys", func(t *testing.T) { hostile(t, open(time.Second).(state.Logged), "short") })
}

func duplicatesSubject(s state.Duplicates) subject {
	return subject{
		logged: s.(state.Logged),
		timed:  s,
		put: func(composed string, value []byte, _ int64) bool {
			w := parseWindow(composed)
			return s.Put([]byte(w.key), w.start, value)
		},
		name: func(m *model, composed string) string {
			w := parseWindow(composed)
			n := 0
			for _, other := range m.live(compareBytes) {
				if o := parseWindow(other); o.key == w.key && o.start == w.start {
					n++
				}
			}
			return windowKey(w.key, w.start, n)
		},
		scan: func(t *rapid.T) (scan, iter.Seq2[string, state.Value]) { return drawDuplicatesScan(t, s) },
	}
}

func drawDuplicatesScan(t *rapid.T, s state.Duplicates) (scan, iter.Seq2[string, state.Value]) {
	key, from, to := drawUserKey(t), drawTime(t), drawTime(t)
	within := func(composed string) bool {
		w := parseWindow(composed)
		return w.key == key && from <= w.start && w.start <= to
	}
	return scan{"Fetch", compareWindows, within}, func(yield func(string, state.Value) bool) {
		var last int64
		seq := 0
		for at, value := range s.Fetch([]byte(key), from, to) {
			if at != last {
				last, seq = at, 0
			}
			if !yield(windowKey(key, at, seq), state.Value{Bytes: value, Timestamp: at}) {
				return
			}
			seq++
		}
	}
}
