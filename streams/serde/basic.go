package serde

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The serdes of the basic types. Integers and floats are big-endian, as Java writes them; unsigned integers have the same
// width as signed ones; int and uint take 8 bytes. None of these variables is ever assigned again.
var (
	String  Serde[string]  = stringSerde{}
	Bytes   Serde[[]byte]  = bytesSerde{}
	Bool    Serde[bool]    = boolSerde{}
	Int     Serde[int]     = word[int]{}
	Int8    Serde[int8]    = octet[int8]{}
	Int16   Serde[int16]   = half[int16]{}
	Int32   Serde[int32]   = single[int32]{}
	Int64   Serde[int64]   = word[int64]{}
	Uint    Serde[uint]    = word[uint]{}
	Uint8   Serde[uint8]   = octet[uint8]{}
	Uint16  Serde[uint16]  = half[uint16]{}
	Uint32  Serde[uint32]  = single[uint32]{}
	Uint64  Serde[uint64]  = word[uint64]{}
	Float32 Serde[float32] = float32Serde{}
	Float64 Serde[float64] = float64Serde{}
)

var (
	errNull  = errors.New("cannot encode null: it has no bytes")
	errFloat = errors.New("cannot use a float as key: equal numbers may differ in their bytes (0 and -0)")
)

// errLength is a value of the wrong size. It allocates, so it is for the error path only.
func errLength(what string, got, want int) error {
	return fmt.Errorf("cannot decode %s: %d bytes, need %d", what, got, want)
}

type stringSerde struct{}

func (stringSerde) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (stringSerde) Decode(b []byte) (string, error)             { return string(b), nil }

// bytesSerde maps null to a nil slice.
type bytesSerde struct{}

func (bytesSerde) Append(dst []byte, v []byte) ([]byte, error) {
	if v == nil {
		return dst, errNull
	}
	return append(dst, v...), nil
}

func (bytesSerde) Decode(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	return append([]byte{}, b...), nil
}

func (bytesSerde) IsNull(v []byte) bool { return v == nil }

// boolSerde writes 1 or 0 and refuses other bytes, as Kafka's BooleanDeserializer does.
type boolSerde struct{}

func (boolSerde) Append(dst []byte, v bool) ([]byte, error) {
	if v {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (boolSerde) Decode(b []byte) (bool, error) {
	if len(b) != 1 {
		return false, errLength("bool", len(b), 1)
	}
	if b[0] > 1 {
		return false, fmt.Errorf("cannot decode bool: byte %#02x is neither 0 nor 1", b[0])
	}
	return b[0] == 1, nil
}

type octet[T int8 | uint8] struct{}

func (octet[T]) Append(dst []byte, v T) ([]byte, error) { return append(dst, byte(v)), nil }
func (octet[T]) Decode(b []byte) (T, error) {
	if len(b) != 1 {
		return 0, errLength("8-bit integer", len(b), 1)
	}
	return T(b[0]), nil
}

type half[T int16 | uint16] struct{}

func (half[T]) Append(dst []byte, v T) ([]byte, error) {
	return binary.BigEndian.AppendUint16(dst, uint16(v)), nil
}

func (half[T]) Decode(b []byte) (T, error) {
	if len(b) != 2 {
		return 0, errLength("16-bit integer", len(b), 2)
	}
	return T(binary.BigEndian.Uint16(b)), nil
}

type single[T int32 | uint32] struct{}

func (single[T]) Append(dst []byte, v T) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

func (single[T]) Decode(b []byte) (T, error) {
	if len(b) != 4 {
		return 0, errLength("32-bit integer", len(b), 4)
	}
	return T(binary.BigEndian.Uint32(b)), nil
}

type word[T int | int64 | uint | uint64] struct{}

func (word[T]) Append(dst []byte, v T) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (word[T]) Decode(b []byte) (T, error) {
	if len(b) != 8 {
		return 0, errLength("64-bit integer", len(b), 8)
	}
	return T(binary.BigEndian.Uint64(b)), nil
}

type float32Serde struct{}

func (float32Serde) Append(dst []byte, v float32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(v)), nil
}

func (float32Serde) Decode(b []byte) (float32, error) {
	if len(b) != 4 {
		return 0, errLength("float32", len(b), 4)
	}
	return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
}

func (float32Serde) checkKey() error { return errFloat }

type float64Serde struct{}

func (float64Serde) Append(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func (float64Serde) Decode(b []byte) (float64, error) {
	if len(b) != 8 {
		return 0, errLength("float64", len(b), 8)
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (float64Serde) checkKey() error { return errFloat }
