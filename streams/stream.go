package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Window is a span of event time: Start() and End() time.Time, or StartMillis and EndMillis int64. End is the first instant behind a time window,
// the last one inside a sliding or session window.
type Window = engine.Window

// Windowed is a key in one window: its fields are Key K and Window Window. It prints as key@start/end.
type Windowed[K any] = engine.Windowed[K]

// Stream is a sequence of independent records. Its methods extend the topology; nothing runs before the application does.
// A Stream whose making failed does nothing.
type Stream[K, V any] struct {
	b       *Builder
	name    string // of the node whose output it is
	key     *engine.Coder[K]
	value   *engine.Coder[V]
	out     *engine.Port[engine.Record[K, V]] // nil: a call before this one failed
	sources []string                          // source nodes of its subtopology, for co-partitioning
	rekeyed bool                              // the key may have changed: repartition before it matters
	again   map[string]*Stream[K, V]          // repartitioned forms of it, by name
}

// From is a stream of the records of a topic.
func From[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) *Stream[K, V] {
	return FromTopics(b, []string{topic}, key, value, opts...)
}

// FromTopics is a stream of the records of several topics, which must have the same number of partitions.
func FromTopics[K, V any](b *Builder, topics []string, key serde.Serde[K], value serde.Serde[V], opts ...Option) *Stream[K, V] {
	o := apply(opts)
	failed := &Stream[K, V]{b: b}
	if !b.open() {
		return failed
	}
	kc, ok := keyCoder(b, key)
	vc, ok2 := valueCoder(b, value)
	name := b.nameOr(or(o.node, o.as), "KSTREAM-SOURCE-")
	_, err := b.program.Graph.AddSource(name, topology.Source{Topics: topics, Start: o.start})
	if !b.added(name, err) || !ok || !ok2 {
		return failed
	}
	checkStart(b, o.start, false)
	stampSource(b, name, o.time, kc, vc)
	return &Stream[K, V]{
		b: b, name: name, key: kc, value: vc, sources: []string{name},
		out: engine.Source[K, V](b.program, engine.Node{Name: name, OnError: o.onError}),
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ok reports whether the stream is usable.
func (s *Stream[K, V]) ok() bool { return s.out != nil && s.b.open() }

// child adds the node of a verb below s and gives its description. It reports false when s, or the call, failed.
func (s *Stream[K, V]) child(prefix string, opts []Option) (options, engine.Node, bool) {
	o := apply(opts)
	if !s.ok() {
		return o, engine.Node{}, false
	}
	Action{o.onError}.check(s.b)
	name := s.b.nameOr(or(o.node, o.as), prefix)
	return o, engine.Node{Name: name, OnError: o.onError}, s.b.addProcessor(name, s.name)
}

// derive is the stream behind a node below s.
func derive[K, V, K2, V2 any](s *Stream[K, V], n engine.Node, key *engine.Coder[K2], value *engine.Coder[V2], out *engine.Port[engine.Record[K2, V2]], rekeyed bool) *Stream[K2, V2] {
	return &Stream[K2, V2]{b: s.b, name: n.Name, key: key, value: value, out: out, sources: s.sources, rekeyed: rekeyed}
}
