package record_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/millrace/millrace/log/record"
)

var codecs = []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}

// rec is a record with its headers decoded, for comparing.
type rec struct {
	Offset, Timestamp int64
	Key, Value        []byte
	Headers           []record.Header
}

func collect(b record.Batch, limit int) ([]rec, error) {
	var all []rec
	for r, err := range b.Records(limit) {
		if err != nil {
			return all, err
		}
		x := rec{Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value}
		for h := range r.Headers.All() {
			x.Headers = append(x.Headers, h)
		}
		if len(x.Headers) != r.Headers.Len() {
			return all, errors.New("Headers.Len does not match Headers.All")
		}
		all = append(all, x)
	}
	return all, nil
}

func build(t testing.TB, cfg record.BuilderConfig, rs ...rec) record.Batch {
	t.Helper()
	b := record.NewBuilder(cfg)
	for _, r := range rs {
		b.Add(r.Timestamp, r.Key, r.Value, r.Headers...)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func three(t testing.TB, cfg record.BuilderConfig) record.Batch {
	return build(t, cfg, rec{Timestamp: 1000, Key: []byte("a"), Value: []byte("1")},
		rec{Timestamp: 1500, Key: []byte("b"), Value: []byte("2")}, rec{Timestamp: 1200, Key: []byte("c")})
}

// craft is a batch with any payload under a header that is right.
func craft(codec record.Codec, count int32, payload []byte) record.Batch {
	b := make(record.Batch, record.HeaderBytes, record.HeaderBytes+len(payload))
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	binary.BigEndian.PutUint16(b[21:], uint16(codec))
	binary.BigEndian.PutUint32(b[23:], uint32(count-1))
	binary.BigEndian.PutUint64(b[43:], ^uint64(0))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	return resum(b)
}

func resum(b record.Batch) record.Batch {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func wantKind(t *testing.T, err error, kind record.Kind) {
	t.Helper()
	var bad *record.InvalidError
	if !errors.As(err, &bad) || bad.Kind != kind {
		t.Fatalf("error is %v, want a batch that is %s", err, kind)
	}
}
