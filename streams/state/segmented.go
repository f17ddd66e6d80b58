package state

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// layout is the form of a changelog key: see keys.go.
type layout int

const (
	windowLayout  layout = windowSuffixBytes
	sessionLayout layout = sessionSuffixBytes
)

func (l layout) key(composed []byte) []byte {
	n := len(composed) - int(l)
	return composed[:n:n]
}

func (l layout) stamp(composed []byte) stamp {
	n := len(composed) - int(l)
	st := stamp{time: int64(binary.BigEndian.Uint64(composed[n:]))}
	if l == windowLayout {
		st.minor = int64(binary.BigEndian.Uint32(composed[n+8:]))
	} else {
		st.minor = int64(binary.BigEndian.Uint64(composed[n+8:]))
	}
	return st
}

func (l layout) compose(dst, key []byte, st stamp) []byte {
	if l == windowLayout {
		return AppendWindowKey(dst, key, st.time, uint32(st.minor))
	}
	return AppendSessionKey(dst, key, st.minor, st.time)
}

// segmented is what the stores of windows share: segments by time, expiry, the dirty list, scans.
//
// Invariant: every segment holds some time above highest - retention, and none holds only times above highest; so there
// are at most segmentsPerRetention + 2 of them.
type segmented struct {
	layout    layout
	retention int64 // ms, > 0
	width     int64 // ms of one segment, > 0
	highest   int64
	expired   int64
	segments  []*segment // by number
	recent    *segment   // the one used last, or nil
	spare     *segment   // a dropped one, emptied, for the next; or nil
	dirty     []dirtyRef // in order of first change; may point to dropped segments and clean entries
	scratch   []byte     // the composed key of the call at work
	byTime    bool       // segments keep their order by time
	byKey     bool       // segments keep their runs
	changes   uint64     // what may move positions of a scan: inserts, removals, a new limit or segment
}

// dirtyRef names an entry. Numbers of segments are never used twice, since what has expired stays expired.
type dirtyRef struct {
	segment int64
	number  uint32
}

const segmentsPerRetention = 8

func newSegmented(l layout, retention time.Duration) segmented {
	ms := retention.Milliseconds()
	if ms < 1 {
		panic(fmt.Sprintf("BUG: a store with a retention of %v, less than a millisecond", retention))
	}
	return segmented{
		layout:    l,
		retention: ms,
		width:     (ms + segmentsPerRetention - 1) / segmentsPerRetention,
		highest:   -1,
	}
}

// ObserveTime implements [Timed].
func (s *segmented) ObserveTime(t int64) {
	if t <= s.highest {
		return
	}
	s.highest = t
	s.changes++
	dead := 0
	for dead < len(s.segments) && s.segments[dead].last <= s.limit() {
		dead++
	}
	if dead == 0 {
		return
	}
	s.recent = nil
	s.spare = s.segments[0]
	s.spare.reset()
	s.segments = slices.Delete(s.segments, 0, dead)
}

// HighestTime implements [Timed].
func (s *segmented) HighestTime() int64 { return s.highest }

// Expired implements [Timed].
func (s *segmented) Expired() int64 { return s.expired }

// limit is the latest expired time.
func (s *segmented) limit() int64 { return s.highest - s.retention }

// segment returns the segment of a time that has not expired, or nil.
func (s *segmented) segment(time int64) *segment {
	if s.recent != nil && s.recent.holds(time) {
		return s.recent
	}
	for i := len(s.segments) - 1; i >= 0; i-- {
		if s.segments[i].holds(time) {
			s.recent = s.segments[i]
			return s.recent
		}
	}
	return nil
}

// obtain returns the segment of a time that has not expired, making it if need be.
func (s *segmented) obtain(time int64) *segment {
	if seg := s.segment(time); seg != nil {
		return seg
	}
	number := time / s.width
	if time%s.width < 0 {
		number--
	}
	seg := s.spare
	s.spare = nil
	if seg == nil {
		seg = &segment{table: newTable(), byKey: newTable()}
	}
	seg.number = number
	seg.first = number * s.width
	seg.last = seg.first + (s.width - 1)
	if seg.last < seg.first {
		seg.last = 1<<63 - 1
	}
	s.changes++
	s.segments = slices.Insert(s.segments, s.after(number), seg)
	s.recent = seg
	return seg
}

// after is the index of the first segment with a higher number.
func (s *segmented) after(number int64) int {
	i := len(s.segments)
	for i > 0 && s.segments[i-1].number > number {
		i--
	}
	return i
}

// numbered returns the segment of a number, nil if it was dropped.
func (s *segmented) numbered(number int64) *segment {
	if s.recent != nil && s.recent.number == number {
		return s.recent
	}
	if i := s.after(number); i > 0 && s.segments[i-1].number == number {
		return s.segments[i-1]
	}
	return nil
}

// get finds one entry.
func (s *segmented) get(key []byte, st stamp) (value []byte, ts int64, ok bool) {
	seg, number := s.find(key, st)
	if number == none || !seg.table.isLive(number) {
		return nil, 0, false
	}
	return seg.table.value(number), seg.table.entries[number].ts, true
}

// find returns the segment and number of an entry that has not expired; it may be deleted.
func (s *segmented) find(key []byte, st stamp) (*segment, uint32) {
	if st.time <= s.limit() {
		return nil, none
	}
	seg := s.segment(st.time)
	if seg == nil {
		return nil, none
	}
	s.scratch = s.layout.compose(s.scratch[:0], key, st)
	return seg, seg.table.find(s.scratch)
}

// admit moves the highest time for a put, and counts the put if it came too late.
func (s *segmented) admit(time int64) bool {
	s.ObserveTime(time)
	if time <= s.limit() {
		s.expired++
		return false
	}
	return true
}

// put sets or deletes a value; false if it came too late.
func (s *segmented) put(key []byte, st stamp, value []byte, ts int64) bool {
	if !s.admit(st.time) {
		return false
	}
	if value == nil {
		if seg, number := s.find(key, st); number != none && seg.table.isLive(number) {
			s.remove(seg, number, ts)
		}
		return true
	}
	seg := s.obtain(st.time)
	s.scratch = s.layout.compose(s.scratch[:0], key, st)
	number := s.store(seg, s.scratch, value, ts)
	s.mark(seg, number)
	return true
}

func (s *segmented) mark(seg *segment, number uint32) {
	if seg.table.mark(number) {
		s.dirty = append(s.dirty, dirtyRef{seg.number, number})
	}
}

// store sets a value without making it dirty.
func (s *segmented) store(seg *segment, composed, value []byte, ts int64) uint32 {
	number := seg.table.obtain(composed, len(value))
	created := !seg.table.isLive(number)
	seg.table.set(number, value, ts)
	if !created {
		return number
	}
	s.changes++
	if s.byTime {
		s.indexTime(seg, composed, number)
	}
	if s.byKey {
		seg.indexKey(s.layout.key(composed), s.layout.stamp(composed), number)
	}
	return number
}

// remove deletes a live entry and makes it dirty.
func (s *segmented) remove(seg *segment, number uint32, ts int64) {
	s.forget(seg, number)
	seg.table.delete(number, ts)
	s.mark(seg, number)
}

// forget takes a live entry out of the indexes.
func (s *segmented) forget(seg *segment, number uint32) {
	s.changes++
	composed := seg.table.key(number)
	if s.byTime {
		seg.byTime.remove(s.searchTime(seg, composed))
	}
	if s.byKey {
		seg.unindexKey(s.layout.key(composed), s.layout.stamp(composed))
	}
}

// Flush implements [Logged].
func (s *segmented) Flush(emit func(key, value []byte, ts int64) error) error {
	for _, live := range []bool{true, false} {
		if err := s.flush(live, emit); err != nil {
			s.dirty = slices.DeleteFunc(s.dirty, func(ref dirtyRef) bool {
				seg := s.numbered(ref.segment)
				return seg == nil || !seg.table.entries[ref.number].dirty
			})
			return err
		}
	}
	s.dirty = s.dirty[:0]
	for _, seg := range s.segments {
		seg.table.trim()
	}
	return nil
}

// flush emits the dirty entries that are live, or those that are deleted.
func (s *segmented) flush(live bool, emit func(key, value []byte, ts int64) error) error {
	for _, ref := range s.dirty {
		seg := s.numbered(ref.segment)
		if seg == nil || !seg.table.entries[ref.number].dirty || seg.table.isLive(ref.number) != live {
			continue
		}
		if s.layout.stamp(seg.table.key(ref.number)).time <= s.limit() {
			seg.table.clean(ref.number, true) // its segment is still there for the sake of others
			continue
		}
		if err := seg.table.flush(ref.number, emit); err != nil {
			return err
		}
	}
	return nil
}

// restore applies a record of the changelog whose key was checked.
func (s *segmented) restore(composed, value []byte, ts int64) {
	st := s.layout.stamp(composed)
	if st.time <= s.limit() {
		return
	}
	if value != nil {
		seg := s.obtain(st.time)
		seg.table.clean(s.store(seg, composed, value, ts), true)
		return
	}
	seg, number := s.find(s.layout.key(composed), st)
	if number == none {
		return
	}
	if seg.table.isLive(number) {
		s.forget(seg, number)
		seg.table.delete(number, ts)
	}
	seg.table.clean(number, false)
}

// DirtyBytes implements [Logged]. It counts expired entries until their segment goes.
func (s *segmented) DirtyBytes() int64 {
	var n int64
	for _, seg := range s.segments {
		n += seg.table.dirtyBytes
	}
	return n
}
