package engine

// Codec turns values into bytes and back; streams/serde implements it. Decode must not keep b.
type Codec[T any] interface {
	Append(dst []byte, v T) ([]byte, error)
	Decode(b []byte) (T, error)
}

// nullCodec is a Codec with a value for null, which Decode(nil) returns.
type nullCodec[T any] interface {
	Codec[T]
	IsNull(v T) bool
}

// Coder is a codec as the nodes use it. It is immutable and shared by all tasks.
type Coder[T any] struct {
	codec Codec[T]
	nulls nullCodec[T]   // nil when T has no value for null
	alias func([]byte) T // nil, or decodes without a copy: see Borrow
}

// NewCoder wraps a codec. What it can do beyond Codec is looked up here, once, and not per record.
func NewCoder[T any](c Codec[T]) *Coder[T] {
	n, _ := c.(nullCodec[T])
	return &Coder[T]{codec: c, nulls: n}
}

// Borrow lets functions over []byte see the record's bytes themselves instead of a copy. They are valid until the record
// has been processed. Aggregates are copied all the same: their bytes are overwritten before that. It does nothing for other
// types.
func (c *Coder[T]) Borrow() {
	c.alias, _ = any(func(b []byte) []byte { return b[:len(b):len(b)] }).(func([]byte) T)
}

// Codec is what the Coder was made from.
func (c *Coder[T]) Codec() Codec[T] { return c.codec }

// SeesNull reports whether T has a value for null: functions over T are then called for nulls, too.
func (c *Coder[T]) SeesNull() bool { return c.nulls != nil }

// Get decodes the field, once. Null is T's value for null, or its zero value if it has none.
func (c *Coder[T]) Get(f *Field[T]) (T, error) {
	if f.state&hasValue != 0 {
		return f.val, nil
	}
	if f.state&isNull != 0 {
		if c.nulls != nil {
			return c.codec.Decode(nil)
		}
		var zero T
		return zero, nil
	}
	if c.alias != nil {
		return c.alias(f.raw), nil
	}
	v, err := c.codec.Decode(f.raw)
	if err != nil {
		return v, err
	}
	f.val = v
	f.state |= hasValue
	return v, nil
}

// Set makes the field the value v, null if v is T's value for null.
func (c *Coder[T]) Set(f *Field[T], v T) {
	if c.nulls != nil && c.nulls.IsNull(v) {
		f.state = isNull
		return
	}
	f.val = v
	f.state = hasValue
}

// Bytes encodes the field, once, into the scratch. Null is nil, everything else is not nil. The slice is valid until the
// task takes its next record.
func (c *Coder[T]) Bytes(f *Field[T], s *Scratch) ([]byte, error) {
	if f.state&hasBytes != 0 {
		return f.raw, nil
	}
	if f.state&isNull != 0 {
		return nil, nil
	}
	b, err := c.Encode(f.val, s)
	if err != nil {
		return nil, err
	}
	f.raw = b
	f.state |= hasBytes
	return b, nil
}

// Encode encodes v into the scratch: nil for null.
func (c *Coder[T]) Encode(v T, s *Scratch) ([]byte, error) {
	if c.nulls != nil && c.nulls.IsNull(v) {
		return nil, nil
	}
	start := len(s.buf)
	buf, err := c.codec.Append(s.buf, v)
	if err != nil {
		return nil, err
	}
	s.buf = buf
	return buf[start:len(buf):len(buf)], nil
}

// DecodeBytes decodes b, which is not null, into a value that shares no memory with it.
func (c *Coder[T]) DecodeBytes(b []byte) (T, error) { return c.codec.Decode(b) }

// Recode hands from, whose bytes belong to c, to an edge with another codec: it is decoded and loses its bytes.
func (c *Coder[T]) Recode(to, from *Field[T]) error {
	if from.state&isNull != 0 {
		to.state = isNull
		return nil
	}
	v, err := c.Get(from)
	if err != nil {
		return err
	}
	to.val = v
	to.state = hasValue
	return nil
}

const (
	scratchBytesInitial = 4 << 10
	scratchBytesKept    = 1 << 20 // a larger buffer, left by one large record, is given back
)

// Scratch is the task's buffer for what is encoded while one record is processed.
type Scratch struct{ buf []byte }

// Copy keeps a copy of b until the next record. It is never nil.
func (s *Scratch) Copy(b []byte) []byte {
	start := len(s.buf)
	s.buf = append(s.buf, b...)
	return s.buf[start:len(s.buf):len(s.buf)]
}

// reset forgets everything. The buffer is never nil, so that an empty encoding is not mistaken for null.
func (s *Scratch) reset() {
	if s.buf == nil || cap(s.buf) > scratchBytesKept {
		s.buf = make([]byte, 0, scratchBytesInitial)
	}
	s.buf = s.buf[:0]
}

func (c *Coder[T]) null(v T) bool { return c.nulls != nil && c.nulls.IsNull(v) }
