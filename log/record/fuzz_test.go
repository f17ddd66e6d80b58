package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/millrace/millrace/log/record"
)

const fuzzLimit = 1 << 20

// FuzzSplit cuts any bytes into batches, and holds each that passes a check to what the check promises.
func FuzzSplit(f *testing.F) {
	for _, codec := range codecs {
		one := bytes.Clone(three(f, record.BuilderConfig{Codec: codec, Producer: &record.Producer{ID: 3}}))
		f.Add(one)
		f.Add(append(one, one...))
		f.Add(one[:len(one)-3])
	}
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		for rest := data; len(rest) > 0; {
			b, tail, err := record.Split(rest)
			if err != nil {
				knownError(t, err)
				break
			}
			if len(b)+len(tail) != len(rest) || len(b) < record.HeaderBytes {
				t.Fatalf("%d bytes cut into %d and %d", len(rest), len(b), len(tail))
			}
			total += len(b)
			check(t, b)
			check(t, resum(bytes.Clone(b)))
			rest = tail
		}
		if total > len(data) {
			t.Fatalf("batches of %d bytes in %d", total, len(data))
		}
	})
}

func check(t *testing.T, b record.Batch) {
	if err := b.CheckStored(); err != nil {
		knownError(t, err)
	} else if b.NextOffset() <= b.BaseOffset() {
		t.Fatalf("offsets from %d to %d", b.BaseOffset(), b.LastOffset())
	}
	if err := b.Check(); err != nil {
		knownError(t, err)
		return
	}
	if b.Count() < 1 || b.Codec() == record.None && len(b) < record.HeaderBytes+7*int(b.Count()) {
		t.Fatalf("%d records in %d bytes", b.Count(), len(b))
	}
	walk(t, b)
}

// walk goes over the records and finds as many as the header counts, or an error.
func walk(t *testing.T, b record.Batch) {
	n := int32(0)
	for r, err := range b.Records(fuzzLimit) {
		if err != nil {
			knownError(t, err)
			return
		}
		headers := 0
		for h := range r.Headers.All() {
			headers++
			if h.Key == nil {
				t.Fatal("header without a key")
			}
		}
		if headers != r.Headers.Len() || r.Offset < b.BaseOffset() || r.Offset > b.LastOffset() && b.BaseOffset() >= 0 && b.LastOffset() >= 0 {
			t.Fatalf("record at %d of %d to %d, %d headers of %d", r.Offset, b.BaseOffset(), b.LastOffset(), headers, r.Headers.Len())
		}
		n++
	}
	if n != b.Count() {
		t.Fatalf("%d records, the header counts %d", n, b.Count())
	}
}

func knownError(t *testing.T, err error) {
	var bad *record.InvalidError
	if !errors.As(err, &bad) && !errors.Is(err, record.ErrShort) && !errors.Is(err, record.ErrDecompressedTooLarge) {
		t.Fatalf("error of no known kind: %v", err)
	}
}

// FuzzRecords puts any payload under a header that is right.
func FuzzRecords(f *testing.F) {
	for _, codec := range codecs {
		f.Add(byte(codec), int32(3), []byte(three(f, record.BuilderConfig{Codec: codec})[record.HeaderBytes:]))
		f.Add(byte(codec), int32(1), squeeze(f, codec, []byte{12, 0, 0, 0, 1, 1, 0}))
	}
	f.Fuzz(func(t *testing.T, codec byte, count int32, payload []byte) {
		b := craft(record.Codec(codec%8), count, payload)
		if err := b.CheckStored(); err != nil {
			knownError(t, err)
			return
		}
		walk(t, b)
	})
}

// FuzzDecompress feeds the decompressors anything, and what Compress made of anything.
func FuzzDecompress(f *testing.F) {
	for _, codec := range codecs[1:] {
		f.Add(byte(codec), squeeze(f, codec, []byte("some bytes, some bytes, some bytes")))
		f.Add(byte(codec), squeeze(f, codec, make([]byte, 1<<17)))
	}
	f.Add(byte(record.Snappy), []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00"))
	f.Add(byte(record.Snappy), binary.AppendUvarint(nil, 1<<31))
	f.Fuzz(func(t *testing.T, codec byte, data []byte) {
		c := record.Codec(codec%4 + 1)
		out, err := record.Decompress(c, data, fuzzLimit)
		if err != nil {
			knownError(t, err)
		}
		if len(out) > fuzzLimit {
			t.Fatalf("%d bytes, the limit is %d", len(out), fuzzLimit)
		}
		if len(data) > fuzzLimit {
			return
		}
		back, err := record.Decompress(c, squeeze(t, c, data), fuzzLimit)
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%s: %d bytes came back as %d: %v", c, len(data), len(back), err)
		}
	})
}
