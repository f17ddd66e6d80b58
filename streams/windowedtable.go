package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// WindowedTable is the latest aggregate of each key and window.
type WindowedTable[K, V any] struct {
	b       *Builder
	name    string
	store   string
	inner   *engine.Coder[K]
	key     *engine.Coder[engine.Windowed[K]]
	value   *engine.Coder[V]
	w       engine.Windowing
	sources []string
	out     *engine.Port[engine.Update[engine.Windowed[K], V]] // nil: a call before this one failed
}

func windowedTable[K, V any](b *Builder, name, store string, key *engine.Coder[K], value *engine.Coder[V], w engine.Windowing, sources []string, out *engine.Port[engine.Update[engine.Windowed[K], V]]) *WindowedTable[K, V] {
	if store != "" {
		engine.Declare(b.program, store, engine.StoreTypes[K, V]{Key: key, Value: value})
	}
	return &WindowedTable[K, V]{
		b: b, name: name, store: store, inner: key, value: value, w: w, sources: sources, out: out,
		key: coder[engine.Windowed[K]](b, engine.WindowedCodec[K]{Key: key.Codec(), Kind: w.Kind, Size: w.Size}),
	}
}

// StoreName is the name of the table's store, empty if it is not kept in one.
func (t *WindowedTable[K, V]) StoreName() string { return t.store }

func (t *WindowedTable[K, V]) ok() bool { return t.out != nil && t.b.open() }

func (t *WindowedTable[K, V]) child(prefix string, opts []Option) (options, engine.Node, bool) {
	o := apply(opts)
	if !t.ok() {
		return o, engine.Node{}, false
	}
	n := engine.Node{Name: t.b.nameOr(or(o.node, o.as), prefix), OnError: o.onError}
	return o, n, t.b.addProcessor(n.Name, t.name)
}

// Filter keeps the results for which f is true; the others become deletes.
func (t *WindowedTable[K, V]) Filter(f func(key Windowed[K], value V) bool, opts ...Option) *WindowedTable[K, V] {
	t.b.given(f)
	_, n, ok := t.child("KTABLE-FILTER-", opts)
	if !ok {
		return &WindowedTable[K, V]{b: t.b}
	}
	r := *t
	r.name, r.store = n.Name, ""
	r.out = engine.FilterTable(t.out, n, t.key, t.value, new(engine.TableState), true, f)
	return &r
}

// MapValues replaces each result's value by f's result.
func (t *WindowedTable[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *WindowedTable[K, R] {
	t.b.given(f)
	o, n, ok := t.child("KTABLE-MAPVALUES-", opts)
	if !ok {
		return &WindowedTable[K, R]{b: t.b}
	}
	result := coderOr(t.b, o.value, "ValueSerde", byType[R](t.b))
	out := engine.MapTable(t.out, n, t.key, t.value, result, new(engine.TableState),
		engine.Always(func(_ Windowed[K], v V) (R, error) { return f(v), nil }))
	return windowedTable(t.b, n.Name, "", t.inner, result, t.w, t.sources, out)
}

// Suppressed says when held-back results are released: see [UntilWindowCloses].
type Suppressed struct{ untilWindowCloses bool }

// UntilWindowCloses releases one result per window, when it can no longer change: at window end plus grace (sessions: plus
// gap, too) in the stream time of the results. Without new records nothing is released. The buffer is not bounded.
func UntilWindowCloses() Suppressed { return Suppressed{untilWindowCloses: true} }

// Suppress holds results back.
func (t *WindowedTable[K, V]) Suppress(s Suppressed, opts ...Option) *WindowedTable[K, V] {
	o := apply(opts)
	failed := &WindowedTable[K, V]{b: t.b}
	if !t.ok() {
		return failed
	}
	if !s.untilWindowCloses {
		t.b.failf("cannot suppress: use UntilWindowCloses")
		return failed
	}
	given := or(o.node, o.as)
	n := engine.Node{Name: given, OnError: o.onError}
	if given == "" {
		n.Name = t.b.generate("KTABLE-SUPPRESS-")
	}
	store := given + "-store"
	if given == "" {
		store = t.b.generate("KTABLE-SUPPRESS-STATE-STORE-")
	}
	if !t.b.addProcessor(n.Name, t.name) || !t.b.addStore(topology.Store{Name: store, Kind: topology.Buffer, Logged: !o.unlogged}, n.Name) {
		return failed
	}
	r := *t
	r.name, r.store = n.Name, ""
	r.out = engine.Suppress(t.out, n, t.w, t.key, t.value, store)
	return &r
}

// ToStream is the stream of the results: each new one, null for a delete.
func (t *WindowedTable[K, V]) ToStream(opts ...Option) *WindowedStream[K, V] {
	_, n, ok := t.child("KTABLE-TOSTREAM-", opts)
	if !ok {
		return &WindowedStream[K, V]{b: t.b}
	}
	return &WindowedStream[K, V]{
		b: t.b, name: n.Name, inner: t.inner, key: t.key, value: t.value, w: t.w, sources: t.sources, out: engine.ToStream(t.out),
	}
}

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
	_, n, ok := s.child("KSTREAM-FILTER-", opts)
	if !ok {
		return &WindowedStream[K, V]{b: s.b}
	}
	r := *s
	r.name = n.Name
	r.out = engine.Filter(s.out, n, s.key, s.value, true, engine.Always(func(k Windowed[K], v V) (bool, error) { return f(k, v), nil }))
	return &r
}

// MapValues replaces each value by f's result. A null value that f cannot see stays null.
func (s *WindowedStream[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *WindowedStream[K, R] {
	s.b.given(f)
	o, n, ok := s.child("KSTREAM-MAPVALUES-", opts)
	if !ok {
		return &WindowedStream[K, R]{b: s.b}
	}
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	return &WindowedStream[K, R]{
		b: s.b, name: n.Name, inner: s.inner, key: s.key, value: result, w: s.w, sources: s.sources,
		out: engine.MapValues(s.out, n, s.key, s.value, result, false,
			engine.Always(func(_ Windowed[K], v V) (R, error) { return f(v), nil })),
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
	_, n, ok := s.child("KSTREAM-FOREACH-", opts)
	if !ok {
		return
	}
	engine.Peek(s.out, n, s.key, s.value, engine.Always(func(k Windowed[K], v V) error { f(k, v); return nil }))
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
