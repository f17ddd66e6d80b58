package streams

import (
	"context"

	"github.com/millrace/millrace/streams/internal/engine"
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
	return t.filter(true, f, opts)
}

// FilterNot keeps the results for which f is false; the others become deletes.
func (t *WindowedTable[K, V]) FilterNot(f func(key Windowed[K], value V) bool, opts ...Option) *WindowedTable[K, V] {
	t.b.given(f)
	return t.filter(false, f, opts)
}

func (t *WindowedTable[K, V]) filter(want bool, f func(Windowed[K], V) bool, opts []Option) *WindowedTable[K, V] {
	_, n, ok := t.child("KTABLE-FILTER-", opts)
	if !ok {
		return &WindowedTable[K, V]{b: t.b}
	}
	r := *t
	r.name, r.store = n.Name, ""
	r.out = engine.FilterTable(t.out, n, t.key, t.value, new(engine.TableState), want, f)
	return &r
}

// MapValues replaces each result's value by f's result; null deletes it. f is not called for deletes.
func (t *WindowedTable[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *WindowedTable[K, R] {
	t.b.given(f)
	return mapWindows(t, engine.Always(func(_ Windowed[K], v V) (R, error) { return f(v), nil }), opts)
}

// MapValuesWithKey is MapValues with a function that sees the key and its window.
func (t *WindowedTable[K, V]) MapValuesWithKey[R any](f func(key Windowed[K], value V) R, opts ...Option) *WindowedTable[K, R] {
	t.b.given(f)
	return mapWindows(t, engine.Always(func(k Windowed[K], v V) (R, error) { return f(k, v), nil }), opts)
}

// TryMapValues is MapValuesWithKey with a function that can fail; see [OnError].
func (t *WindowedTable[K, V]) TryMapValues[R any](f func(ctx context.Context, key Windowed[K], value V) (R, error), opts ...Option) *WindowedTable[K, R] {
	t.b.given(f)
	return mapWindows(t, func(ctx context.Context) func(Windowed[K], V) (R, error) {
		return func(k Windowed[K], v V) (R, error) { return f(ctx, k, v) }
	}, opts)
}

func mapWindows[K, V, R any](t *WindowedTable[K, V], f engine.Maker[func(Windowed[K], V) (R, error)], opts []Option) *WindowedTable[K, R] {
	o, n, ok := t.child("KTABLE-MAPVALUES-", opts)
	if !ok {
		return &WindowedTable[K, R]{b: t.b}
	}
	result := coderOr(t.b, o.value, "ValueSerde", byType[R](t.b))
	out := engine.MapTable(t.out, n, t.key, t.value, result, new(engine.TableState), f)
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
		b: t.b, name: n.Name, inner: t.inner, key: t.key, value: t.value, w: t.w, sources: t.sources, out: engine.ToStream(t.out, n),
	}
}
