package state

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A stamp is what the keys of windows carry beside the user's key, in order of importance: (start, seq) for a window,
// (end, start) for a session. It decides order, its time decides expiry.
type stamp struct{ time, minor int64 }

func (a stamp) compare(b stamp) int {
	switch {
	case a.time != b.time && a.time < b.time, a.time == b.time && a.minor < b.minor:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// A segment holds the windows of one stretch of time, and is dropped whole. Its table is keyed by the changelog key. Two
// indexes over the live entries exist once somebody scans:
//
//	byTime   all entries, by stamp, then by key
//	byKey    per user's key a run of items, by stamp: time(8) minor(8) number(4), little-endian
type segment struct {
	number      int64 // floor(time / width)
	first, last int64 // the times it holds, both included
	table       table
	byTime      order
	byKey       table
}

const itemBytes = 20

func (seg *segment) holds(time int64) bool { return seg.first <= time && time <= seg.last }

// reset makes an old segment empty for a new stretch of time.
func (seg *segment) reset() {
	seg.table.reset()
	seg.byTime.reset()
	runs := seg.byKey.arena
	runs.reset() // runs never leave the store
	seg.byKey.reset()
	seg.byKey.arena = runs
}

// run returns the items of a key.
func (seg *segment) run(key []byte) []byte {
	number := seg.byKey.find(key)
	if number == none {
		return nil
	}
	return seg.byKey.value(number)
}

func stampAt(run []byte, at int) stamp {
	return stamp{
		time:  int64(binary.LittleEndian.Uint64(run[at:])),
		minor: int64(binary.LittleEndian.Uint64(run[at+8:])),
	}
}

func numberAt(run []byte, at int) uint32 { return binary.LittleEndian.Uint32(run[at+16:]) }

// searchRun returns the offset of the first item not before st, or, with after, of the first one behind it. Most puts
// and fetches are near the end, so that is looked at first.
func searchRun(run []byte, st stamp, after bool) int {
	limit := 0
	if after {
		limit = 1
	}
	lo, hi := 0, len(run)/itemBytes
	if hi > 0 && stampAt(run, (hi-1)*itemBytes).compare(st) < limit {
		return len(run)
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if stampAt(run, mid*itemBytes).compare(st) < limit {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo * itemBytes
}

// indexKey adds an entry to its key's run.
func (seg *segment) indexKey(key []byte, st stamp, number uint32) {
	owner := seg.byKey.obtain(key, itemBytes)
	old := seg.byKey.value(owner)
	at := searchRun(old, st, false)
	run := seg.byKey.resize(owner, len(old)+itemBytes)
	copy(run[at+itemBytes:], run[at:])
	binary.LittleEndian.PutUint64(run[at:], uint64(st.time))
	binary.LittleEndian.PutUint64(run[at+8:], uint64(st.minor))
	binary.LittleEndian.PutUint32(run[at+16:], number)
}

// unindexKey takes an entry out of its key's run.
func (seg *segment) unindexKey(key []byte, st stamp) {
	owner := seg.byKey.find(key)
	run := seg.byKey.value(owner)
	at := searchRun(run, st, false)
	copy(run[at:], run[at+itemBytes:])
	if len(run) == itemBytes {
		seg.byKey.delete(owner, 0)
		seg.byKey.release(owner)
		return
	}
	seg.byKey.resize(owner, len(run)-itemBytes)
}

// resize changes the length of an entry's value and returns it. What it had stays; what is new has any content. A value that
// outgrows its record gets room for twice its length.
func (t *table) resize(number uint32, n int) []byte {
	if need := int(t.entries[number].keyLen) + n; need > int(t.entries[number].capacity) {
		t.move(number, need+n, t.value(number))
	}
	e := &t.entries[number]
	if e.valueLen < 0 {
		t.live++
	}
	e.valueLen = int32(n)
	return t.value(number)
}

// indexTime adds an entry to the order by time.
func (s *segmented) indexTime(seg *segment, composed []byte, number uint32) {
	seg.byTime.insert(s.searchTime(seg, composed), number)
}

// searchTime is the position of the first entry by time that is not before the composed key.
func (s *segmented) searchTime(seg *segment, composed []byte) position {
	target := s.layout.stamp(composed)
	key := s.layout.key(composed)
	return seg.byTime.search(func(n uint32) bool {
		other := seg.table.key(n)
		if c := s.layout.stamp(other).compare(target); c != 0 {
			return c < 0
		}
		return bytes.Compare(s.layout.key(other), key) < 0
	})
}

// compareTime orders two entries of a segment by time, then by key.
func (s *segmented) compareTime(seg *segment, a, b uint32) int {
	x, y := seg.table.key(a), seg.table.key(b)
	if c := s.layout.stamp(x).compare(s.layout.stamp(y)); c != 0 {
		return c
	}
	return bytes.Compare(s.layout.key(x), s.layout.key(y))
}

// buildByTime makes the order by time of every segment, the first time it is needed.
func (s *segmented) buildByTime() {
	if s.byTime {
		return
	}
	s.byTime = true
	for _, seg := range s.segments {
		var numbers []uint32
		for i := range seg.table.entries {
			if seg.table.isLive(uint32(i)) {
				numbers = append(numbers, uint32(i))
			}
		}
		slices.SortFunc(numbers, func(a, b uint32) int { return s.compareTime(seg, a, b) })
		seg.byTime.fill(numbers)
	}
}

// buildByKey makes the runs of every segment, the first time they are needed.
func (s *segmented) buildByKey() {
	if s.byKey {
		return
	}
	s.byKey = true
	for _, seg := range s.segments {
		for i := range seg.table.entries {
			if number := uint32(i); seg.table.isLive(number) {
				composed := seg.table.key(number)
				seg.indexKey(s.layout.key(composed), s.layout.stamp(composed), number)
			}
		}
	}
}
