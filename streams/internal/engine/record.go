package engine

import (
	"fmt"
	"time"
)

// Header is one header of a record. Value nil is null.
type Header struct {
	Key   string
	Value []byte
}

// Input is a raw record as it was read. Key and Value nil are null; an empty value is not nil. The task keeps an Input, and
// the bytes it points to, until the record is processed.
type Input struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // ms
	Key       []byte
	Value     []byte
	Headers   []Header
}

// AnyPartition is the partition of an [Output] whose key decides.
const AnyPartition int32 = -1

// Output is a raw record to be written. Key and Value nil are null.
type Output struct {
	Topic     string
	Partition int32 // or AnyPartition
	Timestamp int64 // ms
	Key       []byte
	Value     []byte
	Headers   []Header
	// PartitionKey is the part of Key that chooses the partition: all of it, but for windowed keys only the key without the window.
	PartitionKey []byte
}

// Window is a span of event time in ms. Start is included; End is excluded in tumbling and hopping windows, included in
// sliding windows and sessions.
type Window struct {
	StartMillis int64
	EndMillis   int64
}

// Start is the window's first instant.
func (w Window) Start() time.Time { return time.UnixMilli(w.StartMillis).UTC() }

// End is the window's end.
func (w Window) End() time.Time { return time.UnixMilli(w.EndMillis).UTC() }

// Windowed is a key in one window.
type Windowed[K any] struct {
	Key    K
	Window Window
}

// String shows the key and its window, as "key@start/end" with times in ms.
func (w Windowed[K]) String() string {
	return fmt.Sprintf("%v@%d/%d", w.Key, w.Window.StartMillis, w.Window.EndMillis)
}

// Record flows between the nodes of streams. A node must not change a record it received; it may fill in what is decoded or
// encoded lazily. Records belong to the node that made them and are reused for the next one.
type Record[K, V any] struct {
	Key   Field[K]
	Value Field[V]
	Time  int64 // ms
}

// Update flows between the nodes of tables: the new value of a key, null for a delete, and the old one if somebody below
// asked for it (null otherwise).
type Update[K, V any] struct {
	Key  Field[K]
	New  Field[V]
	Old  Field[V]
	Time int64 // ms
}

const (
	hasBytes uint8 = 1 << iota // raw is the encoding by the codec of the edge the field travels on
	hasValue                   // val is decoded
	isNull                     // Kafka's null; neither raw nor val counts
)

// Field is a key or a value: encoded, decoded, both, or null. Which codec its bytes belong to is a property of the edge
// between two nodes, fixed when the topology is compiled; a node that hands a field to an edge with another codec must
// drop the bytes (see [Coder.Recode]).
type Field[T any] struct {
	raw   []byte
	val   T
	state uint8
}

// IsNull reports whether the field is null.
func (f *Field[T]) IsNull() bool { return f.state&isNull != 0 }

// SetBytes makes the field the encoded value b; nil makes it null. b must outlive the record.
func (f *Field[T]) SetBytes(b []byte) {
	f.raw = b
	f.state = hasBytes
	if b == nil {
		f.state = isNull
	}
}

// SetNull makes the field null.
func (f *Field[T]) SetNull() { f.state = isNull }
