package segment

import (
	"fmt"

	"github.com/millrace/millrace/log/disk"
)

// WriteError says that a batch is not in the segment. The bytes before it are as they were.
type WriteError struct {
	Path string
	// Dirty means that a part of the batch may be in the file and could not be cut off again: nothing may be appended any more.
	Dirty bool
	Err   error
}

func (e *WriteError) Error() string {
	if e.Dirty {
		return fmt.Sprintf("cannot append to %s, nor cut off what was written: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("cannot append to %s: %v", e.Path, e.Err)
}

func (e *WriteError) Unwrap() error { return e.Err }

// Append writes one whole batch, of which h is the header with the final offsets, and publishes a new View. b is not kept.
// The caller has seen to Fits, IndexFull and to h.Base ≥ Next. After an error (*WriteError) nothing has changed.
func (s *Segment) Append(b []byte, h Header) error {
	v := s.view.Load()
	if v.sealed {
		panic("BUG: append to a sealed segment")
	}
	file, err := s.writer(v)
	if err != nil {
		return &WriteError{Path: s.Path(), Err: err}
	}
	if need := v.Size + int64(len(b)); need > s.allocated {
		if err := s.grow(file, need); err != nil {
			return &WriteError{Path: s.Path(), Err: err}
		}
	}
	if err := s.write(file, b, v.Size); err != nil {
		return err
	}
	s.view.Store(s.grown(v, h))
	return nil
}

// writer opens the file of a segment that nobody has written to since the start.
func (s *Segment) writer(v *View) (disk.File, error) {
	if h := s.own.Load(); h != nil {
		return h.file, nil
	}
	f, err := s.cfg.FS.Open(s.path(LogSuffix), disk.ReadWrite)
	if err != nil {
		return nil, err
	}
	s.own.Store(newHandle(f))
	s.allocated = v.Size
	return f, nil
}

// grow preallocates a step. Appending to a growing file costs up to four times as much as filling one, and each sync would write its size.
func (s *Segment) grow(file disk.File, need int64) error {
	target := max(need, min(s.allocated+s.step, s.cfg.MaxBytes))
	if s.cfg.Full != nil && s.cfg.Full() {
		target = need
	}
	err := file.Preallocate(target)
	if disk.NoSpace(err) && target > need {
		target = need
		err = file.Preallocate(target)
	}
	if err != nil {
		if disk.NoSpace(err) {
			_ = file.Truncate(s.allocated) // what was taken in vain; the next one cuts it otherwise
		}
		return err
	}
	s.allocated = target
	s.step = min(2*s.step, MaxStep)
	return nil
}

func (s *Segment) write(file disk.File, b []byte, at int64) error {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), maxWriteBytes)
		if _, err := file.WriteAt(rest[:n], at+int64(len(b)-len(rest))); err != nil {
			failed := &WriteError{Path: s.Path(), Err: err}
			if cut := file.Truncate(at); cut != nil {
				failed.Dirty = true
			}
			s.allocated = at
			return failed
		}
		rest = rest[n:]
	}
	return nil
}

// grown is the view after a batch: indexed in Kafka's way, an entry before the batch that passes the interval.
func (s *Segment) grown(v *View, h Header) *View {
	next := *v
	next.Size, next.Next, next.last = v.Size+h.Size, h.Next(), h
	last := h.Next() - 1
	if h.MaxTimestamp > v.Max.Timestamp {
		next.Max = Newest{h.MaxTimestamp, last}
	}
	if s.sinceLast > int64(s.cfg.IndexInterval) {
		next.offsets = append(v.offsets, IndexEntry{uint32(last - s.base), uint32(v.Size)})
		if t := next.Max; t.Timestamp >= 0 && (len(v.times) == 0 || t.Timestamp > v.times[len(v.times)-1].Timestamp) {
			next.times = append(v.times, TimeEntry{t.Timestamp, uint32(t.Offset - s.base)})
		}
		s.sinceLast = 0
	}
	s.sinceLast += h.Size
	return &next
}
