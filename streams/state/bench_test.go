package state_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/streams/state"
)

func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%07d", (i*7919)%n)
	}
	return keys
}

// stride visits all keys in an order unlike that of their making: in the same order, the arena would be read front to back, and
// the caches would flatter us.
const stride = 611_953

// increment is the store's part of a count: read, add one, write.
func increment(value []byte, buf *[8]byte) []byte {
	var n uint64
	if value != nil {
		n = binary.BigEndian.Uint64(value)
	}
	binary.BigEndian.PutUint64(buf[:], n+1)
	return buf[:]
}

func BenchmarkKeyValueCount(b *testing.B) {
	for _, size := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", size), func(b *testing.B) {
			var s state.KeyValue = state.NewKeyValue()
			keys := benchKeys(size)
			var buf [8]byte
			for _, key := range keys {
				s.Put(key, buf[:], 0)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				key := keys[i]
				i = (i + stride) % len(keys)
				value, ts, _ := s.Get(key)
				s.Put(key, increment(value, &buf), max(ts, int64(i)))
			}
		})
	}
}

func BenchmarkKeyValueInsert(b *testing.B) {
	s := state.NewKeyValue()
	var key [12]byte
	b.ReportAllocs()
	var n uint64
	for b.Loop() {
		n++
		binary.BigEndian.PutUint64(key[:], n*0x9e3779b97f4a7c15)
		s.Put(key[:], key[:8], int64(n))
	}
}

// BenchmarkWindowCount counts in tumbling windows of ten seconds, a millisecond of stream time per 100 records; every 100,000
// records there is a flush, as at a commit.
func BenchmarkWindowCount(b *testing.B) {
	for _, size := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", size), func(b *testing.B) {
			var s state.Window = state.NewWindow(time.Minute)
			logged := s.(state.Logged)
			keys := benchKeys(size)
			var buf [8]byte
			for _, key := range keys {
				s.Put(key, 0, buf[:], 0)
			}
			b.ReportAllocs()
			i, n := 0, int64(0)
			for b.Loop() {
				n++
				key := keys[i]
				i = (i + stride) % len(keys)
				now := n / 100
				start := now - now%10_000
				value, ts, _ := s.Get(key, start)
				s.Put(key, start, increment(value, &buf), max(ts, now))
				if n%100_000 == 0 {
					if err := logged.Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkJoin is one side's work in a stream-stream join: store the record, fetch ten seconds around it.
func BenchmarkJoin(b *testing.B) {
	var s state.Duplicates = state.NewDuplicates(20 * time.Second)
	keys := benchKeys(10_000)
	value := make([]byte, 100)
	b.ReportAllocs()
	i, n := 0, int64(0)
	for b.Loop() {
		n++
		key := keys[i]
		i = (i + stride) % len(keys)
		now := n / 10
		s.Put(key, now, value)
		for range s.Fetch(key, now-5_000, now+5_000) {
		}
		if n%100_000 == 0 {
			if err := s.(state.Logged).Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkSession(b *testing.B) {
	var s state.Session = state.NewSession(time.Minute)
	keys := benchKeys(10_000)
	value := make([]byte, 8)
	b.ReportAllocs()
	i, n := 0, int64(0)
	for b.Loop() {
		n++
		key := keys[i]
		i = (i + stride) % len(keys)
		now := n / 10
		start := now
		for k := range s.Find(key, now-5_000, now+5_000) {
			start = min(start, k.Start)
			s.Remove(key, k.Start, k.End)
		}
		s.Put(key, start, now, value, now)
		if n%100_000 == 0 {
			if err := s.(state.Logged).Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
