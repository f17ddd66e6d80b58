package state

import (
	"fmt"
	"iter"
	"time"
)

// MemoryWindow is a [Window] in memory; also [Logged].
type MemoryWindow struct{ segmented }

// NewWindow returns an empty store. It panics if retention is less than a millisecond.
func NewWindow(retention time.Duration) *MemoryWindow {
	return &MemoryWindow{newSegmented(windowLayout, retention)}
}

var (
	_ Window = (*MemoryWindow)(nil)
	_ Logged = (*MemoryWindow)(nil)
)

// Put implements [Window].
func (s *MemoryWindow) Put(key []byte, start int64, value []byte, ts int64) bool {
	return s.put(key, stamp{time: start}, value, ts)
}

// Get implements [Window].
func (s *MemoryWindow) Get(key []byte, start int64) (value []byte, ts int64, ok bool) {
	return s.get(key, stamp{time: start})
}

// Fetch implements [Window].
func (s *MemoryWindow) Fetch(key []byte, from, to int64) iter.Seq2[int64, Value] {
	return func(yield func(int64, Value) bool) {
		s.ascend(key, stamp{time: from}, stamp{time: to}, func(e entryOf) bool { return yield(e.stamp.time, e.value()) })
	}
}

// FetchBackward implements [Window].
func (s *MemoryWindow) FetchBackward(key []byte, from, to int64) iter.Seq2[int64, Value] {
	return func(yield func(int64, Value) bool) {
		s.descend(key, stamp{time: from}, stamp{time: to}, func(e entryOf) bool { return yield(e.stamp.time, e.value()) })
	}
}

// FetchAll implements [Window].
func (s *MemoryWindow) FetchAll(from, to int64) iter.Seq2[WindowKey, Value] {
	return func(yield func(WindowKey, Value) bool) {
		s.ascendAll(from, to, func(e entryOf) bool {
			key := s.layout.key(e.seg.table.key(e.number))
			return yield(WindowKey{Key: key, Start: e.stamp.time}, e.value())
		})
	}
}

// Restore implements [Logged].
func (s *MemoryWindow) Restore(key, value []byte, ts int64) error {
	_, start, seq, err := ParseWindowKey(key)
	if err != nil {
		return fmt.Errorf("cannot restore record: %w", err)
	}
	if seq != 0 {
		return fmt.Errorf("cannot restore record: the window at %d has number %d, but the store keeps no duplicates", start, seq)
	}
	s.restore(key, value, ts)
	return nil
}
