package segment

import (
	"errors"
	"io"
	"slices"
)

// Newest is the largest timestamp in the segment; of a sealed segment it is read from the time index once.
func (s *Segment) Newest() (Newest, error) {
	v := s.view.Load()
	if v.known {
		return v.Max, nil
	}
	h, err := s.acquire()
	if err != nil {
		return none, err
	}
	defer h.release()
	x, err := s.indexesOf(h, v)
	if err != nil {
		return none, err
	}
	next := *v
	next.known = true
	if n := len(x.times); n > 0 {
		next.Max = Newest{x.times[n-1].Timestamp, s.base + int64(x.times[n-1].Offset)}
	}
	s.view.CompareAndSwap(v, &next)
	return next.Max, nil
}

// FindTime returns the position and the header of the first batch that ends above offset from, begins below limit and says that it holds a record
// with timestamp ≥ ms (a client may lie: look, and go on behind it). io.EOF: there is none.
func (s *Segment) FindTime(ms, from, limit int64) (int64, Header, error) {
	h, err := s.acquire()
	if err != nil {
		return 0, Header{}, err
	}
	defer h.release()
	v := s.view.Load()
	x, err := s.indexesOf(h, v)
	if err != nil {
		return 0, Header{}, err
	}
	i, _ := slices.BinarySearchFunc(x.times, ms, func(e TimeEntry, want int64) int {
		if e.Timestamp < want {
			return -1
		}
		return 1
	})
	if i > 0 { // nothing up to there is new enough
		from = max(from, s.base+int64(x.times[i-1].Offset)+1)
	}
	at, expect := x.before(s.base, from)
	for c := s.scanner(h, at, v.Size, expect, lookBytes); ; {
		position, header, err := c.next()
		if err == nil && header.Base >= limit {
			err = io.EOF
		}
		if err != nil || header.MaxTimestamp >= ms && header.Next() > from {
			return position, header, err
		}
	}
}

// NewestBelow returns the first batch with the largest timestamp among those that end at or before limit. io.EOF: there is none.
func (s *Segment) NewestBelow(limit int64) (Header, error) {
	h, err := s.acquire()
	if err != nil {
		return Header{}, err
	}
	defer h.release()
	v := s.view.Load()
	x, err := s.indexesOf(h, v)
	if err != nil {
		return Header{}, err
	}
	at, expect := int64(0), s.base
	i, _ := slices.BinarySearchFunc(x.times, limit-s.base, func(e TimeEntry, want int64) int {
		if int64(e.Offset) < want {
			return -1
		}
		return 1
	})
	if i > 0 {
		at, expect = x.before(s.base, s.base+int64(x.times[i-1].Offset))
	}
	newest, found := Header{MaxTimestamp: -1}, false
	for c := s.scanner(h, at, v.Size, expect, scanBytes); ; {
		_, header, err := c.next()
		if errors.Is(err, io.EOF) || err == nil && header.Next() > limit {
			break
		}
		if err != nil {
			return Header{}, err
		}
		if !found || header.MaxTimestamp > newest.MaxTimestamp {
			newest, found = header, true
		}
	}
	if !found {
		return Header{}, io.EOF
	}
	return newest, nil
}
