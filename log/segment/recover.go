package segment

import (
	"errors"
	"fmt"
	"io"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// Recovered says what OpenRecovered found.
type Recovered struct {
	Size int64 // bytes of whole batches
	Next int64 // offset after the last of them
	Cut  int64 // bytes behind them that are not zero: a torn batch, and what lay behind it; they are still in the file
	Why  error // what is wrong with the first of them; nil if Cut is 0
	Tail int64 // bytes behind Size, preallocated zeros included
}

// OpenRecovered takes a segment of a log that was not closed properly, to append to it. Below the durable mark the batches must be there and
// their headers make sense (*CorruptError if not: that is damage, and no tail). Above it they are read whole, and the first one that is not right
// ends the segment: wrong length or CRC, an offset that does not follow, an epoch below the one before. epoch is the newest leader epoch below
// the mark; each batch above is passed to fn. Nothing is written but the indexes: what is cut is for the caller to say (Trim, then Sync).
func OpenRecovered(cfg Config, base int64, mark Mark, epoch int32, fn func(Header)) (*Segment, Recovered, error) {
	s := &Segment{cfg: cfg, base: base, step: cfg.Step}
	f, err := cfg.FS.Open(s.path(LogSuffix), disk.ReadWrite)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("cannot open segment %s: %w", s.path(LogSuffix), err)
	}
	h := newHandle(f)
	s.own.Store(h)
	length, err := f.Size()
	if err == nil && length < mark.Position {
		err = &CorruptError{Path: s.Path(), Position: length, Offset: -1, Err: fmt.Errorf("the file ends below the durable mark at byte %d", mark.Position)}
	}
	var v *View
	if err == nil {
		v, err = s.below(h, mark)
	}
	var r Recovered
	if err == nil {
		v, r, err = s.above(h, v, length, epoch, fn)
	}
	if err != nil {
		s.Close()
		return nil, Recovered{}, err
	}
	s.allocated = length
	s.verified.from, s.verified.to, s.verified.trusted = mark.Position, r.Size, r.Size
	s.view.Store(v)
	if err := s.dropStale(); err != nil {
		s.Close()
		return nil, Recovered{}, err
	}
	return s, r, nil
}

// dropStale writes the indexes as they are now. What was in the files behind the trusted entries must not be taken for entries of the batches
// to come, and the mark is about to pass them.
func (s *Segment) dropStale() error {
	if !s.indexed {
		return nil
	}
	return s.WriteIndexes(true)
}

// below makes the view of what is below the mark: from the indexes as far as they are right, then from headers.
func (s *Segment) below(h *handle, mark Mark) (*View, error) {
	x, _, err := s.readIndexes(mark.Position, mark.Offset-s.base)
	if err != nil {
		return nil, err
	}
	s.indexed = x.found
	s.reconcile(x)
	v, at := s.resume(x)
	end := &CorruptError{Path: s.Path(), Position: at, Offset: v.Next}
	for c := s.scanner(h, at, mark.Position, v.Next, scanBytes); ; {
		position, header, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && len(x.offsets) > 0 {
			// Perhaps it is the index that is wrong.
			x.offsets, x.times = nil, nil
			v, at = s.resume(x)
			c = s.scanner(h, at, mark.Position, v.Next, scanBytes)
			continue
		}
		if err != nil {
			return nil, err
		}
		end.Position, end.Offset = position, header.Base
		v = s.grown(v, header)
	}
	if v.Next != mark.Offset {
		end.Err = fmt.Errorf("the batches end with offset %d, the durable mark is %d", v.Next, mark.Offset)
		return nil, end
	}
	s.persistedOffsets, s.persistedTimes = len(x.offsets), len(x.times)
	return v, nil
}

// reconcile cuts both indexes back to what both of them cover: they are written together, but a power cut may take either.
func (s *Segment) reconcile(x *indexes) {
	if len(x.times) == 0 || len(x.offsets) == 0 {
		x.offsets, x.times = nil, nil
		return
	}
	last := x.times[len(x.times)-1].Offset
	for len(x.offsets) > 0 && x.offsets[len(x.offsets)-1].Offset > last {
		x.offsets = x.offsets[:len(x.offsets)-1]
	}
	for len(x.times) > 0 && (len(x.offsets) == 0 || x.times[len(x.times)-1].Offset > x.offsets[len(x.offsets)-1].Offset) {
		x.times = x.times[:len(x.times)-1]
	}
	if len(x.times) == 0 {
		x.offsets = nil
	}
}

// resume is the view and the position to go on from after the last entry of the indexes: before its batch, whose entries are made again.
func (s *Segment) resume(x *indexes) (*View, int64) {
	v := &View{Next: s.base, Max: none, known: true}
	n := len(x.offsets)
	if n < 2 {
		s.sinceLast = 0
		return v, 0
	}
	// The entry of the last batch is taken back and made again when the scan passes it, so that nothing has to be known of the batch here.
	at := x.offsets[n-1]
	x.offsets = x.offsets[:n-1]
	for m := len(x.times); m > 0 && x.times[m-1].Offset >= at.Offset; m-- {
		x.times = x.times[:m-1]
	}
	v.offsets, v.times = x.offsets, x.times
	v.Size, v.Next = int64(at.Position), s.base+int64(x.offsets[n-2].Offset)+1
	if m := len(x.times); m > 0 {
		v.Max = Newest{x.times[m-1].Timestamp, s.base + int64(x.times[m-1].Offset)}
	}
	s.sinceLast = int64(s.cfg.IndexInterval) + 1
	return v, v.Size
}

// above reads the batches from the mark on, whole.
func (s *Segment) above(h *handle, v *View, length int64, epoch int32, fn func(Header)) (*View, Recovered, error) {
	var r Recovered
	buf := make([]byte, scanBytes)
	for {
		b, err := readBatch(h, buf, v.Size, length)
		if errors.Is(err, errNoBatch) {
			r.Why = err
			break
		}
		if err != nil {
			return nil, r, fmt.Errorf("cannot read %s at byte %d: %w", s.Path(), v.Size, err)
		}
		if cap(b) > cap(buf) {
			buf = b[:cap(b)]
		}
		header, why := follows(record.Batch(b), v.Next, epoch)
		if why != nil {
			r.Why = why
			break
		}
		if !s.Fits(header.Next()-1) || len(v.offsets) >= maxIndexEntries || len(v.times) >= maxTimeEntries {
			r.Why = errors.New("the segment is larger than it can be")
			break
		}
		epoch = header.Epoch
		v = s.grown(v, header)
		fn(header)
	}
	r.Size, r.Next, r.Tail = v.Size, v.Next, length-v.Size
	var err error
	if r.Cut, err = lastNonZero(h, buf, v.Size, length); err == nil && r.Cut == 0 {
		r.Why = nil
	}
	return v, r, err
}

var errNoBatch = errors.New("there is no whole batch")

// readBatch returns the whole batch at a position, in buf if it fits; errNoBatch if there cannot be one.
func readBatch(h *handle, buf []byte, at, length int64) ([]byte, error) {
	if length-at < record.HeaderBytes {
		return nil, errNoBatch
	}
	n := min(int64(len(buf)), length-at)
	if got, err := h.file.ReadAt(buf[:n], at); int64(got) < n {
		return nil, err
	}
	size, err := record.Size(buf[:n])
	if err != nil || size > length-at || size < record.HeaderBytes {
		return nil, errNoBatch
	}
	if size <= n {
		return buf[:size], nil
	}
	b := make([]byte, size)
	if got, err := h.file.ReadAt(b[copy(b, buf[:n]):], at+n); int64(got) < size-n {
		return nil, err
	}
	return b, nil
}

// follows says whether a batch may come after offset next and an epoch. Old bytes behind the tail (of an earlier life of the blocks) have right
// CRCs: only offsets and epochs tell them from a batch of this log.
func follows(b record.Batch, next int64, epoch int32) (Header, error) {
	if err := b.CheckStored(); err != nil {
		return Header{}, err
	}
	header, err := ParseHeader(b)
	if err != nil {
		return Header{}, err
	}
	if header.Base != next {
		return Header{}, fmt.Errorf("a batch of offset %d, and %d is next", header.Base, next)
	}
	if header.Epoch < epoch {
		return Header{}, fmt.Errorf("a batch of leader epoch %d after one of %d", header.Epoch, epoch)
	}
	return header, nil
}

// lastNonZero returns how many bytes of [at, length) there are up to the last one that is not zero.
func lastNonZero(h *handle, buf []byte, at, length int64) (int64, error) {
	var last int64
	for from := at; from < length; {
		n := int(min(int64(len(buf)), length-from))
		if got, err := h.file.ReadAt(buf[:n], from); got < n {
			return 0, fmt.Errorf("cannot read %d bytes at %d: %w", n, from, err)
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] != 0 {
				last = from + int64(i) + 1 - at
				break
			}
		}
		from += int64(n)
	}
	return last, nil
}
