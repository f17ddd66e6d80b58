package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/snappy"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/log/record"
)

func TestRoundTrip(t *testing.T) {
	nullable := func(t *rapid.T, name string) []byte {
		if rapid.Bool().Draw(t, name+" null") {
			return nil
		}
		return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, name)...)
	}
	builder := record.NewBuilder(record.BuilderConfig{})
	rapid.Check(t, func(t *rapid.T) {
		cfg := record.BuilderConfig{Codec: rapid.SampledFrom(codecs).Draw(t, "codec"), BaseOffset: rapid.Int64Range(0, 1<<60).Draw(t, "base")}
		var want []rec
		for i := range rapid.IntRange(1, 20).Draw(t, "records") {
			r := rec{Offset: cfg.BaseOffset + int64(i), Timestamp: rapid.Int64Range(-1, 1<<50).Draw(t, "ms"), Key: nullable(t, "key"), Value: nullable(t, "value")}
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				r.Headers = append(r.Headers, record.Header{Key: []byte(rapid.String().Draw(t, "header")), Value: nullable(t, "header value")})
			}
			want = append(want, r)
		}
		builder.Reset(cfg)
		for _, r := range want {
			builder.Add(r.Timestamp, r.Key, r.Value, r.Headers...)
		}
		b, err := builder.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Check(), b.CheckStored()); err != nil {
			t.Fatal(err)
		}
		got, err := collect(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("records (-want +got):\n%s", diff)
		}
	})
}

func TestRecordsHeldToTheHeader(t *testing.T) {
	whole := bytes.Clone(three(t, record.BuilderConfig{}))
	body := whole[record.HeaderBytes:]
	minimal := []byte{12, 0, 0, 0, 1, 1, 0} // no key, no value, offset delta 0
	at := func(delta byte) []byte { b := bytes.Clone(minimal); b[3] = delta << 1; return b }
	tests := []struct {
		name  string
		count int32
		body  []byte
		bad   string // part of the reason; none: valid
	}{
		{"as built", 3, body, ""},
		{"smallest", 1, minimal, ""},
		{"fewer than counted", 4, body, "record"},
		{"more than counted", 2, body, "follow the last record"},
		{"a byte more", 3, append(bytes.Clone(body), 0), "follow the last record"},
		{"same offset twice", 2, append(at(0), at(0)...), "offset delta"},
		{"falling offsets", 2, append(at(1), at(0)...), "offset delta"},
		{"offset out of range", 2, append(at(0), at(2)...), "offset delta"},
		{"offset delta -1", 1, []byte{12, 0, 0, 1, 1, 1, 0}, "offset delta"},
		{"length -1", 1, []byte{1, 0, 0, 0, 1, 1, 0}, "does not fit"},
		{"length -2", 1, []byte{3, 0, 0, 0, 1, 1, 0}, "does not fit"},
		{"length too short for its fields", 1, []byte{10, 0, 0, 0, 1, 1, 0}, "does not fit"},
		{"length beyond its fields", 1, []byte{14, 0, 0, 0, 1, 1, 0, 0}, "follow the headers"},
		{"key length -2", 1, []byte{12, 0, 0, 0, 3, 1, 0}, "does not fit"},
		{"key length 2³¹−1", 1, []byte{20, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0}, "does not fit"},
		{"header count -1", 1, []byte{12, 0, 0, 0, 1, 1, 1}, "does not fit"},
		{"header count beyond the bytes", 1, []byte{12, 0, 0, 0, 1, 1, 2}, "does not fit"},
		{"header count 2³⁰", 1, []byte{20, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08}, "does not fit"},
		{"header without a key", 1, []byte{16, 0, 0, 0, 1, 1, 2, 1, 1}, "does not fit"},
		{"varint of six bytes", 1, []byte{22, 0, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 0}, "does not fit"},
		{"varint of 33 bits", 1, []byte{20, 0, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x10, 1, 0}, "does not fit"},
		{"varint of five bytes", 1, []byte{20, 0, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x00, 1, 0}, ""},
		{"varint that does not end", 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "does not fit"},
		{"timestamp of eleven bytes", 1, append([]byte{34, 0}, append(bytes.Repeat([]byte{0x80}, 11), 0, 0, 1, 1, 0)...), "does not fit"},
	}
	for _, tt := range tests {
		for _, codec := range codecs {
			t.Run(tt.name+"/"+codec.String(), func(t *testing.T) {
				b := craft(codec, tt.count, squeeze(t, codec, tt.body))
				_, err := collect(b, 0)
				if tt.bad == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantKind(t, err, record.Corrupt)
				if !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("reason is %q, want it to speak of %q", err, tt.bad)
				}
			})
		}
	}
}

func TestTimestampsOutOfRange(t *testing.T) {
	b := bytes.Clone(craft(record.None, 1, []byte{12, 0, 2, 0, 1, 1, 0})) // timestamp delta 1
	binary.BigEndian.PutUint64(b[27:], math.MaxInt64)
	_, err := collect(resum(b), 0)
	wantKind(t, err, record.Corrupt)

	builder := record.NewBuilder(record.BuilderConfig{})
	builder.Add(math.MinInt64, nil, nil)
	builder.Add(math.MaxInt64, nil, nil)
	if _, err := builder.Build(); err == nil {
		t.Error("a timestamp delta of 2⁶⁴−1 was built")
	}
}

func TestBuilderRefuses(t *testing.T) {
	b := record.NewBuilder(record.BuilderConfig{})
	if _, err := b.Build(); !errors.Is(err, record.ErrEmpty) {
		t.Errorf("error is %v, want ErrEmpty", err)
	}
	b.Reset(record.BuilderConfig{Codec: 7})
	b.Add(1, nil, nil)
	if _, err := b.Build(); err == nil {
		t.Error("codec 7 was built")
	}
	b.Reset(record.BuilderConfig{})
	b.Add(1, nil, make([]byte, record.MaxBuildBytes))
	if _, err := b.Build(); err == nil {
		t.Error("a batch above MaxBuildBytes was built")
	}
	b.Reset(record.BuilderConfig{})
	b.Add(1, nil, nil)
	if batch, err := b.Build(); err != nil || batch.Check() != nil {
		t.Errorf("after errors and Reset: %v, %v", err, batch.Check())
	}
}

func TestCheckKeys(t *testing.T) {
	for _, codec := range codecs {
		if err := three(t, record.BuilderConfig{Codec: codec}).CheckKeys(0); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
		if err := build(t, record.BuilderConfig{Codec: codec}, rec{Key: []byte{}}).CheckKeys(0); err != nil {
			t.Errorf("%s: an empty key is a key: %v", codec, err)
		}
		b := build(t, record.BuilderConfig{Codec: codec}, rec{Key: []byte{}}, rec{Value: []byte("v")})
		wantKind(t, b.CheckKeys(0), record.Invalid)
		if err := b.CheckRecords(0); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
	}
}

func TestTimes(t *testing.T) {
	b := three(t, record.BuilderConfig{BaseOffset: 10, Codec: record.LZ4}) // 1000, 1500, 1200
	for _, tt := range []struct {
		ms   int64
		want record.Time
	}{{-5, record.Time{Offset: 10, Timestamp: 1000}}, {1000, record.Time{Offset: 10, Timestamp: 1000}},
		{1001, record.Time{Offset: 11, Timestamp: 1500}}, {1500, record.Time{Offset: 11, Timestamp: 1500}}, {1501, record.Time{}}} {
		got, found, err := b.FirstAtOrAfter(tt.ms, 0)
		if err != nil || got != tt.want || found != (tt.want != record.Time{}) {
			t.Errorf("first at or after %d: %v %v %v, want %v", tt.ms, got, found, err, tt.want)
		}
	}
	if got, found, err := b.LatestRecord(0); err != nil || !found || got != (record.Time{Offset: 11, Timestamp: 1500}) {
		t.Errorf("latest: %v %v %v", got, found, err)
	}
	b.SetLogAppendTime(2000)
	if got, found, err := b.FirstAtOrAfter(1501, 0); err != nil || !found || got != (record.Time{Offset: 10, Timestamp: 2000}) {
		t.Errorf("with append time: %v %v %v", got, found, err)
	}
	if got, found, err := b.FirstAtOrAfter(2001, 0); err != nil || found {
		t.Errorf("with append time, too late: %v %v %v", got, found, err)
	}
	// Compaction took the first record of this one.
	gap := craft(record.None, 1, []byte{12, 0, 0, 4, 1, 1, 0})
	binary.BigEndian.PutUint32(gap[23:], 2)
	gap.SetLogAppendTime(50)
	if got, found, err := gap.FirstAtOrAfter(50, 0); err != nil || !found || got != (record.Time{Offset: 2, Timestamp: 50}) {
		t.Errorf("compacted: %v %v %v, want offset 2", got, found, err)
	}
}

// squeeze compresses anything with one of the codecs.
func squeeze(t testing.TB, codec record.Codec, body []byte) []byte {
	t.Helper()
	out, err := record.Compress(codec, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDecompressionLimit(t *testing.T) {
	const size = 8 << 20
	big := build(t, record.BuilderConfig{}, rec{Value: make([]byte, size)})
	body := bytes.Clone(big[record.HeaderBytes:])
	for _, codec := range codecs[1:] {
		t.Run(codec.String(), func(t *testing.T) {
			b := craft(codec, 1, squeeze(t, codec, body))
			if _, err := collect(b, len(body)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			for _, limit := range []int{1, 1000, len(body) - 1} {
				if _, err := collect(b, limit); !errors.Is(err, record.ErrDecompressedTooLarge) {
					t.Errorf("limit %d of %d: %v, want ErrDecompressedTooLarge", limit, len(body), err)
				}
			}
			if _, err := collect(b, 0); err != nil {
				t.Errorf("after a refusal: %v", err)
			}
		})
	}
}

// A few bytes that claim to be much must not make us allocate much.
func TestClaimsAllocateLittle(t *testing.T) {
	claim := binary.AppendUvarint(nil, 60<<20)
	xerial := append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0, 0, 0, 10)
	tests := map[string]record.Batch{
		"snappy":         craft(record.Snappy, 1, append(claim, make([]byte, 20)...)),
		"snappy 4 GiB":   craft(record.Snappy, 1, append(binary.AppendUvarint(nil, 1<<32-1), make([]byte, 20)...)),
		"xerial block":   craft(record.Snappy, 1, append(xerial, append(claim, make([]byte, 10-len(claim))...)...)),
		"xerial chunk":   craft(record.Snappy, 1, append(xerial[:16:16], 0xff, 0xff, 0xff, 0xff, 1)),
		"zstd window":    craft(record.Zstd, 1, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 1, 0, 0}), // 1 GiB
		"zstd content":   craft(record.Zstd, 1, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0}),
		"count":          craft(record.Gzip, math.MaxInt32, squeeze(t, record.Gzip, make([]byte, 100))),
		"no compression": craft(record.Zstd, 1, []byte("plainly not compressed")),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := collect(b, 0)
			runtime.ReadMemStats(&after)
			var bad *record.InvalidError
			if !errors.As(err, &bad) && !errors.Is(err, record.ErrDecompressedTooLarge) {
				t.Errorf("error is %v", err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("%d bytes allocated for %d", got, len(b))
			}
		})
	}
}

func TestXerialFraming(t *testing.T) {
	body := bytes.Clone(three(t, record.BuilderConfig{})[record.HeaderBytes:])
	framed := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for _, part := range [][]byte{body[:5], body[5:]} {
		block := snappy.Encode(nil, part)
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
	}
	got, err := collect(craft(record.Snappy, 3, framed), 0)
	if err != nil {
		t.Fatal(err)
	}
	want, err := collect(craft(record.None, 3, body), 0)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("records (-want +got):\n%s%v", diff, err)
	}
	for n := 16; n < len(framed); n++ {
		if _, err := collect(craft(record.Snappy, 3, framed[:n]), 0); err == nil {
			t.Errorf("cut to %d of %d bytes, and no error", n, len(framed))
		}
	}
	if _, err := collect(craft(record.Snappy, 3, framed), len(body)-1); !errors.Is(err, record.ErrDecompressedTooLarge) {
		t.Errorf("second chunk above the limit: %v", err)
	}
}

// Many readers at once, each walking within a walk: nobody waits for a turn that another holds while it walks.
func TestWalksNestAndRunAtOnce(t *testing.T) {
	outer, inner := three(t, record.BuilderConfig{Codec: record.Zstd}), three(t, record.BuilderConfig{Codec: record.LZ4})
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			seen := 0
			for range 20 {
				for _, err := range outer.Records(0) {
					if err != nil {
						t.Error(err)
					}
					for r, err := range inner.Records(0) {
						if err != nil || len(r.Key) != 1 {
							t.Errorf("key %q, error %v", r.Key, err)
						}
						seen++
					}
				}
			}
			if seen != 20*3*3 {
				t.Errorf("%d records seen", seen)
			}
		})
	}
	wg.Wait()
}
