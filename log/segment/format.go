package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/log/record"
)

// The offset index. All numbers are big-endian.
//
//	 0               4               8
//	+---------------+---------------+
//	| offset        | position      |   one entry, repeated
//	+---------------+---------------+
//
// offset is relative to the segment's base: the last offset of a batch. position is where that batch begins in the log file. Both rise strictly.
const indexEntryBytes = 8

// IndexEntry says that the batch at Position ends with the record Base+Offset.
type IndexEntry struct {
	Offset   uint32 // relative to the base offset
	Position uint32 // bytes from the start of the log file
}

// The time index.
//
//	 0                               8               12
//	+-------------------------------+---------------+
//	| timestamp                     | offset        |   one entry, repeated
//	+-------------------------------+---------------+
//
// timestamp in milliseconds is the largest one of all records up to the entry before it and of the batch that ends with the record Base+offset,
// which holds it. Timestamps rise strictly, offsets rise.
const timeEntryBytes = 12

// TimeEntry says that no record up to the batch that ends with Base+Offset is newer than Timestamp.
type TimeEntry struct {
	Timestamp int64  // ms
	Offset    uint32 // relative to the base offset
}

// MaxIndexBytes bounds each index of a segment, as segment.index.bytes does: a full index makes the log roll.
const MaxIndexBytes = 10 << 20

const (
	maxIndexEntries = MaxIndexBytes / indexEntryBytes
	maxTimeEntries  = MaxIndexBytes / timeEntryBytes
)

func appendIndex(b []byte, entries []IndexEntry) []byte {
	for _, e := range entries {
		b = binary.BigEndian.AppendUint32(b, e.Offset)
		b = binary.BigEndian.AppendUint32(b, e.Position)
	}
	return b
}

// decodeIndex returns the entries up to the first one that cannot be: they rise strictly and stay below size bytes of the log.
// whole says that nothing was left out.
func decodeIndex(b []byte, size int64) (entries []IndexEntry, whole bool) {
	whole = len(b)%indexEntryBytes == 0 && len(b) <= MaxIndexBytes
	n := min(len(b)/indexEntryBytes, maxIndexEntries)
	entries = make([]IndexEntry, 0, n)
	for i := range n {
		at := b[i*indexEntryBytes:]
		e := IndexEntry{Offset: binary.BigEndian.Uint32(at), Position: binary.BigEndian.Uint32(at[4:])}
		var last IndexEntry // the first entry is never the first batch: both numbers are above zero
		if i > 0 {
			last = entries[i-1]
		}
		if e.Offset <= last.Offset || e.Position <= last.Position || int64(e.Position) >= size || e.Offset > maxRelativeOffset {
			return entries, false
		}
		entries = append(entries, e)
	}
	return entries, whole
}

func appendTimes(b []byte, entries []TimeEntry) []byte {
	for _, e := range entries {
		b = binary.BigEndian.AppendUint64(b, uint64(e.Timestamp))
		b = binary.BigEndian.AppendUint32(b, e.Offset)
	}
	return b
}

// decodeTimes returns the entries up to the first one that cannot be: timestamps and offsets rise, offsets stay below next (relative).
func decodeTimes(b []byte, next int64) (entries []TimeEntry, whole bool) {
	whole = len(b)%timeEntryBytes == 0 && len(b) <= MaxIndexBytes
	n := min(len(b)/timeEntryBytes, maxTimeEntries)
	entries = make([]TimeEntry, 0, n)
	for i := range n {
		at := b[i*timeEntryBytes:]
		e := TimeEntry{Timestamp: int64(binary.BigEndian.Uint64(at)), Offset: binary.BigEndian.Uint32(at[8:])}
		bad := e.Timestamp < 0 || int64(e.Offset) >= next || e.Offset > maxRelativeOffset
		if i > 0 {
			bad = bad || e.Timestamp <= entries[i-1].Timestamp || e.Offset <= entries[i-1].Offset
		}
		if bad {
			return entries, false
		}
		entries = append(entries, e)
	}
	return entries, whole
}

// maxRelativeOffset is the largest distance from the base offset that both indexes and Kafka's tools can hold.
const maxRelativeOffset = 1<<31 - 1

// Suffixes of the files of a segment.
const (
	LogSuffix   = ".log"
	IndexSuffix = ".index"
	TimeSuffix  = ".timeindex"
)

// FileName names a file that belongs to an offset.
func FileName(offset int64, suffix string) string { return fmt.Sprintf("%020d%s", offset, suffix) }

// ParseFileName takes a name apart that FileName made.
func ParseFileName(name, suffix string) (offset int64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	return offset, err == nil && offset >= 0 && FileName(offset, suffix) == name
}

// Header is what a scan needs of a batch, decoded: the batch itself is gone when the next one is read.
type Header struct {
	Base          int64 // first offset
	Size          int64 // bytes of the whole batch
	Epoch         int32 // partition leader epoch
	Control       bool  // the end of a transaction, no data
	LastDelta     int32
	BaseTimestamp int64 // ms
	MaxTimestamp  int64 // ms
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Count         int32
}

// Next is the offset after the last one of the batch.
func (h Header) Next() int64 { return h.Base + int64(h.LastDelta) + 1 }

// ParseHeader decodes the first record.HeaderBytes of a batch. It checks only what a walk from batch to batch relies on: magic and lengths.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < record.HeaderBytes {
		return Header{}, fmt.Errorf("%d bytes are too few for a batch", len(b))
	}
	r := record.Batch(b)
	size, err := record.Size(b)
	h := Header{
		Base: r.BaseOffset(), Size: size, Epoch: r.LeaderEpoch(), Control: r.Control(), LastDelta: r.LastOffsetDelta(),
		BaseTimestamp: r.BaseTimestamp(), MaxTimestamp: r.MaxTimestamp(),
		ProducerID: r.ProducerID(), ProducerEpoch: r.ProducerEpoch(), BaseSequence: r.BaseSequence(), Count: r.Count(),
	}
	switch {
	case r.Magic() != record.Magic:
		return Header{}, fmt.Errorf("magic %d instead of %d", r.Magic(), record.Magic)
	case err != nil:
		return Header{}, fmt.Errorf("the batch has no length: %v", err) // not wrapped: it is no client's batch that is invalid
	case h.Base < 0 || h.LastDelta < 0 || h.Base > math.MaxInt64-1-int64(h.LastDelta):
		return Header{}, fmt.Errorf("offsets %d and %d are impossible", h.Base, h.LastDelta)
	}
	return h, nil
}
