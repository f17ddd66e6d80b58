package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/millrace/millrace/log/record"
)

// CorruptError says that bytes which must be whole batches are not.
type CorruptError struct {
	Path     string
	Position int64 // bytes from the start of the file
	Offset   int64 // of the first record in doubt, as far as it is known
	Err      error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d (offset %d): %v", e.Path, e.Position, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

const (
	// lookBytes is read at once where the wanted batch is near.
	lookBytes = 4 << 10
	// scanBytes is read at once in a long scan.
	scanBytes = 128 << 10
)

// scanner walks over the headers of batches in [at, end) of a file.
type scanner struct {
	file   io.ReaderAt
	path   string
	at     int64 // where the next batch begins
	end    int64
	expect int64 // the next batch begins at this offset or above
	buf    []byte
	have   []byte // bytes of the file from haveAt on; in buf
	haveAt int64
}

func (s *Segment) scanner(h *handle, at, end, expect int64, chunk int) *scanner {
	return &scanner{file: h.file, path: s.Path(), at: at, end: end, expect: expect, buf: make([]byte, chunk)}
}

// next returns the position and the header of the next batch; io.EOF at the end, *CorruptError if what is there is no batch.
func (c *scanner) next() (int64, Header, error) {
	if c.at == c.end {
		return 0, Header{}, io.EOF
	}
	b, err := c.peek()
	if err != nil {
		return 0, Header{}, err
	}
	h, err := ParseHeader(b)
	if err == nil && h.Size > c.end-c.at {
		err = fmt.Errorf("a batch of %d bytes passes the end at %d", h.Size, c.end)
	}
	if err == nil && h.Base < c.expect {
		err = fmt.Errorf("the batch begins with offset %d", h.Base)
	}
	if err != nil {
		return 0, Header{}, &CorruptError{Path: c.path, Position: c.at, Offset: c.expect, Err: err}
	}
	at := c.at
	c.at += h.Size
	c.expect = h.Next()
	return at, h, nil
}

// peek returns the bytes of a header at c.at, fewer at the end.
func (c *scanner) peek() ([]byte, error) {
	want := min(record.HeaderBytes, c.end-c.at)
	if c.at < c.haveAt || c.at+want > c.haveAt+int64(len(c.have)) {
		n := min(int64(len(c.buf)), c.end-c.at)
		got, err := c.file.ReadAt(c.buf[:n], c.at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("cannot read %s at byte %d: %w", c.path, c.at, err)
		}
		c.have, c.haveAt = c.buf[:got], c.at
	}
	b := c.have[c.at-c.haveAt:]
	return b[:min(int64(len(b)), want)], nil
}

// Scan calls fn for each batch from the one that contains offset on, up to the end as it is now. It reads headers only.
func (s *Segment) Scan(offset int64, fn func(position int64, h Header) error) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	v := s.view.Load()
	at, expect := int64(0), s.base
	if offset > s.base {
		x, err := s.indexesOf(h, v)
		if err != nil {
			return err
		}
		at, expect = x.before(s.base, offset)
	}
	for c := s.scanner(h, at, v.Size, expect, scanBytes); ; {
		position, header, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && header.Next() > offset {
			err = fn(position, header)
		}
		if err != nil {
			return err
		}
	}
}

// check reads whole batches in [from, to) and compares their CRCs.
func (s *Segment) check(h *handle, from, to int64) error {
	buf := make([]byte, min(scanBytes, to-from))
	for c := s.scanner(h, from, to, 0, record.HeaderBytes); ; {
		at, header, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkOne(h, buf, at, header); err != nil {
			return &CorruptError{Path: s.Path(), Position: at, Offset: header.Base, Err: err}
		}
	}
}

var errCRC = errors.New("its CRC does not match")

// crcFrom is where the bytes begin that the CRC covers; the CRC itself stands before the attributes.
const (
	crcAt   = 17
	crcFrom = 21
)

func checkOne(h *handle, buf []byte, at int64, header Header) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	var want, sum uint32
	for done := int64(0); done < header.Size; {
		n := int(min(int64(len(buf)), header.Size-done))
		if got, err := h.file.ReadAt(buf[:n], at+done); got < n {
			return fmt.Errorf("cannot read %d bytes of it: %w", n, err)
		}
		b := buf[:n]
		if done == 0 {
			want = uint32(b[crcAt])<<24 | uint32(b[crcAt+1])<<16 | uint32(b[crcAt+2])<<8 | uint32(b[crcAt+3])
			b = b[crcFrom:]
		}
		sum = crc32.Update(sum, table, b)
		done += int64(n)
	}
	if sum != want {
		return errCRC
	}
	return nil
}
