package record

import "errors"

var (
	errShortRecord = errors.New("a length or number does not fit")
	errLongRecord  = errors.New("bytes follow the headers")
	errOffsetDelta = errors.New("offset delta is out of order or of range")
	errTimeDelta   = errors.New("timestamp is out of range")
)

const (
	maxVarint32Bytes = 5
	maxVarint64Bytes = 10
	// minHeaderBytes is the smallest header of a record: two lengths.
	minHeaderBytes = 2
)

// reader takes values off the front of b. Once something does not fit it is bad, and gives zero values from then on.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.b, r.bad = nil, true
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// varint reads a number of maxBytes at most, whose last byte may have lastBits bits: more do not fit the type.
func (r *reader) varint(maxBytes int, lastBits uint) uint64 {
	var v uint64
	for i := 0; i < maxBytes && i < len(r.b); i++ {
		c := r.b[i]
		if i == maxBytes-1 && c >= 1<<lastBits {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return v
		}
	}
	r.fail()
	return 0
}

func (r *reader) varint32() int32 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // nearly all of them
		v := r.b[0]
		r.b = r.b[1:]
		return int32(v>>1) ^ -int32(v&1)
	}
	v := uint32(r.varint(maxVarint32Bytes, 4))
	return int32(v>>1) ^ -int32(v&1)
}

func (r *reader) varint64() int64 {
	v := r.varint(maxVarint64Bytes, 1)
	return int64(v>>1) ^ -int64(v&1)
}

// bytes reads a length and as many bytes. A length of -1 is nil; an empty slice is not nil.
func (r *reader) bytes() []byte {
	n := r.varint32()
	switch {
	case r.bad || n == -1:
		return nil
	case n < -1 || int64(n) > int64(len(r.b)):
		r.fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// headers reads a count and walks over as many headers.
func (r *reader) headers() Headers {
	n := r.varint32()
	if n < 0 || int64(n) > int64(len(r.b)/minHeaderBytes) {
		r.fail()
	}
	start := r.b
	for i := int32(0); i < n && !r.bad; i++ {
		if key := r.bytes(); key == nil {
			r.fail()
		}
		r.bytes()
	}
	if r.bad || n == 0 {
		return Headers{}
	}
	return Headers{count: int(n), raw: start[: len(start)-len(r.b) : len(start)-len(r.b)]}
}
