package streams

import (
	"fmt"
	"reflect"
	"runtime"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// To writes the stream to a topic. Where the serdes equal those the bytes came with, nothing is decoded.
func (s *Stream[K, V]) To(topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) {
	s.to(topology.Sink{Topic: topic}, nil, key, value, opts)
}

// ToChosen writes each record to the topic that choose names; "" drops it.
func (s *Stream[K, V]) ToChosen(choose func(key K, value V) string, key serde.Serde[K], value serde.Serde[V], opts ...Option) {
	s.b.given(choose)
	s.to(topology.Sink{Chooser: functionName(choose)}, choose, key, value, opts)
}

func (s *Stream[K, V]) to(sink topology.Sink, choose func(K, V) string, key serde.Serde[K], value serde.Serde[V], opts []Option) {
	o := apply(opts)
	if !s.ok() {
		return
	}
	kc, ok := keyCoder(s.b, key)
	vc, ok2 := valueCoder(s.b, value)
	name := s.b.nameOr(or(o.node, o.as), "KSTREAM-SINK-")
	_, err := s.b.program.Graph.AddSink(name, sink, s.name)
	partition, ok3 := partitionerOf[K, V](s.b, o)
	if !s.b.added(name, err) || !ok || !ok2 || !ok3 {
		return
	}
	engine.AddSink(s.out, engine.Sink[K, V]{
		Node: engine.Node{Name: name, OnError: o.onError}, Topic: sink.Topic,
		Key: s.key, KeyTo: kc, Value: s.value, ValueTo: vc, Choose: choose, Partition: partition,
	})
}

func partitionerOf[K, V any](b *Builder, o options) (func(K, V, int32) int32, bool) {
	if o.partition == nil {
		return nil, true
	}
	f, ok := o.partition.(func(K, V, int32) int32)
	if !ok {
		b.failf("cannot use Partitioner: it takes other types than %s and %s", reflect.TypeFor[K](), reflect.TypeFor[V]())
	}
	return f, ok
}

// functionName is how Describe shows a function.
func functionName(f any) string {
	v := reflect.ValueOf(f)
	if v.IsNil() {
		return ""
	}
	if fn := runtime.FuncForPC(v.Pointer()); fn != nil {
		return fn.Name()
	}
	return fmt.Sprintf("%T", f)
}
