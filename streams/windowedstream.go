package streams

import (
	"context"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// WindowedStream is a stream whose keys are windowed. It is a type of its own because a method of Stream[K, V] cannot return
// a Stream[Windowed[K], V] in Go; SelectKey and Map lead back to Stream.
type WindowedStream[K, V any] struct {
	b       *Builder
	name    string
	inner   *engine.Coder[K]
	key     *engine.Coder[engine.Windowed[K]]
	value   *engine.Coder[V]
	w       engine.Windowing
	sources []string
	out     *engine.Port[engine.Record[engine.Windowed[K], V]] // nil: a call before this one failed
}

func (s *WindowedStream[K, V]) child(prefix string, opts []Option) (options, engine.Node, bool) {
	o := apply(opts)
	if s.out == nil || !s.b.open() {
		return o, engine.Node{}, false
	}
	n := engine.Node{Name: s.b.nameOr(or(o.node, o.as), prefix), OnError: o.onError}
	return o, n, s.b.addProcessor(n.Name, s.name)
}

// Filter keeps the records for which f is true. A null value that f cannot see is not kept.
func (s *WindowedStream[K, V]) Filter(f func(key Windowed[K], value V) bool, opts ...Option) *WindowedStream[K, V] {
	s.b.given(f)
	return s.filter(true, f, opts)
}

// FilterNot drops the records for which f is true. A null value that f cannot see is kept.
func (s *WindowedStream[K, V]) FilterNot(f func(key Windowed[K], value V) bool, opts ...Option) *WindowedStream[K, V] {
	s.b.given(f)
	return s.filter(false, f, opts)
}

func (s *WindowedStream[K, V]) filter(want bool, f func(Windowed[K], V) bool, opts []Option) *WindowedStream[K, V] {
	_, n, ok := s.child("KSTREAM-FILTER-", opts)
	if !ok {
		return &WindowedStream[K, V]{b: s.b}
	}
	r := *s
	r.name = n.Name
	r.out = engine.Filter(s.out, n, s.key, s.value, want, engine.Always(func(k Windowed[K], v V) (bool, error) { return f(k, v), nil }))
	return &r
}

// MapValues replaces each value by f's result. A null value that f cannot see stays null.
func (s *WindowedStream[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *WindowedStream[K, R] {
	s.b.given(f)
	return mapWindowed(s, false, engine.Always(func(_ Windowed[K], v V) (R, error) { return f(v), nil }), opts)
}

// MapValuesWithKey is MapValues with a function that sees the key and its window.
func (s *WindowedStream[K, V]) MapValuesWithKey[R any](f func(key Windowed[K], value V) R, opts ...Option) *WindowedStream[K, R] {
	s.b.given(f)
	return mapWindowed(s, true, engine.Always(func(k Windowed[K], v V) (R, error) { return f(k, v), nil }), opts)
}

// TryMapValues is MapValuesWithKey with a function that can fail; see [OnError].
func (s *WindowedStream[K, V]) TryMapValues[R any](f func(ctx context.Context, key Windowed[K], value V) (R, error), opts ...Option) *WindowedStream[K, R] {
	s.b.given(f)
	return mapWindowed(s, true, func(ctx context.Context) func(Windowed[K], V) (R, error) {
		return func(k Windowed[K], v V) (R, error) { return f(ctx, k, v) }
	}, opts)
}

func mapWindowed[K, V, R any](s *WindowedStream[K, V], needKey bool, f engine.Maker[func(Windowed[K], V) (R, error)], opts []Option) *WindowedStream[K, R] {
	o, n, ok := s.child("KSTREAM-MAPVALUES-", opts)
	if !ok {
		return &WindowedStream[K, R]{b: s.b}
	}
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	return &WindowedStream[K, R]{
		b: s.b, name: n.Name, inner: s.inner, key: s.key, value: result, w: s.w, sources: s.sources,
		out: engine.MapValues(s.out, n, s.key, s.value, result, needKey, f),
	}
}

// Peek calls f for each record and passes it on unchanged. It is not called for a null value it cannot see.
func (s *WindowedStream[K, V]) Peek(f func(key Windowed[K], value V), opts ...Option) *WindowedStream[K, V] {
	s.b.given(f)
	_, n, ok := s.child("KSTREAM-PEEK-", opts)
	if !ok {
		return &WindowedStream[K, V]{b: s.b}
	}
	r := *s
	r.name = n.Name
	r.out = engine.Peek(s.out, n, s.key, s.value, engine.Always(func(k Windowed[K], v V) error { f(k, v); return nil }))
	return &r
}

// ForEach calls f for each record, and ends the stream. It is not called for a null value it cannot see.
func (s *WindowedStream[K, V]) ForEach(f func(key Windowed[K], value V), opts ...Option) {
	s.b.given(f)
	s.forEach(engine.Always(func(k Windowed[K], v V) error { f(k, v); return nil }), opts)
}

// TryForEach is ForEach with a function that can fail; see [OnError].
func (s *WindowedStream[K, V]) TryForEach(f func(ctx context.Context, key Windowed[K], value V) error, opts ...Option) {
	s.b.given(f)
	s.forEach(func(ctx context.Context) func(Windowed[K], V) error {
		return func(k Windowed[K], v V) error { return f(ctx, k, v) }
	}, opts)
}

func (s *WindowedStream[K, V]) forEach(f engine.Maker[func(Windowed[K], V) error], opts []Option) {
	if _, n, ok := s.child("KSTREAM-FOREACH-", opts); ok {
		engine.Peek(s.out, n, s.key, s.value, f)
	}
}

// SelectKey gives each record a plain key. Unlike Stream.SelectKey it keeps records with null values, because deletes of
// windows are common; f gets the zero value for one it cannot see.
func (s *WindowedStream[K, V]) SelectKey[K2 any](f func(key Windowed[K], value V) K2, key serde.Serde[K2], opts ...Option) *Stream[K2, V] {
	s.b.given(f)
	_, n, ok := s.child("KSTREAM-KEY-SELECT-", opts)
	if !ok {
		return &Stream[K2, V]{b: s.b}
	}
	kc, ok := keyCoder(s.b, key)
	if !ok {
		return &Stream[K2, V]{b: s.b}
	}
	return &Stream[K2, V]{
		b: s.b, name: n.Name, key: kc, value: s.value, sources: s.sources, rekeyed: true,
		out: engine.SelectKeyOfAll(s.out, n, s.key, s.value, kc, func(k Windowed[K], v V) (K2, error) { return f(k, v), nil }),
	}
}

// Map replaces each record by one with a plain key. A record whose value is null and not visible to f is dropped.
func (s *WindowedStream[K, V]) Map[K2, V2 any](f func(key Windowed[K], value V) (K2, V2), key serde.Serde[K2], opts ...Option) *Stream[K2, V2] {
	s.b.given(f)
	o, n, ok := s.child("KSTREAM-MAP-", opts)
	if !ok {
		return &Stream[K2, V2]{b: s.b}
	}
	kc, ok := keyCoder(s.b, key)
	if !ok {
		return &Stream[K2, V2]{b: s.b}
	}
	vc := coderOr(s.b, o.value, "ValueSerde", byType[V2](s.b))
	return &Stream[K2, V2]{
		b: s.b, name: n.Name, key: kc, value: vc, sources: s.sources, rekeyed: true,
		out: engine.FlatMap(s.out, n, s.key, s.value, kc, vc, engine.Always(func(k Windowed[K], v V, emit func(K2, V2) error) error {
			return emit(f(k, v))
		})),
	}
}

// To writes the stream to a topic with Kafka's windowed keys: the plain key's bytes and the window's times. The plain key
// alone chooses the partition.
func (s *WindowedStream[K, V]) To(topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) {
	o := apply(opts)
	if s.out == nil || !s.b.open() {
		return
	}
	kc, ok := keyCoder(s.b, key)
	vc, ok2 := valueCoder(s.b, value)
	name := s.b.nameOr(or(o.node, o.as), "KSTREAM-SINK-")
	_, err := s.b.program.Graph.AddSink(name, topology.Sink{Topic: topic}, s.name)
	if !s.b.added(name, err) || !ok || !ok2 {
		return
	}
	engine.AddSink(s.out, engine.Sink[engine.Windowed[K], V]{
		Node: engine.Node{Name: name, OnError: o.onError}, Topic: topic, Key: s.key, Value: s.value, ValueTo: vc,
		KeyTo:   coder[engine.Windowed[K]](s.b, engine.WindowedCodec[K]{Key: kc.Codec(), Kind: s.w.Kind, Size: s.w.Size}),
		KeyPart: func(key []byte) []byte { return engine.KeyOfWindowed(s.w.Kind, key) },
	})
}
