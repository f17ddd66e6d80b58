package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxBuildBytes is the largest batch that a Builder makes, before compression.
const MaxBuildBytes = 256 << 20

// ErrEmpty is what Build returns when no record was added.
var ErrEmpty = errors.New("cannot build a batch: no record was added")

// Producer is who writes a batch, if it is to be idempotent.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32 // of the first record
}

// BuilderConfig is what a batch says of all its records. The zero value is a plain uncompressed batch.
type BuilderConfig struct {
	Codec         Codec
	Producer      *Producer // nil: none
	Transactional bool      // needs a Producer
	Control       bool
	LeaderEpoch   int32
	BaseOffset    int64
}

// Builder builds batches one after another, and reuses its memory. It is for one goroutine.
type Builder struct {
	cfg        BuilderConfig
	buf        []byte // header, then records uncompressed
	out        []byte // header, then records compressed
	count      int
	first, max int64 // ms since 1970
	err        error
	compressor compressor
}

// NewBuilder returns an empty builder.
func NewBuilder(cfg BuilderConfig) *Builder {
	b := &Builder{}
	b.Reset(cfg)
	return b
}

// Reset drops the records and starts a new batch. Batches built so far lose their bytes.
func (b *Builder) Reset(cfg BuilderConfig) {
	var blank [HeaderBytes]byte
	b.cfg, b.count, b.err = cfg, 0, nil
	b.buf = append(b.buf[:0], blank[:]...)
}

// Count is the number of records added.
func (b *Builder) Count() int { return b.count }

// Size is the size of the batch so far in bytes, uncompressed.
func (b *Builder) Size() int { return len(b.buf) }

// Add appends a record with a timestamp in ms since 1970. A nil key is no key, a nil value a tombstone. Nothing is kept
// of the arguments. What cannot be added (a batch of more than MaxBuildBytes, deltas out of range) fails Build.
func (b *Builder) Add(ms int64, key, value []byte, headers ...Header) {
	if b.err != nil {
		return
	}
	if b.count == 0 {
		b.first, b.max = ms, ms
	}
	b.max = max(b.max, ms)
	delta := ms - b.first
	if (ms < b.first) != (delta < 0) {
		b.err = fmt.Errorf("cannot build a batch: timestamps %d and %d are too far apart", b.first, ms)
		return
	}
	size := 1 + varintSize(delta) + varintSize(int64(b.count)) + bytesSize(key) + bytesSize(value) + varintSize(int64(len(headers)))
	for _, h := range headers {
		size += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	if size > MaxBuildBytes-len(b.buf)-maxVarint32Bytes || b.count == math.MaxInt32 {
		b.err = fmt.Errorf("cannot build a batch: a record of %d bytes makes it larger than %d", size, MaxBuildBytes)
		return
	}
	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0)
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(b.count))
	buf = appendBytes(buf, key)
	buf = appendBytes(buf, value)
	buf = binary.AppendVarint(buf, int64(len(headers)))
	for _, h := range headers {
		buf = binary.AppendVarint(buf, int64(len(h.Key)))
		buf = append(buf, h.Key...)
		buf = appendBytes(buf, h.Value)
	}
	b.buf = buf
	b.count++
}

// Build finishes the batch. It is valid till the next Reset, Add or Build; the caller may set its header meanwhile.
// The error is ErrEmpty, or that of the first Add that failed.
func (b *Builder) Build() (Batch, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.count == 0 {
		return nil, ErrEmpty
	}
	batch := Batch(b.buf)
	if b.cfg.Codec != None {
		var err error
		b.out = append(b.out[:0], b.buf[:HeaderBytes]...)
		if b.out, err = b.compressor.append(b.cfg.Codec, b.out, b.buf[HeaderBytes:]); err != nil {
			return nil, fmt.Errorf("cannot build a batch: %w", err)
		}
		batch = b.out
	}
	b.header(batch)
	return batch, nil
}

func (b *Builder) header(batch Batch) {
	p := Producer{ID: NoProducer, Epoch: -1, Sequence: -1}
	if b.cfg.Producer != nil {
		p = *b.cfg.Producer
	}
	attributes := int16(b.cfg.Codec)
	if b.cfg.Transactional {
		attributes |= txnBit
	}
	if b.cfg.Control {
		attributes |= controlBit
	}
	batch.SetBaseOffset(b.cfg.BaseOffset)
	binary.BigEndian.PutUint32(batch[lengthAt:], uint32(len(batch)-leaderEpochAt))
	batch.SetLeaderEpoch(b.cfg.LeaderEpoch)
	batch[magicAt] = Magic
	batch.setAttributes(attributes)
	binary.BigEndian.PutUint32(batch[lastDeltaAt:], uint32(b.count-1))
	binary.BigEndian.PutUint64(batch[baseTimeAt:], uint64(b.first))
	binary.BigEndian.PutUint64(batch[maxTimeAt:], uint64(b.max))
	binary.BigEndian.PutUint64(batch[producerIDAt:], uint64(p.ID))
	binary.BigEndian.PutUint16(batch[epochAt:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(batch[sequenceAt:], uint32(p.Sequence))
	binary.BigEndian.PutUint32(batch[countAt:], uint32(b.count))
	batch.sum()
}

func appendBytes(buf, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(buf, -1)
	}
	return append(binary.AppendVarint(buf, int64(len(v))), v...)
}

func bytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

// varintSize is how many bytes a number takes, zigzag first.
func varintSize(v int64) int {
	n := 1
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
