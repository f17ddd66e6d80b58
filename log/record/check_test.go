package record_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/millrace/millrace/log/record"
)

func TestSplit(t *testing.T) {
	one, two := slices.Clone(three(t, record.BuilderConfig{})), three(t, record.BuilderConfig{BaseOffset: 3, Codec: record.Zstd})
	both := append(slices.Clone(one), two...)
	first, rest, err := record.Split(both)
	if err != nil || string(first) != string(one) || string(rest) != string(two) {
		t.Fatalf("first %x, rest %x, error %v", first, rest, err)
	}
	if cap(first) != len(first) {
		t.Error("appending to the first batch would overwrite the second")
	}
	if second, rest, err := record.Split(rest); err != nil || len(rest) != 0 || second.BaseOffset() != 3 {
		t.Fatalf("second %x, rest %x, error %v", second, rest, err)
	}
	for n := range len(one) {
		if _, rest, err := record.Split(one[:n]); !errors.Is(err, record.ErrShort) || len(rest) != n {
			t.Fatalf("first %d bytes: rest %d bytes, error %v, want ErrShort", n, len(rest), err)
		}
	}
	for _, length := range []uint32{0, 1, 48, 1 << 31, 1<<32 - 1} {
		b := slices.Clone(one)
		binary.BigEndian.PutUint32(b[8:], length)
		_, _, err := record.Split(b)
		wantKind(t, err, record.Corrupt)
	}
	huge := slices.Clone(one)
	binary.BigEndian.PutUint32(huge[8:], 1<<31-1)
	if _, _, err := record.Split(huge); !errors.Is(err, record.ErrShort) {
		t.Errorf("length 2³¹−1: %v, want ErrShort", err)
	}
}

func TestCheck(t *testing.T) {
	idempotent := record.BuilderConfig{Transactional: true, Producer: &record.Producer{ID: 7}}
	const ok = record.Kind(0)
	tests := []struct {
		name         string
		cfg          record.BuilderConfig
		change       func(b record.Batch) record.Batch // the CRC is made right afterwards
		keepCRC      bool
		want, stored record.Kind
	}{
		{name: "as built", change: same},
		{name: "transactional", cfg: idempotent, change: same},
		{name: "offset and epoch are outside the CRC", keepCRC: true, change: func(b record.Batch) record.Batch {
			b.SetBaseOffset(1 << 40)
			b.SetLeaderEpoch(9)
			return b
		}},
		{name: "cut", keepCRC: true, change: func(b record.Batch) record.Batch { return b[:len(b)-1] }, want: record.Corrupt, stored: record.Corrupt},
		{name: "cut in the header", keepCRC: true, change: func(b record.Batch) record.Batch { return b[:60] }, want: record.Corrupt, stored: record.Corrupt},
		{name: "empty", keepCRC: true, change: func(record.Batch) record.Batch { return nil }, want: record.Corrupt, stored: record.Corrupt},
		{name: "followed by a byte", keepCRC: true, change: func(b record.Batch) record.Batch { return append(b, 0) }, want: record.Corrupt, stored: record.Corrupt},
		{name: "followed by a byte, with its CRC", change: func(b record.Batch) record.Batch { return append(b, 0) }, want: record.Corrupt, stored: record.Corrupt},
		{name: "magic 1", change: put8(16, 1), want: record.Corrupt, stored: record.Corrupt},
		{name: "flipped bit", keepCRC: true, change: put8(70, 0xff), want: record.Corrupt, stored: record.Corrupt},
		{name: "count 0", change: put32(57, 0), want: record.Invalid},
		{name: "count -1", change: put32(57, -1), want: record.Invalid, stored: record.Corrupt},
		{name: "count above the last delta", change: put32(23, 1), want: record.Invalid, stored: record.Corrupt},
		{name: "count below the last delta", change: put32(23, 3), want: record.Invalid},
		{name: "last delta below 0", change: put32(23, -1), want: record.Invalid, stored: record.Corrupt},
		{name: "more records than bytes", change: func(b record.Batch) record.Batch {
			return put32(57, 100)(put32(23, 99)(b))
		}, want: record.Corrupt, stored: record.Corrupt},
		{name: "2³¹−1 records", change: func(b record.Batch) record.Batch {
			return put32(57, 1<<31-1)(put32(23, 1<<31-2)(b))
		}, want: record.Corrupt, stored: record.Corrupt},
		{name: "control", change: put8(22, 0x20), want: record.Invalid},
		{name: "codec 5", change: put8(22, 5), want: record.Invalid, stored: record.Invalid},
		{name: "transactional without a producer", change: put8(22, 0x10), want: record.Invalid},
		{name: "producer id -2", change: put8(50, 0xfe), want: record.Invalid},
		{name: "producer without an epoch", cfg: idempotent, change: put8(51, 0xff), want: record.Invalid},
		{name: "producer without a sequence", cfg: idempotent, change: put32(53, -1), want: record.Invalid},
		{name: "base offset below 0", keepCRC: true, change: put8(0, 0xff), stored: record.Corrupt},
		{name: "base offset at the end of all offsets", keepCRC: true, change: put8(0, 0x7f), stored: ok},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.change(slices.Clone(three(t, tt.cfg)))
			if !tt.keepCRC {
				resum(b)
			}
			checkKind(t, "Check", b.Check(), tt.want)
			checkKind(t, "CheckStored", b.CheckStored(), tt.stored)
		})
	}
}

func same(b record.Batch) record.Batch { return b }

func put8(at int, v byte) func(record.Batch) record.Batch {
	return func(b record.Batch) record.Batch { b[at] = v; return b }
}

func put32(at int, v int32) func(record.Batch) record.Batch {
	return func(b record.Batch) record.Batch {
		binary.BigEndian.PutUint32(b[at:], uint32(v))
		return b
	}
}

func checkKind(t *testing.T, what string, err error, want record.Kind) {
	t.Helper()
	var bad *record.InvalidError
	got := record.Kind(0)
	if errors.As(err, &bad) {
		got = bad.Kind
	} else if err != nil {
		t.Errorf("%s: %v is no InvalidError", what, err)
	}
	if got != want {
		t.Errorf("%s: %v (kind %v), want kind %v", what, err, got, want)
	}
}

func TestSetLogAppendTime(t *testing.T) {
	for _, codec := range codecs {
		b := three(t, record.BuilderConfig{Codec: codec})
		b.SetLogAppendTime(99)
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		if !b.LogAppendTime() || b.MaxTimestamp() != 99 || b.Codec() != codec || b.BaseTimestamp() != 1000 {
			t.Errorf("append time %v, max %d, codec %s, base %d", b.LogAppendTime(), b.MaxTimestamp(), b.Codec(), b.BaseTimestamp())
		}
		rs, err := collect(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if r.Timestamp != 99 {
				t.Errorf("record has timestamp %d, want 99", r.Timestamp)
			}
		}
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	b := three(t, record.BuilderConfig{})
	if n := testing.AllocsPerRun(100, func() {
		first, _, err := record.Split(b)
		if err != nil || first.Check() != nil || first.CheckStored() != nil {
			t.Error("bad batch")
		}
		first.SetBaseOffset(5)
		first.SetLogAppendTime(6)
	}); n != 0 {
		t.Errorf("%v allocations for checks and setters", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, err := range b.Records(0) {
			if err != nil {
				t.Error(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for walking over uncompressed records", n)
	}
	builder := record.NewBuilder(record.BuilderConfig{})
	key, value := []byte("k"), make([]byte, 100)
	for _, codec := range []record.Codec{record.None, record.Snappy} {
		if n := testing.AllocsPerRun(100, func() {
			builder.Reset(record.BuilderConfig{Codec: codec})
			for range 10 {
				builder.Add(1, key, value)
			}
			if _, err := builder.Build(); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for building with %s again", n, codec)
		}
	}
}
