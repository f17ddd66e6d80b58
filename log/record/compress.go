package record

import (
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// compressor holds one of each compressor, made when first needed.
type compressor struct {
	sink sliceWriter
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// append compresses raw to the end of dst.
func (c *compressor) append(codec Codec, dst, raw []byte) ([]byte, error) {
	c.sink.b = dst
	switch codec {
	case Gzip:
		if c.gzip == nil {
			c.gzip = gzip.NewWriter(nil)
		}
		c.gzip.Reset(&c.sink)
		return finish(c.gzip, &c.sink, raw)
	case Snappy:
		dst = slices.Grow(dst, snappy.MaxEncodedLen(len(raw)))
		return dst[:len(dst)+len(snappy.Encode(dst[len(dst):cap(dst)], raw))], nil
	case LZ4:
		if c.lz4 == nil {
			c.lz4 = lz4.NewWriter(nil)
			// Blocks of 64 KiB, as Kafka's: each is decompressed with so much memory.
			if err := c.lz4.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
				return nil, err
			}
		}
		c.lz4.Reset(&c.sink)
		return finish(c.lz4, &c.sink, raw)
	case Zstd:
		if c.zstd == nil {
			var err error
			if c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
				return nil, err
			}
		}
		return c.zstd.EncodeAll(raw, dst), nil
	}
	return nil, fmt.Errorf("codec %d is unknown", codec)
}

func finish(w io.WriteCloser, sink *sliceWriter, raw []byte) ([]byte, error) {
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sink.b, nil
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
