package wire

import (
	"encoding/binary"
	"uuid"
)

// Writer appends Kafka's primitive types; it is for responses made by hand. The zero value is ready.
type Writer struct {
	Buf []byte
}

// Bool appends one byte.
func (w *Writer) Bool(v bool) {
	if v {
		w.Buf = append(w.Buf, 1)
	} else {
		w.Buf = append(w.Buf, 0)
	}
}

// Int8 appends one byte.
func (w *Writer) Int8(v int8) { w.Buf = append(w.Buf, byte(v)) }

// Int16 appends a big-endian int16.
func (w *Writer) Int16(v int16) { w.Buf = binary.BigEndian.AppendUint16(w.Buf, uint16(v)) }

// Int32 appends a big-endian int32.
func (w *Writer) Int32(v int32) { w.Buf = binary.BigEndian.AppendUint32(w.Buf, uint32(v)) }

// Int64 appends a big-endian int64.
func (w *Writer) Int64(v int64) { w.Buf = binary.BigEndian.AppendUint64(w.Buf, uint64(v)) }

// UUID appends 16 bytes.
func (w *Writer) UUID(v uuid.UUID) { w.Buf = append(w.Buf, v[:]...) }

// Uvarint appends an unsigned varint.
func (w *Writer) Uvarint(v uint32) { w.Buf = binary.AppendUvarint(w.Buf, uint64(v)) }

// Varint appends a zigzag varint.
func (w *Writer) Varint(v int32) { w.Uvarint(uint32(v)<<1 ^ uint32(v>>31)) }

// String appends a string that is not null: at most 32,767 bytes in the old form.
func (w *Writer) String(compact bool, s string) {
	if compact {
		w.Uvarint(uint32(len(s)) + 1)
	} else {
		w.Int16(int16(len(s)))
	}
	w.Buf = append(w.Buf, s...)
}

// NullString appends the null string.
func (w *Writer) NullString(compact bool) {
	if compact {
		w.Uvarint(0)
	} else {
		w.Int16(-1)
	}
}

// BytesLen appends the length of bytes (or of records) that the caller writes next, perhaps as a region; -1 is null.
func (w *Writer) BytesLen(compact bool, n int) {
	if compact {
		w.Uvarint(uint32(n + 1))
	} else {
		w.Int32(int32(n))
	}
}

// ArrayLen appends the length of an array; -1 is null.
func (w *Writer) ArrayLen(compact bool, n int) { w.BytesLen(compact, n) }

// Tags appends an empty section of tagged fields.
func (w *Writer) Tags() { w.Buf = append(w.Buf, 0) }

// Tag appends one tagged field; the caller has written the count of fields with Uvarint and keeps tags ascending.
func (w *Writer) Tag(tag uint32, data []byte) {
	w.Uvarint(tag)
	w.Uvarint(uint32(len(data)))
	w.Buf = append(w.Buf, data...)
}
