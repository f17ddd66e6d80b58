package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// before returns where a search for offset begins: the position of a batch that ends at or before it, and the least offset there.
func (x *indexes) before(base, offset int64) (at, expect int64) {
	i, _ := slices.BinarySearchFunc(x.offsets, offset-base, func(e IndexEntry, want int64) int {
		if int64(e.Offset) <= want {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0, base
	}
	return int64(x.offsets[i-1].Position), base
}

// boundary returns the greatest indexed position at or below one, 0 if there is none: batches begin and end there.
func (x *indexes) boundary(position int64) int64 {
	i, found := slices.BinarySearchFunc(x.offsets, position, func(e IndexEntry, want int64) int { return int(int64(e.Position) - want) })
	switch {
	case found:
		return position
	case i == 0:
		return 0
	}
	return int64(x.offsets[i-1].Position)
}

// indexesOf returns the indexes: from the view while they are in memory, else with the open file, read from disk if need be.
func (s *Segment) indexesOf(h *handle, v *View) (*indexes, error) {
	if !v.sealed || v.offsets != nil || v.times != nil {
		return &indexes{offsets: v.offsets, times: v.times}, nil
	}
	return s.loaded(h)
}

// loaded returns the indexes from the files. If they are missing or cannot be right they are rebuilt from the batches, and written.
func (s *Segment) loaded(h *handle) (*indexes, error) {
	if x := h.indexes.Load(); x != nil {
		return x, nil
	}
	h.loading.Lock()
	defer h.loading.Unlock()
	if x := h.indexes.Load(); x != nil {
		return x, nil
	}
	v := s.view.Load()
	x, whole, err := s.readIndexes(v.Size, v.Next)
	if err != nil {
		return nil, err
	}
	if !whole || !s.plausible(h, x, v) {
		if x, err = s.rebuild(h, v); err != nil {
			return nil, err
		}
	}
	h.indexes.Store(x)
	return x, nil
}

// readIndexes reads both files. whole is false if one is missing or has an entry that cannot be.
func (s *Segment) readIndexes(size, next int64) (x *indexes, whole bool, err error) {
	offsets, found1, err := s.readFile(IndexSuffix)
	if err != nil {
		return nil, false, err
	}
	times, found2, err := s.readFile(TimeSuffix)
	if err != nil {
		return nil, false, err
	}
	x = &indexes{found: found1 || found2}
	var ok1, ok2 bool
	x.offsets, ok1 = decodeIndex(offsets, size)
	x.times, ok2 = decodeTimes(times, next-s.base)
	return x, found1 && found2 && ok1 && ok2, nil
}

func (s *Segment) readFile(suffix string) (b []byte, found bool, err error) {
	name := s.path(suffix)
	f, err := s.cfg.FS.Open(name, disk.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read index %s: %w", name, err)
	}
	size, err := f.Size()
	if err == nil {
		b = make([]byte, min(size, MaxIndexBytes+1))
		var n int
		if n, err = f.ReadAt(b, 0); n == len(b) {
			err = nil
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, false, fmt.Errorf("cannot read index %s: %w", name, err)
	}
	return b, true, nil
}

// plausible looks at the batch of the last entry, and whether a segment with batches has the time entry that closes it.
func (s *Segment) plausible(h *handle, x *indexes, v *View) bool {
	if len(x.offsets) == 0 {
		return v.Size <= 2*int64(max(s.cfg.IndexInterval, lookBytes)) || len(x.times) > 0
	}
	e := x.offsets[len(x.offsets)-1]
	_, header, err := s.scanner(h, int64(e.Position), v.Size, s.base, record.HeaderBytes).next()
	return err == nil && header.Next()-1 == s.base+int64(e.Offset)
}

// rebuild makes the indexes from the headers of the batches and writes them, if that works: they are needed again after the next start.
func (s *Segment) rebuild(h *handle, v *View) (*indexes, error) {
	r := Segment{cfg: s.cfg, base: s.base}
	made := &View{Next: s.base, Max: none}
	for c := s.scanner(h, 0, v.Size, s.base, scanBytes); ; {
		_, header, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		made = r.grown(made, header)
	}
	r.view.Store(made)
	if v.sealed {
		r.Seal()
	}
	made = r.view.Load()
	_ = r.WriteIndexes(true) // a full or failing disk: the next reader rebuilds again
	return &indexes{offsets: made.offsets, times: made.times}, nil
}

// Find returns the position and the header of the batch that contains offset, or of the next one if there is none. io.EOF: there is no such.
func (s *Segment) Find(offset int64) (position int64, header Header, err error) {
	h, err := s.acquire()
	if err != nil {
		return 0, Header{}, err
	}
	defer h.release()
	return s.find(h, s.view.Load(), offset)
}

func (s *Segment) find(h *handle, v *View, offset int64) (int64, Header, error) {
	if v.last.Size > 0 && offset >= v.last.Base && offset < v.Next { // who reads along with the appends
		return v.Size - v.last.Size, v.last, nil
	}
	x, err := s.indexesOf(h, v)
	if err != nil {
		return 0, Header{}, err
	}
	at, expect := x.before(s.base, offset)
	for c := s.scanner(h, at, v.Size, expect, lookBytes); ; {
		position, header, err := c.next()
		if _, damaged := errors.AsType[*CorruptError](err); damaged && at > 0 {
			at = 0 // an index is never an error: the batches are asked, all of them
			c = s.scanner(h, at, v.Size, s.base, scanBytes)
			continue
		}
		if err != nil || header.Next() > offset {
			return position, header, err
		}
	}
}

// Mark is a place in a segment: the offset of a batch and where it begins.
type Mark struct{ Offset, Position int64 }

// Region is a stretch of whole batches in a file. The zero Region is empty.
type Region struct {
	h      *handle
	at     int64
	length int
}

// Size is the number of bytes.
func (r Region) Size() int { return r.length }

// ReadAt reads from the region as io.ReaderAt says.
func (r Region) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(r.length) {
		return 0, io.EOF
	}
	short := int64(len(p)) > int64(r.length)-off
	if short {
		p = p[:int64(r.length)-off]
	}
	n, err := r.h.file.ReadAt(p, r.at+off)
	if err == nil && short || n == len(p) && errors.Is(err, io.EOF) {
		err = nil
		if short {
			err = io.EOF
		}
	}
	return n, err
}

// File is the way to sendfile: the region begins at off of f, which must neither be closed nor moved (use positioned reads), until Release.
// ok is false where there is no such file.
func (r Region) File() (f *os.File, off int64, ok bool) {
	if r.h == nil {
		return nil, 0, false
	}
	d, ok := r.h.file.(disk.Descriptor)
	if !ok {
		return nil, 0, false
	}
	return d.OSFile(), r.at, true
}

// Release must be called once for each Region that is not empty.
func (r Region) Release() {
	if r.h != nil {
		r.h.release()
	}
}

// Read returns whole batches from the one that contains offset, none of which ends beyond limit (an offset), up to maxBytes; if atLeastOne, the
// first one whatever its size. If limit is mark.Offset its position is taken from there. The CRCs of bytes that this process has neither
// written nor read before are compared: *CorruptError.
func (s *Segment) Read(offset, limit int64, maxBytes int, atLeastOne bool, mark Mark) (Region, error) {
	h, err := s.acquire()
	if err != nil {
		return Region{}, err
	}
	from, to, err := s.stretch(h, offset, limit, maxBytes, atLeastOne, mark)
	if err == nil && to > from {
		err = s.verify(h, from, to)
	}
	if err != nil || to <= from {
		h.release()
		return Region{}, err
	}
	return Region{h: h, at: from, length: int(to - from)}, nil
}

func (s *Segment) stretch(h *handle, offset, limit int64, maxBytes int, atLeastOne bool, mark Mark) (from, to int64, err error) {
	v := s.view.Load()
	from, first, err := s.find(h, v, offset)
	if errors.Is(err, io.EOF) && v.sealed && offset < v.Next {
		return 0, 0, &CorruptError{Path: s.Path(), Position: v.Size, Offset: offset, Err: errors.New("the file ends early")}
	}
	if errors.Is(err, io.EOF) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	switch {
	case limit >= v.Next:
		to = v.Size
	case limit == mark.Offset:
		to = mark.Position
	default:
		if to, _, err = s.find(h, v, limit); err != nil {
			return 0, 0, err
		}
	}
	if to-from <= int64(maxBytes) {
		return from, to, nil
	}
	if first.Size > int64(maxBytes) {
		if !atLeastOne || from+first.Size > to {
			return 0, 0, nil
		}
		return from, from + first.Size, nil
	}
	x, err := s.indexesOf(h, v)
	if err != nil {
		return 0, 0, err
	}
	to, err = s.lastBoundary(h, max(x.boundary(from+int64(maxBytes)), from), from+int64(maxBytes), v.Size)
	return from, to, err
}

// lastBoundary returns the end of the last batch in [at, most] of a file.
func (s *Segment) lastBoundary(h *handle, at, most, size int64) (int64, error) {
	for c := s.scanner(h, at, size, s.base, lookBytes); c.at < most; {
		position, header, err := c.next()
		if err != nil {
			return 0, err
		}
		if position+header.Size > most {
			return position, nil
		}
	}
	return most, nil
}

// verify compares CRCs in [from, to), but for bytes that this process has written or verified before.
func (s *Segment) verify(h *handle, from, to int64) error {
	s.verified.Lock()
	to = min(to, s.verified.trusted)
	done := from >= to || s.verified.from <= from && to <= s.verified.to
	if !done && s.verified.from <= from && from < s.verified.to {
		from = s.verified.to // sequential reading
	}
	s.verified.Unlock()
	if done {
		return nil
	}
	if err := s.check(h, from, to); err != nil {
		return err
	}
	s.verified.Lock()
	defer s.verified.Unlock()
	if from == s.verified.to {
		s.verified.to = to
	} else {
		s.verified.from, s.verified.to = from, to
	}
	return nil
}
