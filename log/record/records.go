package record

import (
	"iter"
	"math"
)

// Record is one record of a batch. Key, Value and Headers alias the batch, or the buffer it was decompressed into,
// which is nobody else's: there they stay valid as long as they are held.
type Record struct {
	Offset    int64
	Timestamp int64  // ms since 1970, -1 if there is none
	Key       []byte // nil: no key
	Value     []byte // nil: a tombstone
	Headers   Headers
}

// Header is one header of a record.
type Header struct {
	Key   []byte // never nil
	Value []byte // may be nil
}

// Headers are the headers of one record, still encoded; they were found whole when the record was.
type Headers struct {
	count int
	raw   []byte
}

// Len is the number of headers.
func (h Headers) Len() int { return h.count }

// All yields the headers in order.
func (h Headers) All() iter.Seq[Header] {
	return func(yield func(Header) bool) {
		r := reader{b: h.raw}
		for range h.count {
			key := r.bytes()
			if !yield(Header{Key: key, Value: r.bytes()}) {
				return
			}
		}
	}
}

// Records yields each record in order; after an error it ends. It decompresses first if need be: into maxBytes at most
// (0: DefaultMaxDecompressedBytes), else it yields ErrDecompressedTooLarge. Any other error is an *InvalidError.
//
// The header of the batch must have passed Check or CheckStored. The records are held to it: as many as it counts, to
// the last byte, with rising offsets within its range.
func (b Batch) Records(maxBytes int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		payload, err := b.payload(maxBytes)
		if err != nil {
			yield(Record{}, err)
			return
		}
		count := int(b.Count())
		if count < 0 || len(payload)/minRecordBytes < count {
			yield(Record{}, corrupt("%d records in %d bytes", count, len(payload)))
			return
		}
		r := reader{b: payload}
		last := int64(-1)
		for i := range count {
			rec, err := b.next(&r, last)
			if err != nil {
				yield(Record{}, corrupt("record %d of %d: %s", i, count, err))
				return
			}
			last = rec.Offset - b.BaseOffset()
			if !yield(rec, nil) {
				return
			}
		}
		if len(r.b) > 0 {
			yield(Record{}, corrupt("%d bytes follow the last record", len(r.b)))
		}
	}
}

// payload is the bytes of the records, decompressed.
func (b Batch) payload(maxBytes int) ([]byte, error) {
	if maxBytes <= 0 {
		maxBytes = DefaultMaxDecompressedBytes
	}
	raw := b[HeaderBytes:]
	if b.Codec() == None {
		return raw, nil
	}
	return decompress(b.Codec(), raw, maxBytes)
}

// next parses one record, which must come after the offset delta last.
func (b Batch) next(all *reader, last int64) (Record, error) {
	body := all.bytes()
	if all.bad || body == nil {
		return Record{}, errShortRecord
	}
	r := reader{b: body}
	r.byte() // attributes: none are in use
	timeDelta := r.varint64()
	delta := int64(r.varint32())
	rec := Record{Offset: b.BaseOffset() + delta, Key: r.bytes(), Value: r.bytes()}
	rec.Headers = r.headers()
	switch {
	case r.bad:
		return Record{}, errShortRecord
	case len(r.b) > 0:
		return Record{}, errLongRecord
	case delta <= last || delta > int64(b.LastOffsetDelta()):
		return Record{}, errOffsetDelta
	}
	base := b.BaseTimestamp()
	if (timeDelta > 0 && base > math.MaxInt64-timeDelta) || (timeDelta < 0 && base < math.MinInt64-timeDelta) {
		return Record{}, errTimeDelta
	}
	rec.Timestamp = base + timeDelta
	if b.LogAppendTime() {
		rec.Timestamp = b.MaxTimestamp()
	}
	return rec, nil
}

// Time is where a timestamp was found.
type Time struct {
	Offset    int64
	Timestamp int64 // ms since 1970
}

// FirstAtOrAfter finds the first record with a timestamp of ms or later, as ListOffsets asks. Errors as in Records.
func (b Batch) FirstAtOrAfter(ms int64, maxBytes int) (t Time, found bool, err error) {
	if b.LogAppendTime() {
		if b.MaxTimestamp() < ms {
			return Time{}, false, nil
		}
		// A compacted batch may have lost its first records, and only the records tell.
		if int64(b.Count()) == int64(b.LastOffsetDelta())+1 {
			return Time{Offset: b.BaseOffset(), Timestamp: b.MaxTimestamp()}, true, nil
		}
	}
	for r, err := range b.Records(maxBytes) {
		if err != nil {
			return Time{}, false, err
		}
		if r.Timestamp >= ms {
			return Time{Offset: r.Offset, Timestamp: r.Timestamp}, true, nil
		}
	}
	return Time{}, false, nil
}

// LatestRecord finds the record with the largest timestamp, the first of them if there are several. The header claims
// that timestamp in MaxTimestamp; this looks. It is not found in an empty batch. Errors as in Records.
func (b Batch) LatestRecord(maxBytes int) (t Time, found bool, err error) {
	for r, err := range b.Records(maxBytes) {
		if err != nil {
			return Time{}, false, err
		}
		if !found || r.Timestamp > t.Timestamp {
			t, found = Time{Offset: r.Offset, Timestamp: r.Timestamp}, true
		}
	}
	return t, found, nil
}
