package statetest

import (
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/streams/state"
)

func compareBytes(a, b string) int { return strings.Compare(a, b) }

func backward(compare func(a, b string) int) func(a, b string) int {
	return func(a, b string) int { return compare(b, a) }
}

// drawUserKey is a key out of few, so that keys meet: the empty one and prefixes of others among them.
func drawUserKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "", "ab", "a\x00", "b", "\xff", "\xff\xff"}).Draw(t, "user key")
}

// KeyValue checks a key-value store. If it is a [state.Scanner], that is checked too.
func KeyValue(t *testing.T, open func() state.KeyValue) {
	walk(t, layout{draw: drawUserKey}, func(time.Duration) subject { return keyValueSubject(open()) })
	t.Run("NullAndEmpty", func(t *testing.T) { keyValueNull(t, open()) })
	t.Run("DirtyBytes", func(t *testing.T) { keyValueDirty(t, open()) })
}

func keyValueSubject(s state.KeyValue) subject {
	return subject{
		logged: s.(state.Logged),
		put: func(key string, value []byte, ts int64) bool {
			s.Put([]byte(key), value, ts)
			return true
		},
		remove: func(key string) { s.Delete([]byte(key)) },
		get:    func(key string) ([]byte, int64, bool) { return s.Get([]byte(key)) },
		size:   s.Len,
		scan:   func(t *rapid.T) (scan, iter.Seq2[string, state.Value]) { return drawRange(t, s) },
	}
}

func drawRange(t *rapid.T, s state.KeyValue) (scan, iter.Seq2[string, state.Value]) {
	var from, to []byte
	if rapid.Bool().Draw(t, "from") {
		from = []byte(drawUserKey(t))
	}
	if rapid.Bool().Draw(t, "to") {
		to = []byte(drawUserKey(t))
	}
	within := func(key string) bool {
		return (from == nil || key >= string(from)) && (to == nil || key <= string(to))
	}
	scanner, ok := s.(state.Scanner)
	kind := 0
	if ok {
		kind = rapid.IntRange(0, 2).Draw(t, "kind")
	}
	switch kind {
	case 1:
		return scan{"RangeBackward", backward(compareBytes), within}, byKey(scanner.RangeBackward(from, to))
	case 2:
		within = func(key string) bool { return strings.HasPrefix(key, string(from)) }
		return scan{"Prefix", compareBytes, within}, byKey(scanner.Prefix(from))
	}
	return scan{"Range", compareBytes, within}, byKey(s.Range(from, to))
}

func byKey(entries iter.Seq2[[]byte, state.Value]) iter.Seq2[string, state.Value] {
	return func(yield func(string, state.Value) bool) {
		for key, value := range entries {
			if !yield(string(key), value) {
				return
			}
		}
	}
}

func keyValueNull(t *testing.T, s state.KeyValue) {
	s.Put([]byte("k"), []byte{}, 5)
	value, ts, ok := s.Get([]byte("k"))
	if !ok || value == nil || len(value) != 0 || ts != 5 {
		t.Errorf("an empty value comes back as %#v, %d, %v", value, ts, ok)
	}
	emitted := 0
	flush := func() {
		if err := s.(state.Logged).Flush(func(_, value []byte, ts int64) error {
			emitted++
			if (value == nil) != (emitted == 2) || ts != 5 {
				t.Errorf("record %d has value %#v, time %d", emitted, value, ts)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	flush()
	s.Delete([]byte("k"))
	s.Delete([]byte("absent"))
	s.Put([]byte("absent"), nil, 9)
	if _, _, ok := s.Get([]byte("k")); ok || s.Len() != 0 {
		t.Error("a deleted key is still there")
	}
	flush()
	if emitted != 2 {
		t.Errorf("%d records emitted, want a value and a tombstone", emitted)
	}
	if err := s.(state.Logged).Restore(nil, []byte("v"), 0); err == nil {
		t.Error("Restore takes a null key")
	}
}

func keyValueDirty(t *testing.T, s state.KeyValue) {
	logged := s.(state.Logged)
	check := func(want int64) {
		t.Helper()
		if got := logged.DirtyBytes(); got != want {
			t.Errorf("DirtyBytes is %d, want %d", got, want)
		}
	}
	check(0)
	s.Put([]byte("key"), []byte("1234"), 0)
	check(7)
	s.Put([]byte("key"), []byte("12"), 0)
	check(5)
	if err := logged.Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
		t.Error(err)
	}
	check(0)
	s.Delete([]byte("key"))
	check(3)
	s.Put([]byte("key"), []byte("123456"), 0)
	check(9)
	if err := logged.Restore([]byte("key"), []byte("1"), 0); err != nil {
		t.Error(err)
	}
	check(0)
}
