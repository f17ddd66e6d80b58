package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"uuid"
)

func TestWriterAndReader(t *testing.T) {
	id := uuid.UUID{1, 2, 3, 15: 16}
	for _, compact := range []bool{false, true} {
		var w Writer
		w.Bool(true)
		w.Bool(false)
		w.Int8(-8)
		w.Int16(-16)
		w.Int32(math.MinInt32)
		w.Int64(math.MaxInt64)
		w.UUID(id)
		w.Uvarint(math.MaxUint32)
		w.Varint(math.MinInt32)
		w.Varint(math.MaxInt32)
		w.Varint(-1)
		w.String(compact, "text")
		w.NullString(compact)
		w.BytesLen(compact, 3)
		w.Buf = append(w.Buf, "abc"...)
		w.BytesLen(compact, -1)
		w.ArrayLen(compact, 2)
		w.Int32(1)
		w.Int32(2)
		w.ArrayLen(compact, -1)
		w.Uvarint(2)
		w.Tag(0, []byte("known"))
		w.Tag(7, []byte("unknown"))
		w.Tags()
		r := NewReader(w.Buf)
		check := func(ok bool, what string) {
			t.Helper()
			if !ok || r.Err() != nil {
				t.Errorf("compact %t: %s (error %v)", compact, what, r.Err())
			}
		}
		check(r.Bool() && !r.Bool(), "bools")
		check(r.Int8() == -8 && r.Int16() == -16 && r.Int32() == math.MinInt32 && r.Int64() == math.MaxInt64, "ints")
		check(r.UUID() == id, "uuid")
		check(r.Uvarint() == math.MaxUint32, "uvarint")
		check(r.Varint() == math.MinInt32 && r.Varint() == math.MaxInt32 && r.Varint() == -1, "varints")
		check(r.String(compact) == "text", "string")
		_, ok := r.NullableString(compact)
		check(!ok, "null string")
		check(string(r.NullableBytes(compact)) == "abc" && r.NullableBytes(compact) == nil, "bytes")
		check(r.ArrayLen(compact, 4) == 2 && r.Int32() == 1 && r.Int32() == 2 && r.ArrayLen(compact, 4) == -1, "arrays")
		var known string
		r.Tags(func(tag uint32, data []byte) bool {
			if tag == 0 {
				known = string(data)
			}
			return tag == 0
		})
		check(known == "known", "tags")
		r.SkipTags()
		check(r.End() == nil && r.Len() == 0 && r.Pos() == len(w.Buf), "end")
	}
}

func TestReaderRefuses(t *testing.T) {
	i32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, c := range map[string]struct {
		in   []byte
		read func(r *Reader)
		want string
	}{
		"short int64":           {make([]byte, 7), func(r *Reader) { r.Int64() }, "8 bytes wanted, 7 left"},
		"null string":           {[]byte{0xff, 0xff}, func(r *Reader) { r.String(false) }, "null"},
		"null compact string":   {[]byte{0}, func(r *Reader) { r.String(true) }, "null"},
		"null bytes":            {i32(0xffffffff), func(r *Reader) { r.Bytes(false) }, "null"},
		"string of -2":          {[]byte{0xff, 0xfe}, func(r *Reader) { r.NullableString(false) }, "length -2"},
		"string of 2 to the 15": {append([]byte{0x81, 0x80, 0x02}, make([]byte, 1<<15)...), func(r *Reader) { r.String(true) }, "a string of 32768 bytes, 32767 are allowed"},
		"bytes of -2":           {i32(0xfffffffe), func(r *Reader) { r.NullableBytes(false) }, "length -2"},
		"bytes of MaxInt32":     {i32(0x7fffffff), func(r *Reader) { r.Bytes(false) }, "0 bytes left"},
		"compact MaxUint32":     {[]byte{255, 255, 255, 255, 15}, func(r *Reader) { r.Bytes(true) }, "length 4294967294"},
		"varint of 33 bits":     {[]byte{255, 255, 255, 255, 31}, func(r *Reader) { r.Uvarint() }, "overflows"},
		"varint of 6 bytes":     {[]byte{128, 128, 128, 128, 128, 0}, func(r *Reader) { r.Uvarint() }, "overflows"},
		"array one too long":    {append(i32(3), make([]byte, 11)...), func(r *Reader) { r.ArrayLen(false, 4) }, "array of 3 elements, 11 bytes left"},
		"array of -2":           {i32(0xfffffffe), func(r *Reader) { r.ArrayLen(false, 1) }, "array of -2"},
		"array of a million":    {append(i32(MaxArrayElements+1), make([]byte, MaxArrayElements+1)...), func(r *Reader) { r.ArrayLen(false, 1) }, "1000000 are allowed"},
		"tags":                  {[]byte{255, 255, 255, 255, 15}, func(r *Reader) { r.SkipTags() }, "4294967295 tagged fields"},
		"tag beyond the end":    {[]byte{1, 5, 2, 0}, func(r *Reader) { r.SkipTags() }, "tag of 2 bytes, 1 left"},
		"left over":             {[]byte{1}, func(r *Reader) { r.End() }, "1 bytes are left over"},
		"negative span":         {[]byte{1}, func(r *Reader) { r.Span(-1) }, "-1 bytes wanted"},
	} {
		r := NewReader(c.in)
		c.read(&r)
		if err := r.Err(); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if r.Int8() != 0 || r.Span(0) != nil || r.String(true) != "" || r.ArrayLen(false, 1) != 0 {
			t.Errorf("%s: read on after the error", name)
		}
	}
}

func TestReaderTagsAreCountedOverTheRequest(t *testing.T) {
	section := tagged(MaxTaggedFields/2, 0)[1:]
	r := NewReader(bytes.Repeat(section, 3))
	r.SkipTags()
	r.SkipTags()
	if r.Err() != nil {
		t.Errorf("10,000 tags in two sections: %v", r.Err())
	}
	if r.SkipTags(); r.Err() == nil {
		t.Error("15,000 tags in three sections were accepted")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []byte{0, 0, 0, 1, 'a', 0, 0, 0, 0})
	f.Add([]byte{9, 9, 9}, []byte{255, 255, 255, 255, 15, 255, 255, 255, 255, 15})
	f.Add([]byte{8, 7}, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, script, in []byte) {
		r := NewReader(in)
		for _, step := range script {
			compact := step&0x80 != 0
			before := r.Len()
			switch step & 0x7f % 12 {
			case 0:
				r.Int8()
			case 1:
				r.Int16()
			case 2:
				r.Int32()
			case 3:
				r.Int64()
			case 4:
				r.Varint()
			case 5:
				_ = r.String(compact)
			case 6:
				r.NullableString(compact)
			case 7:
				r.Bytes(compact)
			case 8:
				r.NullableBytes(compact)
			case 9:
				if n := r.ArrayLen(compact, 3); n < -1 || n > 0 && 3*n > r.Len() {
					t.Fatalf("array of %d elements in %d bytes", n, r.Len())
				}
			case 10:
				r.SkipTags()
			case 11:
				r.UUID()
			}
			if r.Len() > before || r.Pos()+r.Len() != len(in) {
				t.Fatalf("%d bytes left of %d, %d before", r.Len(), len(in), before)
			}
		}
		r.End()
	})
}
