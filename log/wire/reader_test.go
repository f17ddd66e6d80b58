package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		read func(r *reader) any
		want any
	}{
		"int16":            {"\xff\xf0", func(r *reader) any { return r.int16() }, int16(-16)},
		"int32":            {"\x80\x00\x00\x00", func(r *reader) any { return r.int32() }, int32(math.MinInt32)},
		"uvarint":          {"\xff\xff\xff\xff\x0f", func(r *reader) any { return r.uvarint() }, uint32(math.MaxUint32)},
		"string":           {"\x00\x04text", func(r *reader) any { return string(r.span(r.length(false, true))) }, "text"},
		"compact string":   {"\x05text", func(r *reader) any { return string(r.span(r.length(true, true))) }, "text"},
		"null string":      {"\xff\xff", func(r *reader) any { return r.length(false, true) }, -1},
		"null compact":     {"\x00", func(r *reader) any { return r.length(true, true) }, -1},
		"bytes":            {"\x00\x00\x00\x03abc", func(r *reader) any { return string(r.span(r.length(false, false))) }, "abc"},
		"null bytes":       {"\xff\xff\xff\xff", func(r *reader) any { return r.length(false, false) }, -1},
		"array":            {"\x00\x00\x00\x02abcd", func(r *reader) any { n := r.arrayLen(false, 2); r.span(4); return n }, 2},
		"compact array":    {"\x03abcd", func(r *reader) any { n := r.arrayLen(true, 2); r.span(4); return n }, 2},
		"null array":       {"\xff\xff\xff\xff", func(r *reader) any { return r.arrayLen(false, 4) }, -1},
		"null compact one": {"\x00", func(r *reader) any { return r.arrayLen(true, 4) }, -1},
		"tags": {"\x02\x00\x05known\x07\x07unknown", func(r *reader) any {
			var known string
			r.tags(func(tag uint32, data []byte) bool {
				if tag == 0 {
					known = string(data)
				}
				return tag == 0
			})
			return known
		}, "known"},
		"tags that nobody wants": {"\x01\x00\x01x", func(r *reader) any { r.skipTags(); return r.pos() }, 4},
	} {
		r := newReader([]byte(c.in))
		if got := c.read(&r); got != c.want || r.end() != nil || r.pos() != len(c.in) {
			t.Errorf("%s: %v at byte %d (error %v), want %v", name, got, r.pos(), r.err, c.want)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	i32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, c := range map[string]struct {
		in   []byte
		read func(r *reader)
		want string
	}{
		"short int32":           {make([]byte, 3), func(r *reader) { r.int32() }, "4 bytes wanted, 3 left"},
		"string of -2":          {[]byte{0xff, 0xfe}, func(r *reader) { r.length(false, true) }, "length -2"},
		"string of 2 to the 15": {append([]byte{0x81, 0x80, 0x02}, make([]byte, 1<<15)...), func(r *reader) { r.length(true, true) }, "a string of 32768 bytes, 32767 are allowed"},
		"bytes of -2":           {i32(0xfffffffe), func(r *reader) { r.length(false, false) }, "length -2"},
		"bytes of MaxInt32":     {i32(0x7fffffff), func(r *reader) { r.length(false, false) }, "0 bytes left"},
		"compact MaxUint32":     {[]byte{255, 255, 255, 255, 15}, func(r *reader) { r.length(true, false) }, "length 4294967294"},
		"varint of 33 bits":     {[]byte{255, 255, 255, 255, 31}, func(r *reader) { r.uvarint() }, "overflows"},
		"varint of 6 bytes":     {[]byte{128, 128, 128, 128, 128, 0}, func(r *reader) { r.uvarint() }, "overflows"},
		"array one too long":    {append(i32(3), make([]byte, 11)...), func(r *reader) { r.arrayLen(false, 4) }, "array of 3 elements, 11 bytes left"},
		"array of -2":           {i32(0xfffffffe), func(r *reader) { r.arrayLen(false, 1) }, "array of -2"},
		"array of a million":    {append(i32(MaxArrayElements+1), make([]byte, MaxArrayElements+1)...), func(r *reader) { r.arrayLen(false, 1) }, "1000000 are allowed"},
		"tags":                  {[]byte{255, 255, 255, 255, 15}, func(r *reader) { r.skipTags() }, "4294967295 tagged fields"},
		"tag beyond the end":    {[]byte{1, 5, 2, 0}, func(r *reader) { r.skipTags() }, "tag of 2 bytes, 1 left"},
		"left over":             {[]byte{1}, func(r *reader) { r.end() }, "1 bytes are left over"},
		"negative span":         {[]byte{1}, func(r *reader) { r.span(-1) }, "-1 bytes wanted"},
	} {
		r := newReader(c.in)
		c.read(&r)
		if err := r.err; !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if r.int16() != 0 || r.span(0) != nil || r.length(true, true) != 0 || r.arrayLen(false, 1) != 0 {
			t.Errorf("%s: read on after the error", name)
		}
	}
}

func TestReaderTagsAreCountedOverTheRequest(t *testing.T) {
	section := tagged(MaxTaggedFields/2, 0)[1:]
	r := newReader(bytes.Repeat(section, 3))
	r.skipTags()
	r.skipTags()
	if r.err != nil {
		t.Errorf("10,000 tags in two sections: %v", r.err)
	}
	if r.skipTags(); r.err == nil {
		t.Error("15,000 tags in three sections were accepted")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []byte{0, 0, 0, 1, 'a', 0, 0, 0, 0})
	f.Add([]byte{9, 9, 9}, []byte{255, 255, 255, 255, 15, 255, 255, 255, 255, 15})
	f.Add([]byte{8, 7}, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, script, in []byte) {
		r := newReader(in)
		for _, step := range script {
			compact := step&0x80 != 0
			before := r.pos()
			switch step & 0x7f % 7 {
			case 0:
				r.int16()
			case 1:
				r.int32()
			case 2:
				r.uvarint()
			case 3, 4:
				if n := r.length(compact, step&0x7f%7 == 3); n > len(in)-r.pos() {
					t.Fatalf("a length of %d in %d bytes", n, len(in)-r.pos())
				} else if n > 0 {
					r.span(n)
				}
			case 5:
				if n := r.arrayLen(compact, 3); n < -1 || n > 0 && 3*n > len(in)-r.pos() {
					t.Fatalf("array of %d elements in %d bytes", n, len(in)-r.pos())
				}
			case 6:
				r.skipTags()
			}
			if r.pos() < before || r.pos() > len(in) {
				t.Fatalf("at byte %d of %d, %d before", r.pos(), len(in), before)
			}
		}
		r.end()
	})
}
