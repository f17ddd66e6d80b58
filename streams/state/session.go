package state

import (
	"fmt"
	"iter"
	"time"
)

// MemorySession is a [Session] in memory; also [Logged].
type MemorySession struct{ segmented }

// NewSession returns an empty store. It panics if retention is less than a millisecond.
func NewSession(retention time.Duration) *MemorySession {
	s := &MemorySession{newSegmented(sessionLayout, retention)}
	s.byKey = true // every use begins with Find
	return s
}

var (
	_ Session = (*MemorySession)(nil)
	_ Logged  = (*MemorySession)(nil)
)

// Put implements [Session].
func (s *MemorySession) Put(key []byte, start, end int64, value []byte, ts int64) bool {
	if end < start {
		panic(fmt.Sprintf("BUG: a session that ends at %d, before its start %d", end, start))
	}
	return s.put(key, stamp{time: end, minor: start}, value, ts)
}

// Remove implements [Session].
func (s *MemorySession) Remove(key []byte, start, end int64) {
	seg, number := s.find(key, stamp{time: end, minor: start})
	if number != none && seg.table.isLive(number) {
		s.remove(seg, number, seg.table.entries[number].ts)
	}
}

// Get implements [Session].
func (s *MemorySession) Get(key []byte, start, end int64) (value []byte, ts int64, ok bool) {
	return s.get(key, stamp{time: end, minor: start})
}

// Find implements [Session].
func (s *MemorySession) Find(key []byte, earliestEnd, latestStart int64) iter.Seq2[SessionKey, Value] {
	return func(yield func(SessionKey, Value) bool) {
		s.ascend(key, stamp{earliestEnd, minTime}, stamp{maxTime, maxTime}, s.startingBy(latestStart, yield))
	}
}

// FindBackward implements [Session].
func (s *MemorySession) FindBackward(key []byte, earliestEnd, latestStart int64) iter.Seq2[SessionKey, Value] {
	return func(yield func(SessionKey, Value) bool) {
		s.descend(key, stamp{earliestEnd, minTime}, stamp{maxTime, maxTime}, s.startingBy(latestStart, yield))
	}
}

// FindAll implements [Session].
func (s *MemorySession) FindAll(earliestEnd, latestEnd int64) iter.Seq2[SessionKey, Value] {
	return func(yield func(SessionKey, Value) bool) {
		s.ascendAll(earliestEnd, latestEnd, s.startingBy(maxTime, yield))
	}
}

// startingBy passes on the sessions with start ≤ latest.
func (s *MemorySession) startingBy(latest int64, yield func(SessionKey, Value) bool) func(entryOf) bool {
	return func(e entryOf) bool {
		if e.stamp.minor > latest {
			return true
		}
		key := s.layout.key(e.seg.table.key(e.number))
		return yield(SessionKey{Key: key, Start: e.stamp.minor, End: e.stamp.time}, e.value())
	}
}

// Restore implements [Logged].
func (s *MemorySession) Restore(key, value []byte, ts int64) error {
	if _, _, _, err := ParseSessionKey(key); err != nil {
		return fmt.Errorf("cannot restore record: %w", err)
	}
	s.restore(key, value, ts)
	return nil
}
