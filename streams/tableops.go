package streams

import (
	"context"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// child adds the node of a verb below t.
func (t *Table[K, V]) child(prefix string, opts []Option) (options, engine.Node, bool) {
	o := apply(opts)
	if !t.ok() {
		return o, engine.Node{}, false
	}
	n := engine.Node{Name: t.b.nameOr(or(o.node, o.as), prefix), OnError: o.onError}
	return o, n, t.b.addProcessor(n.Name, t.name)
}

// below is the table behind a node that computes its rows from t's. It is kept only under a name given with Stored; view
// computes its rows otherwise.
func below[K, V, R any](t *Table[K, V], n engine.Node, o options, value *engine.Coder[R], own *engine.TableState, out *engine.Port[engine.Update[K, R]], view func() *engine.View[K, R]) *Table[K, R] {
	r := &Table[K, R]{b: t.b, name: n.Name, key: t.key, value: value, sources: t.sources, own: own, out: out}
	r.materialize = func() {
		if own.Store == "" {
			t.materialize()
		}
	}
	if o.store != "" && t.b.addStore(topology.Store{Name: o.store, Logged: !o.unlogged}, n.Name) {
		own.Store = o.store
		engine.Declare(t.b.program, o.store, engine.StoreTypes[K, R]{Key: t.key, Value: value})
	}
	r.view = func() *engine.View[K, R] {
		if own.Store != "" {
			return engine.StoreView[K, R](own, t.key)
		}
		return view()
	}
	r.stores = func() []string {
		if own.Store != "" {
			return []string{own.Store}
		}
		return t.stores()
	}
	r.sendOld = func(force bool) bool {
		if own.Store != "" || t.sendOld(force) {
			own.SendOld = true
		}
		return own.SendOld
	}
	return r
}

// Filter keeps the rows for which f is true. A row that stops passing becomes a delete.
func (t *Table[K, V]) Filter(f func(key K, value V) bool, opts ...Option) *Table[K, V] {
	t.b.given(f)
	return t.filter(true, f, opts)
}

// FilterNot keeps the rows for which f is false. A row that stops passing becomes a delete.
func (t *Table[K, V]) FilterNot(f func(key K, value V) bool, opts ...Option) *Table[K, V] {
	t.b.given(f)
	return t.filter(false, f, opts)
}

func (t *Table[K, V]) filter(want bool, f func(K, V) bool, opts []Option) *Table[K, V] {
	o, n, ok := t.child("KTABLE-FILTER-", opts)
	if !ok {
		return &Table[K, V]{b: t.b}
	}
	own := new(engine.TableState)
	out := engine.FilterTable(t.out, n, t.key, t.value, own, want, f)
	r := below(t, n, o, t.value, own, out, func() *engine.View[K, V] {
		return engine.FilterView(t.view(), t.value, want, f)
	})
	r.sendOld(false) // where old values are at hand, a key that never passed gives no tombstone
	return r
}

// MapValues replaces each row's value by f's result; null deletes the row.
func (t *Table[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *Table[K, R] {
	t.b.given(f)
	return mapTable(t, engine.Always(func(_ K, v V) (R, error) { return f(v), nil }), opts)
}

// MapValuesWithKey is MapValues with a function that sees the key.
func (t *Table[K, V]) MapValuesWithKey[R any](f func(key K, value V) R, opts ...Option) *Table[K, R] {
	t.b.given(f)
	return mapTable(t, engine.Always(func(k K, v V) (R, error) { return f(k, v), nil }), opts)
}

// TryMapValues is MapValuesWithKey with a function that can fail; see [OnError].
func (t *Table[K, V]) TryMapValues[R any](f func(ctx context.Context, key K, value V) (R, error), opts ...Option) *Table[K, R] {
	t.b.given(f)
	return mapTable(t, func(ctx context.Context) func(K, V) (R, error) {
		return func(k K, v V) (R, error) { return f(ctx, k, v) }
	}, opts)
}

func mapTable[K, V, R any](t *Table[K, V], f engine.Maker[func(K, V) (R, error)], opts []Option) *Table[K, R] {
	o, n, ok := t.child("KTABLE-MAPVALUES-", opts)
	if !ok {
		return &Table[K, R]{b: t.b}
	}
	result := coderOr(t.b, o.value, "ValueSerde", byType[R](t.b))
	own := new(engine.TableState)
	out := engine.MapTable(t.out, n, t.key, t.value, result, own, f)
	return below(t, n, o, result, own, out, func() *engine.View[K, R] {
		return engine.MapView(t.view(), t.value, result, f)
	})
}

// ToStream is the stream of the table's updates: each new value, null for a delete.
func (t *Table[K, V]) ToStream(opts ...Option) *Stream[K, V] {
	_, n, ok := t.child("KTABLE-TOSTREAM-", opts)
	if !ok {
		return &Stream[K, V]{b: t.b}
	}
	return &Stream[K, V]{
		b: t.b, name: n.Name, key: t.key, value: t.value, sources: t.sources, out: engine.ToStream(t.out, n),
	}
}
