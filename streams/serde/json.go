package serde

import (
	"bytes"
	"encoding/json/v2"
	"fmt"
	"reflect"
)

// JSON is a Serde that writes T as one JSON text, by the rules of encoding/json/v2 (case-sensitive names, no duplicate
// names, valid UTF-8 only), maps in order of their names. Kafka's null is not JSON's null: see [Nullable].
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

type jsonSerde[T any] struct{}

func (jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := json.MarshalWrite(buf, &v, json.Deterministic(true)); err != nil {
		return dst, fmt.Errorf("cannot encode %s as JSON: %w", reflect.TypeFor[T](), err)
	}
	return buf.Bytes(), nil
}

func (jsonSerde[T]) Decode(b []byte) (T, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("cannot decode %s from JSON: %w", reflect.TypeFor[T](), err)
	}
	return v, nil
}

func (jsonSerde[T]) checkKey() error { return CheckKey[T]() }

// For is the default serde of a type: String, Bytes, Bool, integers and floats for exactly these types, JSON for all others,
// named types among them (a type UserID string is written with quotes).
func For[T any]() Serde[T] {
	var zero T
	var s any
	switch any(zero).(type) {
	case string:
		s = String
	case []byte:
		s = Bytes
	case bool:
		s = Bool
	case int:
		s = Int
	case int8:
		s = Int8
	case int16:
		s = Int16
	case int32:
		s = Int32
	case int64:
		s = Int64
	case uint:
		s = Uint
	case uint8:
		s = Uint8
	case uint16:
		s = Uint16
	case uint32:
		s = Uint32
	case uint64:
		s = Uint64
	case float32:
		s = Float32
	case float64:
		s = Float64
	default:
		return JSON[T]()
	}
	return s.(Serde[T])
}
