package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed is wrapped by every error of reader and of the walker.
var ErrMalformed = errors.New("malformed request")

// reader decodes Kafka's primitive types from bytes that nobody has checked. After the first error every method
// returns zeros and nothing is read any more; err says what was wrong. Nothing it returns is larger than its input, and
// it allocates nothing. It is used by value on the stack.
type reader struct {
	src      []byte
	total    int // length of the input, for positions in errors
	tagCount int // tagged fields seen
	err      error
}

// newReader reads src, which it does not modify. Slices it returns are parts of src.
func newReader(src []byte) reader { return reader{src: src, total: len(src)} }

// pos is how many bytes were read.
func (r *reader) pos() int { return r.total - len(r.src) }

// end reports the first error, or that bytes are left over.
func (r *reader) end() error {
	if r.err == nil && len(r.src) > 0 {
		r.fail("%d bytes are left over", len(r.src))
	}
	return r.err
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrMalformed, r.pos(), fmt.Sprintf(format, args...))
	}
}

// span returns the next n bytes: a part of the input with its capacity cut, so that an append copies.
func (r *reader) span(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.src) {
		r.fail("%d bytes wanted, %d left", n, len(r.src))
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

// int16 reads a big-endian int16.
func (r *reader) int16() int16 {
	if b := r.span(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// int32 reads a big-endian int32.
func (r *reader) int32() int32 {
	if b := r.span(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// uvarint reads an unsigned varint of at most 32 bits.
func (r *reader) uvarint() uint32 {
	var v uint64
	for i := 0; i < 5; i++ {
		b := r.span(1)
		if b == nil {
			return 0
		}
		v |= uint64(b[0]&0x7f) << (7 * i)
		if b[0] < 0x80 {
			if v > math.MaxUint32 {
				break
			}
			return uint32(v)
		}
	}
	r.fail("varint overflows 32 bits")
	return 0
}

// length reads the length of a string (short) or of bytes; -1 is null. A compact string is no longer than another one can be, as in Kafka: it will be
// written in the old form, to a log or to an older client, where a longer length would wrap around.
func (r *reader) length(compact, short bool) int {
	var n int64
	switch {
	case compact:
		n = int64(r.uvarint()) - 1
	case short:
		n = int64(r.int16())
	default:
		n = int64(r.int32())
	}
	if r.err != nil {
		return 0
	}
	if n < -1 || n > int64(len(r.src)) {
		r.fail("length %d, %d bytes left", n, len(r.src))
		return 0
	}
	if short && n > math.MaxInt16 {
		r.fail("a string of %d bytes, %d are allowed", n, math.MaxInt16)
		return 0
	}
	return int(n)
}

// arrayLen reads the length of an array each of whose elements is at least minElement bytes long; -1 is null. What it
// returns fits into the bytes that are left and is at most MaxArrayElements.
func (r *reader) arrayLen(compact bool, minElement int) int {
	var n int64
	if compact {
		n = int64(r.uvarint()) - 1
	} else {
		n = int64(r.int32())
	}
	if r.err != nil {
		return 0
	}
	switch {
	case n < -1:
		r.fail("array of %d elements", n)
		return 0
	case n > MaxArrayElements:
		r.fail("array of %d elements, %d are allowed", n, MaxArrayElements)
		return 0
	case n > 0 && n*int64(max(minElement, 1)) > int64(len(r.src)):
		r.fail("array of %d elements, %d bytes left", n, len(r.src))
		return 0
	}
	return int(n)
}

// tags reads tagged fields (KIP-482) and calls fn, if not nil, with each; data is a part of the input and fn tells
// whether it knows the tag. Unknown ones are skipped within the limits.
func (r *reader) tags(fn func(tag uint32, data []byte) (known bool)) {
	n := r.uvarint()
	if r.err != nil || n == 0 {
		return
	}
	if int64(n)*2 > int64(len(r.src)) || n > MaxTaggedFields {
		r.fail("%d tagged fields, %d bytes left, %d fields are allowed", n, len(r.src), MaxTaggedFields)
		return
	}
	if r.tagCount += int(n); r.tagCount > MaxTaggedFields {
		r.fail("%d tagged fields in all, %d are allowed", r.tagCount, MaxTaggedFields)
		return
	}
	for ; n > 0 && r.err == nil; n-- {
		tag, size := r.uvarint(), r.uvarint()
		if r.err == nil && int64(size) > int64(len(r.src)) {
			r.fail("tag of %d bytes, %d left", size, len(r.src))
		}
		data := r.span(int(size))
		if r.err != nil || fn != nil && fn(tag, data) {
			continue
		}
		if size > MaxUnknownTagBytes {
			r.fail("unknown tag %d of %d bytes, %d are allowed", tag, size, MaxUnknownTagBytes)
		}
	}
}

// skipTags skips tagged fields.
func (r *reader) skipTags() { r.tags(nil) }
