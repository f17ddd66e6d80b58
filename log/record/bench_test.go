package record_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/log/record"
)

func filled(b *testing.B, codec record.Codec, size, value int) record.Batch {
	builder := record.NewBuilder(record.BuilderConfig{Codec: codec})
	v := make([]byte, value)
	for i := range v {
		v[i] = "the quick brown fox jumps over the lazy dog"[i*7%43]
	}
	for builder.Size() < size {
		builder.Add(1700000000000, []byte("some key"), v)
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{200, 16 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			batch := filled(b, record.None, size, 100)
			b.SetBytes(int64(len(batch)))
			for b.Loop() {
				if err := batch.Check(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch := filled(b, codec, 128<<10, 100)
			b.ReportAllocs()
			b.SetBytes(128 << 10)
			for b.Loop() {
				if err := batch.CheckRecords(0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuilder(b *testing.B) {
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			builder := record.NewBuilder(record.BuilderConfig{})
			key, value := []byte("some key"), make([]byte, 100)
			b.ReportAllocs()
			b.SetBytes(1000 * 120)
			for b.Loop() {
				builder.Reset(record.BuilderConfig{Codec: codec})
				for range 1000 {
					builder.Add(1700000000000, key, value)
				}
				if _, err := builder.Build(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
