package state

import "math"

// Scans. A loop may write to the store it ranges over: after each step a scan looks whether positions may have moved, and if
// so finds its place again by the stamp (and key) of the entry it gave last.

const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64
)

// entryOf is one entry as scans give it.
type entryOf struct {
	seg    *segment
	stamp  stamp
	number uint32
}

func (e entryOf) value() Value { return e.seg.table.stored(e.number) }

// ascend gives the entries of a key with lo ≤ stamp ≤ hi in order.
func (s *segmented) ascend(key []byte, lo, hi stamp, yield func(entryOf) bool) {
	s.buildByKey()
	after := false // lo itself was given
restart:
	if first := s.limit() + 1; lo.time < first {
		lo, after = stamp{first, minTime}, false
	}
	for _, seg := range s.segments {
		if seg.last < lo.time {
			continue
		}
		if seg.first > hi.time {
			return
		}
		run := seg.run(key)
		for at := searchRun(run, lo, after); at < len(run); at += itemBytes {
			st := stampAt(run, at)
			if st.compare(hi) > 0 {
				return
			}
			before := s.changes
			if !yield(entryOf{seg, st, numberAt(run, at)}) {
				return
			}
			if s.changes != before {
				lo, after = st, true
				goto restart
			}
		}
	}
}

// descend is ascend in the opposite order.
func (s *segmented) descend(key []byte, lo, hi stamp, yield func(entryOf) bool) {
	s.buildByKey()
	after := true // hi itself is still to be given
restart:
	for i := len(s.segments) - 1; i >= 0; i-- {
		seg := s.segments[i]
		if seg.first > hi.time {
			continue
		}
		run := seg.run(key)
		for at := searchRun(run, hi, after) - itemBytes; at >= 0; at -= itemBytes {
			st := stampAt(run, at)
			if st.compare(lo) < 0 || st.time <= s.limit() {
				return
			}
			before := s.changes
			if !yield(entryOf{seg, st, numberAt(run, at)}) {
				return
			}
			if s.changes != before {
				hi, after = st, false
				goto restart
			}
		}
		if seg.first < lo.time {
			return
		}
	}
}

// ascendAll gives the entries of all keys with from ≤ time ≤ to, by stamp, then by key.
func (s *segmented) ascendAll(from, to int64, yield func(entryOf) bool) {
	s.buildByTime()
	for i := 0; i < len(s.segments); {
		seg := s.segments[i]
		number := seg.number // the loop may drop the segment, and its memory may become another
		from = max(from, s.limit()+1)
		if seg.first > to {
			return
		}
		if seg.last >= from && !s.ascendSegment(seg, from, to, yield) {
			return
		}
		i = s.after(number)
	}
}

// ascendSegment is ascendAll within one segment; false if the scan is over.
func (s *segmented) ascendSegment(seg *segment, from, to int64, yield func(entryOf) bool) bool {
	id := seg.number
	p := seg.byTime.search(func(n uint32) bool { return s.layout.stamp(seg.table.key(n)).time < from })
	for number := seg.byTime.at(p); number != none; number = seg.byTime.at(p) {
		st := s.layout.stamp(seg.table.key(number))
		if st.time > to {
			return false
		}
		if st.time <= s.limit() { // expired since the scan began
			p = seg.byTime.next(p)
			continue
		}
		before := s.changes
		if !yield(entryOf{seg, st, number}) {
			return false
		}
		if s.changes != before {
			if s.numbered(id) != seg {
				return true // dropped
			}
			p = s.searchTime(seg, seg.table.key(number))
			if seg.byTime.at(p) != number {
				continue
			}
		}
		p = seg.byTime.next(p)
	}
	return true
}
