package state_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/streams/state"
)

// TestKeyBytes holds the drawing in keys.go against Kafka's bytes.
func TestKeyBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"window", state.AppendWindowKey(nil, []byte("ab"), 0x0102030405060708, 9), "6162" + "0102030405060708" + "00000009"},
		{"window before the epoch", state.AppendWindowKey([]byte{0xee}, nil, -1, 0), "ee" + "ffffffffffffffff" + "00000000"},
		{"session", state.AppendSessionKey(nil, []byte("ab"), 1, 0x0200), "6162" + "0000000000000200" + "0000000000000001"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func flushNothing(_, _ []byte, _ int64) error { return nil }

// TestNoAllocations: a count, plain and windowed, allocates nothing in steady state, flushes included.
func TestNoAllocations(t *testing.T) {
	keys := benchKeys(1_000)
	var buf [8]byte
	table := state.NewKeyValue()
	window := state.NewWindow(time.Minute)
	round := func() {
		for _, key := range keys {
			value, ts, _ := table.Get(key)
			table.Put(key, increment(value, &buf), ts+1)
			for start := int64(0); start < 40_000; start += 10_000 {
				value, ts, _ = window.Get(key, start)
				window.Put(key, start, increment(value, &buf), ts+1)
			}
		}
		if table.Flush(flushNothing) != nil || window.Flush(flushNothing) != nil {
			t.Error("a flush fails")
		}
	}
	round()
	if n := testing.AllocsPerRun(5, round); n != 0 {
		t.Errorf("a round of counts allocates %v times", n)
	}
}

// TestDroppedSegments: memory of windows goes with their segments, and a value of a dropped window may be put again.
func TestDroppedSegments(t *testing.T) {
	s := state.NewWindow(8 * time.Millisecond)
	want := []byte("a value of an old window")
	s.Put([]byte("k"), 0, want, 0)
	for start := int64(1); start < 1_000; start += 1 + start%30 {
		value := want
		for _, v := range s.Fetch([]byte("k"), 0, start) {
			value = v.Bytes
		}
		s.Put([]byte("k"), start, value, start)
		if got, _, ok := s.Get([]byte("k"), start); !ok || !bytes.Equal(got, want) {
			t.Fatalf("window %d has %q", start, got)
		}
	}
	s.ObserveTime(math.MaxInt64)
	if s.DirtyBytes() != 0 {
		t.Error("a store whose windows have all expired has dirty bytes")
	}
	if s.Put([]byte("k"), math.MaxInt64-8, want, 0) || !s.Put([]byte("k"), math.MaxInt64, want, 0) {
		t.Error("expiry is wrong at the end of time")
	}
}

// restored checks that whatever Restore took comes out of a flush of nothing, and out of scans, without a panic.
func restored(t *testing.T, logged state.Logged, key, value []byte) {
	for _, v := range [][]byte{value, nil, value} {
		if err := logged.Restore(key, v, 1); err != nil {
			if logged.DirtyBytes() != 0 {
				t.Error("a refused record is dirty")
			}
			return
		}
	}
	if err := logged.Flush(func(_, _ []byte, _ int64) error { return fmt.Errorf("a restored record is emitted") }); err != nil {
		t.Error(err)
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte("short"), []byte("v"))
	f.Add(state.AppendWindowKey(nil, []byte("k"), 5, 0), []byte("v"))
	f.Add(state.AppendWindowKey(nil, nil, math.MaxInt64, 1), []byte{})
	f.Add(state.AppendWindowKey(nil, []byte("k"), math.MinInt64, math.MaxUint32), []byte("v"))
	f.Add(state.AppendSessionKey(nil, []byte("k"), 5, 9), []byte("v"))
	f.Add(state.AppendSessionKey(nil, []byte("k"), math.MinInt64, math.MaxInt64), []byte("v"))
	f.Add(state.AppendSessionKey(nil, []byte("k"), 9, 5), []byte("v"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		table := state.NewKeyValue()
		restored(t, table, key, value)
		for range table.Range(nil, nil) {
		}
		for _, retention := range []time.Duration{time.Millisecond, time.Hour, math.MaxInt64} {
			window := state.NewWindow(retention)
			restored(t, window, key, value)
			for k := range window.FetchAll(math.MinInt64, math.MaxInt64) {
				own := bytes.Clone(k.Key) // the first put may move the record
				window.Put(own, k.Start, []byte("again"), 0)
				window.Put(own, 0, []byte("new"), 0)
			}
			session := state.NewSession(retention)
			restored(t, session, key, value)
			for k := range session.FindAll(math.MinInt64, math.MaxInt64) {
				session.Remove(k.Key, k.Start, k.End)
			}
			duplicates := state.NewDuplicates(retention)
			restored(t, duplicates, key, value)
			if k, at, _, err := state.ParseWindowKey(key); err == nil {
				duplicates.Put(k, at, []byte("another"))
				for range duplicates.Fetch(k, math.MinInt64, math.MaxInt64) {
				}
			}
		}
	})
}

func ExampleMemoryWindow() {
	s := state.NewWindow(time.Hour)
	s.Put([]byte("page"), 0, []byte("3"), 1_500)
	s.Put([]byte("page"), 60_000, []byte("7"), 61_000)
	for start, v := range s.Fetch([]byte("page"), 0, 60_000) {
		fmt.Println(start, string(v.Bytes))
	}
	err := s.Flush(func(key, value []byte, ts int64) error {
		fmt.Printf("%x = %s at %d\n", key, value, ts)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 0 3
	// 60000 7
	// 70616765000000000000000000000000 = 3 at 1500
	// 70616765000000000000ea6000000000 = 7 at 61000
	// <nil>
}
