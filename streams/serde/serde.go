package serde

// Serde turns values of T into bytes and back.
type Serde[T any] interface {
	// Append appends the bytes of v to dst and returns the longer slice, which may be dst's array or a new one. On
	// an error the returned slice is dst as it was.
	Append(dst []byte, v T) ([]byte, error)
	// Decode reads a value that fills b to its end. It must not keep b or any part of it: b may be overwritten as soon as
	// Decode returns. (String and Bytes copy.)
	Decode(b []byte) (T, error)
}

// Null is a Serde with a value for Kafka's null: Decode(nil) returns it, and IsNull recognises it. Whoever writes a
// value for which IsNull holds writes a null and does not call Append.
type Null[T any] interface {
	Serde[T]
	IsNull(v T) bool
}

// AcceptsNull reports whether s has a value for null, so that s.Decode(nil) succeeds.
func AcceptsNull[T any](s Serde[T]) bool {
	_, ok := s.(Null[T])
	return ok
}

// IsNull reports whether s writes v as null.
func IsNull[T any](s Serde[T], v T) bool {
	n, ok := s.(Null[T])
	return ok && n.IsNull(v)
}

// Nullable is a Serde of pointers: nil is null, everything else is written by s.
func Nullable[T any](s Serde[T]) Serde[*T] { return nullable[T]{s} }

type nullable[T any] struct{ of Serde[T] }

func (n nullable[T]) Append(dst []byte, v *T) ([]byte, error) {
	if v == nil {
		return dst, errNull
	}
	return n.of.Append(dst, *v)
}

func (n nullable[T]) Decode(b []byte) (*T, error) {
	if b == nil {
		return nil, nil
	}
	v, err := n.of.Decode(b)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func (n nullable[T]) IsNull(v *T) bool { return v == nil }

func (n nullable[T]) checkKey() error { return CheckKeySerde(n.of) }
