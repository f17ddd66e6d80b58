package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// HeaderBytes is the size of a batch without its records: the smallest batch there is. See doc.go for the drawing.
const HeaderBytes = 61

// Magic is the version of the format, which each batch names.
const Magic = 2

const (
	baseOffsetAt  = 0
	lengthAt      = 8 // counts from leaderEpochAt on
	leaderEpochAt = 12
	magicAt       = 16
	crcAt         = 17 // covers attributesAt to the end
	attributesAt  = 21
	lastDeltaAt   = 23
	baseTimeAt    = 27
	maxTimeAt     = 35
	producerIDAt  = 43
	epochAt       = 51
	sequenceAt    = 53
	countAt       = 57
)

const (
	codecMask     = 0x07
	appendTimeBit = 0x08
	txnBit        = 0x10
	controlBit    = 0x20
)

const (
	// minRecordBytes is the smallest v2 record: length, attributes, two deltas, two lengths and a count of one byte each.
	minRecordBytes = 7
)

// NoProducer is the producer id of a batch that no idempotent producer wrote.
const NoProducer = -1

// ErrShort means that the bytes end inside a batch.
var ErrShort = errors.New("bytes end inside a batch")

// ErrDecompressedTooLarge means that the records of a batch exceed the limit when decompressed.
var ErrDecompressedTooLarge = errors.New("decompressed records exceed the limit")

// Kind tells which of Kafka's two error codes a bad batch deserves.
type Kind int

const (
	// Corrupt: the bytes are not what their writer meant (CORRUPT_MESSAGE).
	Corrupt Kind = iota + 1
	// Invalid: the bytes arrived whole and break a rule (INVALID_RECORD).
	Invalid
)

func (k Kind) String() string {
	switch k {
	case Corrupt:
		return "corrupt"
	case Invalid:
		return "invalid"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// InvalidError says what is wrong with a batch.
type InvalidError struct {
	Kind   Kind
	Reason string
}

func (e *InvalidError) Error() string { return e.Kind.String() + " batch: " + e.Reason }

func corrupt(format string, args ...any) error {
	return &InvalidError{Kind: Corrupt, Reason: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &InvalidError{Kind: Invalid, Reason: fmt.Sprintf(format, args...)}
}

// Batch is exactly one whole record batch of format v2, as a view: it owns nothing, and is valid as long as its bytes.
//
// The getters read the header and panic on a slice shorter than HeaderBytes: make a Batch with Split, or Check it first.
// What they return is what the writer claims, unless Check or CheckStored has passed.
type Batch []byte

// Size tells how long the batch is that b begins with, by its length field alone: HeaderBytes at least.
// It needs 12 bytes and returns ErrShort with fewer, and an *InvalidError (Corrupt) for a length that no batch has.
func Size(b []byte) (int64, error) {
	if len(b) < leaderEpochAt {
		return 0, ErrShort
	}
	size := leaderEpochAt + int64(int32(binary.BigEndian.Uint32(b[lengthAt:])))
	if size < HeaderBytes {
		return 0, corrupt("length %d is shorter than a header", size-leaderEpochAt)
	}
	return size, nil
}

// Split cuts the first batch off by its length field alone; rest is what follows. Both alias b.
// It returns ErrShort if b ends inside the batch (and if b is empty), and an *InvalidError for a length that no batch has.
func Split(b []byte) (first Batch, rest []byte, err error) {
	size, err := Size(b)
	if err != nil {
		return nil, b, err
	}
	if size > int64(len(b)) {
		return nil, b, ErrShort
	}
	return b[:size:size], b[size:], nil
}

// BaseOffset is the offset of the first record, as it was when the batch was written.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b[baseOffsetAt:])) }

// LastOffset is the offset of the last record. It wraps around if the header is hostile.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset that follows the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() int32 { return int32(binary.BigEndian.Uint32(b[leaderEpochAt:])) }

// Magic is the format: 2.
func (b Batch) Magic() int8 { return int8(b[magicAt]) }

// CRC is the stored CRC32C of everything from the attributes on.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[crcAt:]) }

// Attributes are the flags that Codec, LogAppendTime, Transactional and Control read.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[attributesAt:])) }

// Codec is what the records are compressed with.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// LogAppendTime tells whether MaxTimestamp is the time of every record: the time of the append.
func (b Batch) LogAppendTime() bool { return b.Attributes()&appendTimeBit != 0 }

// Transactional tells whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&txnBit != 0 }

// Control tells whether the batch holds a control record (the end of a transaction) and no data.
func (b Batch) Control() bool { return b.Attributes()&controlBit != 0 }

// LastOffsetDelta is LastOffset minus BaseOffset.
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[lastDeltaAt:])) }

// BaseTimestamp is what the timestamp deltas of the records count from, in ms since 1970.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[baseTimeAt:])) }

// MaxTimestamp is the largest timestamp in the batch as its writer claims, in ms since 1970; -1 if none.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[maxTimeAt:])) }

// ProducerID is the idempotent producer's id, or NoProducer.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[producerIDAt:])) }

// ProducerEpoch is the epoch of the producer; -1 without one.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[epochAt:])) }

// BaseSequence is the producer's sequence number of the first record; -1 without one.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[sequenceAt:])) }

// Count is how many records the batch claims to hold.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[countAt:])) }

// SetBaseOffset moves the batch to an offset. The CRC does not cover it.
func (b Batch) SetBaseOffset(offset int64) {
	binary.BigEndian.PutUint64(b[baseOffsetAt:], uint64(offset))
}

// SetLeaderEpoch says which leader appends the batch. The CRC does not cover it.
func (b Batch) SetLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(epoch))
}

// SetLogAppendTime makes ms (since 1970) the timestamp of every record, and computes the CRC anew.
func (b Batch) SetLogAppendTime(ms int64) {
	b.setAttributes(b.Attributes() | appendTimeBit)
	binary.BigEndian.PutUint64(b[maxTimeAt:], uint64(ms))
	b.sum()
}

func (b Batch) setAttributes(a int16) { binary.BigEndian.PutUint16(b[attributesAt:], uint16(a)) }

// sum writes the CRC.
func (b Batch) sum() { binary.BigEndian.PutUint32(b[crcAt:], checksum(b)) }

// castagnoli is read-only; crc32 returns one table for every call.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b Batch) uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }
