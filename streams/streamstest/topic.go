package streamstest

import (
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// Record is a record of a topic. KeyNull and ValueNull tell null from the zero value that Key or Value has then.
type Record[K, V any] struct {
	Key       K
	Value     V
	KeyNull   bool
	ValueNull bool
	Time      time.Time
	Headers   []Header
	Partition int32 // that a partitioner chose; -1 if the key's bytes decide
}

// Header is one header of a record. Value nil is null.
type Header = engine.Header

// In is an input topic of the topology.
type In[K, V any] struct {
	d     *Driver
	topic string
	key   serde.Serde[K]
	value serde.Serde[V]
}

// Input is a topic to write to. Null keys and values need a serde that has them, as serde.Nullable does.
func (d *Driver) Input[K, V any](topic string, key serde.Serde[K], value serde.Serde[V]) *In[K, V] {
	return &In[K, V]{d: d, topic: topic, key: key, value: value}
}

// Pipe writes a record and runs the topology until nothing is left to do. An error fails the test.
func (in *In[K, V]) Pipe(key K, value V, at time.Time, headers ...Header) {
	in.d.t.Helper()
	if err := in.TryPipe(key, value, at, headers...); err != nil {
		in.d.t.Fatal(err)
	}
}

// TryPipe is Pipe that returns the topology's error. The topology is unusable after one, until Crash.
func (in *In[K, V]) TryPipe(key K, value V, at time.Time, headers ...Header) error {
	k, err := encode(in.key, key)
	if err != nil {
		return err
	}
	v, err := encode(in.value, value)
	if err != nil {
		return err
	}
	return in.d.pipe(engine.Input{Topic: in.topic, Timestamp: at.UnixMilli(), Key: k, Value: v, Headers: headers})
}

// Delete writes a record with a null value.
func (in *In[K, V]) Delete(key K, at time.Time, headers ...Header) {
	in.d.t.Helper()
	k, err := encode(in.key, key)
	if err == nil {
		err = in.d.pipe(engine.Input{Topic: in.topic, Timestamp: at.UnixMilli(), Key: k, Headers: headers})
	}
	if err != nil {
		in.d.t.Fatal(err)
	}
}

func encode[T any](s serde.Serde[T], v T) ([]byte, error) {
	if serde.IsNull(s, v) {
		return nil, nil
	}
	return s.Append([]byte{}, v)
}

// Out is an output topic of the topology, or one of its changelogs.
type Out[K, V any] struct {
	d     *Driver
	topic string
	key   serde.Serde[K]
	value serde.Serde[V]
}

// Output is a topic to read from.
func (d *Driver) Output[K, V any](topic string, key serde.Serde[K], value serde.Serde[V]) *Out[K, V] {
	return &Out[K, V]{d: d, topic: topic, key: key, value: value}
}

// All returns the records that were written since the last call, in order.
func (o *Out[K, V]) All() []Record[K, V] {
	o.d.t.Helper()
	tp := o.d.topic(o.topic)
	var all []Record[K, V]
	for i, raw := range tp.records[tp.read:] {
		r := Record[K, V]{
			KeyNull: raw.Key == nil, ValueNull: raw.Value == nil, Time: time.UnixMilli(raw.Timestamp).UTC(), Headers: raw.Headers,
			Partition: tp.written[tp.read+i],
		}
		var err error
		if r.Key, err = decode(o.key, raw.Key); err != nil {
			o.d.t.Fatal(err)
		}
		if r.Value, err = decode(o.value, raw.Value); err != nil {
			o.d.t.Fatal(err)
		}
		all = append(all, r)
	}
	tp.read = len(tp.records)
	return all
}

func decode[T any](s serde.Serde[T], b []byte) (T, error) {
	if b == nil && !serde.AcceptsNull(s) {
		var none T
		return none, nil
	}
	return s.Decode(b)
}
