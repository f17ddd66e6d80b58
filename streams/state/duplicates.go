package state

import (
	"fmt"
	"iter"
	"math"
	"time"
)

// maxSequence bounds the numbers that Restore accepts. Kafka's are below 1<<31; ours count the values of one key and time from 0
// and never come near, so that Put may always add one.
const maxSequence = 3 << 30

// MemoryDuplicates is a [Duplicates] in memory; also [Logged].
type MemoryDuplicates struct{ segmented }

// NewDuplicates returns an empty store. It panics if retention is less than a millisecond.
func NewDuplicates(retention time.Duration) *MemoryDuplicates {
	s := &MemoryDuplicates{newSegmented(windowLayout, retention)}
	s.byKey = true // every use is a Fetch, and Put needs it too
	return s
}

var (
	_ Duplicates = (*MemoryDuplicates)(nil)
	_ Logged     = (*MemoryDuplicates)(nil)
)

// Put implements [Duplicates].
func (s *MemoryDuplicates) Put(key []byte, time int64, value []byte) bool {
	if !s.admit(time) {
		return false
	}
	if value != nil {
		s.put(key, stamp{time, s.nextSequence(key, time)}, value, time)
	}
	return true
}

// nextSequence is one more than the number of the last value of key and time.
func (s *MemoryDuplicates) nextSequence(key []byte, time int64) int64 {
	seg := s.segment(time)
	if seg == nil {
		return 0
	}
	run := seg.run(key)
	at := searchRun(run, stamp{time, math.MaxInt64}, true) - itemBytes
	if at < 0 {
		return 0
	}
	if last := stampAt(run, at); last.time == time {
		return last.minor + 1
	}
	return 0
}

// Fetch implements [Duplicates].
func (s *MemoryDuplicates) Fetch(key []byte, from, to int64) iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		s.ascend(key, stamp{time: from}, stamp{to, math.MaxInt64}, func(e entryOf) bool {
			return yield(e.stamp.time, e.seg.table.value(e.number))
		})
	}
}

// Restore implements [Logged].
func (s *MemoryDuplicates) Restore(key, value []byte, ts int64) error {
	_, _, seq, err := ParseWindowKey(key)
	if err != nil {
		return fmt.Errorf("cannot restore record: %w", err)
	}
	if seq > maxSequence {
		return fmt.Errorf("cannot restore record: number %d of a key and time, at most %d", seq, maxSequence)
	}
	s.restore(key, value, ts)
	return nil
}
