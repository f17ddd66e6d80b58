package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// DefaultMaxDecompressedBytes is how large the records of one batch may get unless a topic says otherwise.
	DefaultMaxDecompressedBytes = 64 << 20
	// MaxZstdWindowBytes is the largest window that a zstd frame may ask for.
	MaxZstdWindowBytes = 32 << 20
	// firstGuess is what decompression starts with per compressed byte; the buffer grows from there.
	firstGuess = 4
)

// Codec is how the records of a batch are compressed; the values are Kafka's.
type Codec int8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

func (c Codec) known() bool { return c >= None && c <= Zstd }

func (c Codec) String() string {
	names := [...]string{"none", "gzip", "snappy", "lz4", "zstd"}
	if !c.known() {
		return fmt.Sprintf("Codec(%d)", int8(c))
	}
	return names[c]
}

// maxDecoders bounds what idle decompressors hold: with MaxZstdWindowBytes each, 256 MiB.
const maxDecoders = 8

// decoders bounds decompression for the whole process, and keeps what is dear to make: one set per core, each in use by
// one batch. Whoever comes later waits. It is the one thing here that is shared, because cores are.
var decoders = newDecoders(min(runtime.GOMAXPROCS(0), maxDecoders))

func newDecoders(n int) chan *decoder {
	c := make(chan *decoder, n)
	for range n {
		c <- &decoder{}
	}
	return c
}

// decoder holds one of each streaming decompressor, made when first needed.
type decoder struct {
	source bytes.Reader
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
}

// decompress returns a buffer of its own, of limit bytes at most. It waits for its turn, and its turn is over when it
// returns: whoever walks over the records holds nothing back.
func decompress(c Codec, raw []byte, limit int) (out []byte, err error) {
	d := <-decoders
	clean := false
	defer func() {
		if !clean { // an error or a panic may have left anything behind
			d = &decoder{}
		}
		decoders <- d
	}()
	out, err = d.decompress(c, raw, limit)
	if err == nil {
		d.source.Reset(nil)
		clean = true
		return out, nil
	}
	if errors.Is(err, ErrDecompressedTooLarge) {
		return nil, fmt.Errorf("cannot decompress %s into %d bytes: %w", c, limit, ErrDecompressedTooLarge)
	}
	return nil, corrupt("cannot decompress %s: %s", c, err)
}

func (d *decoder) decompress(c Codec, raw []byte, limit int) ([]byte, error) {
	if c == Snappy {
		return unsnappy(raw, limit)
	}
	d.source.Reset(raw)
	r, err := d.stream(c, raw)
	if err != nil {
		return nil, err
	}
	return readAll(r, len(raw), limit)
}

func (d *decoder) stream(c Codec, raw []byte) (r io.Reader, err error) {
	switch c {
	case Gzip:
		if d.gzip == nil {
			d.gzip = new(gzip.Reader)
		}
		return d.gzip, d.gzip.Reset(&d.source)
	case LZ4:
		if err := checkLZ4(raw); err != nil {
			return nil, err
		}
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(&d.source)
			return d.lz4, d.lz4.Apply(lz4.ConcurrencyOption(1))
		}
		d.lz4.Reset(&d.source)
		return d.lz4, nil
	case Zstd:
		if d.zstd == nil {
			d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(MaxZstdWindowBytes), zstd.WithDecoderMaxMemory(MaxZstdWindowBytes))
			if err != nil {
				return nil, err
			}
		}
		return d.zstd, d.zstd.Reset(&d.source)
	}
	return nil, fmt.Errorf("codec %d is unknown", c)
}

// readAll reads to the end, but no more than limit bytes.
func readAll(r io.Reader, compressed, limit int) ([]byte, error) {
	out := make([]byte, 0, min(compressed*firstGuess+minRecordBytes, limit+1))
	for {
		n, err := r.Read(out[len(out):min(cap(out), limit+1)])
		out = out[:len(out)+n]
		switch {
		case len(out) > limit:
			return nil, ErrDecompressedTooLarge
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		case len(out) == cap(out):
			out = slices.Grow(out, min(len(out), limit+1-len(out)))
		}
	}
}

const lz4Magic = 0x184d2204

// checkLZ4 lets frames of the current format through only; block sizes are then 4 MiB at most.
func checkLZ4(raw []byte) error {
	if len(raw) < 4 || binary.LittleEndian.Uint32(raw) != lz4Magic {
		return errors.New("no frame begins here")
	}
	return nil
}

// xerialMagic begins the framing that the Java snappy library writes: the magic, two versions of 4 bytes, then chunks
// of a 4-byte length and a raw snappy block each. Bare blocks are as common.
const xerialMagic = "\x82SNAPPY\x00"

const xerialHeaderBytes = len(xerialMagic) + 8

func unsnappy(raw []byte, limit int) ([]byte, error) {
	if len(raw) < xerialHeaderBytes || string(raw[:len(xerialMagic)]) != xerialMagic {
		return snappyBlock(nil, raw, limit)
	}
	var out []byte
	for rest := raw[xerialHeaderBytes:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, errors.New("chunk length is cut off")
		}
		size := int64(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if size > int64(len(rest)) {
			return nil, fmt.Errorf("chunk of %d bytes, %d are left", size, len(rest))
		}
		var err error
		if out, err = snappyBlock(out, rest[:size], limit); err != nil {
			return nil, err
		}
		rest = rest[size:]
	}
	return out, nil
}

// maxSnappyRatio bounds what a block may claim: a copy of 64 bytes takes 3 bytes at best, and 32 is far above that.
const maxSnappyRatio = 32

// snappyBlock appends one decompressed block. The length that it claims is checked before anything is allocated.
func snappyBlock(out, block []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > limit-len(out) {
		return nil, ErrDecompressedTooLarge
	}
	if n > len(block)*maxSnappyRatio {
		return nil, fmt.Errorf("block of %d bytes claims to be %d", len(block), n)
	}
	out = slices.Grow(out, n)
	got, err := snappy.DecodeStrict(out[len(out):len(out)+n], block)
	if err != nil {
		return nil, err
	}
	return out[:len(out)+len(got)], nil
}
