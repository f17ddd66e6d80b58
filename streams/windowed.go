package streams

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// WindowedGroup is a grouped stream, cut into time windows. Its aggregations drop records without key. Null values are
// counted by Count, and shown to functions whose type has a value for null; sliding windows drop them.
type WindowedGroup[K, V any] struct {
	of *Grouped[K, V]
	w  Windows
	ok bool
}

// Window cuts the groups into time windows.
func (g *Grouped[K, V]) Window(w Windows) *WindowedGroup[K, V] {
	err := w.check()
	g.of.b.fail(err)
	return &WindowedGroup[K, V]{of: g, w: w, ok: err == nil}
}

// Count counts the records of each key and window.
func (g *WindowedGroup[K, V]) Count(opts ...Option) *WindowedTable[K, int64] {
	return aggregateWindows(g, "KSTREAM-AGGREGATE-", engine.Needs{}, byTypeOf[int64](g.of.of), engine.Always[engine.Fold[K, V, int64]](countUp[K, V]), opts)
}

// Reduce combines the values of each key and window: f gets the result so far and the next value.
func (g *WindowedGroup[K, V]) Reduce(f func(sum, value V) V, opts ...Option) *WindowedTable[K, V] {
	g.of.of.b.given(f)
	return aggregateWindows(g, "KSTREAM-REDUCE-", engine.Needs{Value: true}, g.of.of.value, engine.Always(reducing[K](f)), opts)
}

// Aggregate folds the values of each key and window: init makes the first aggregate, add the next from a value and the one
// before. A null aggregate deletes the window.
func (g *WindowedGroup[K, V]) Aggregate[A any](init func() A, add func(key K, value V, aggregate A) A, opts ...Option) *WindowedTable[K, A] {
	g.of.of.b.given(init, add)
	return aggregateWindows(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of.of), engine.Always(folding(init, add)), opts)
}

// TryAggregate is Aggregate with a function that can fail; see [OnError].
func (g *WindowedGroup[K, V]) TryAggregate[A any](init func() A, add func(ctx context.Context, key K, value V, aggregate A) (A, error), opts ...Option) *WindowedTable[K, A] {
	g.of.of.b.given(init, add)
	return aggregateWindows(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of.of), tryFolding(init, add), opts)
}

func aggregateWindows[K, V, A any](g *WindowedGroup[K, V], prefix string, needs engine.Needs, fallback *engine.Coder[A], add engine.Maker[engine.Fold[K, V, A]], opts []Option) *WindowedTable[K, A] {
	failed := &WindowedTable[K, A]{b: g.of.of.b}
	if !g.ok {
		return failed
	}
	w := engine.Windowing{
		Kind: g.w.kind, Size: g.w.size.Milliseconds(), Advance: g.w.advance.Milliseconds(), Grace: g.w.grace.Milliseconds(),
	}
	least := g.w.size + g.w.grace
	if w.Kind == engine.SlidingWindows {
		least = max(2*g.w.size+g.w.grace, time.Millisecond)
	}
	at, ok := windowedNode(g.of, prefix, opts, topology.Store{Kind: topology.Window, WindowSize: g.w.size, Retention: least})
	if !ok {
		return failed
	}
	agg := coderOr(failed.b, at.o.value, "ValueSerde", fallback)
	out := engine.AggregateWindows(at.from.out, at.node, w, at.from.key, at.from.value, agg, at.own, needs, add)
	return windowedTable(failed.b, at.node.Name, at.own.Store, at.from.key, agg, w, at.from.sources, out)
}

// SessionGroup is a grouped stream, cut into sessions. It treats nulls as WindowedGroup does.
type SessionGroup[K, V any] struct {
	of *Grouped[K, V]
	w  Sessions
	ok bool
}

// SessionWindow cuts the groups into sessions.
func (g *Grouped[K, V]) SessionWindow(w Sessions) *SessionGroup[K, V] {
	err := w.check()
	g.of.b.fail(err)
	return &SessionGroup[K, V]{of: g, w: w, ok: err == nil}
}

// Count counts the records of each key and session.
func (g *SessionGroup[K, V]) Count(opts ...Option) *WindowedTable[K, int64] {
	merge := func(_ K, a, b int64, _ bool) (int64, error) { return a + b, nil }
	return aggregateSessions(g, "KSTREAM-AGGREGATE-", engine.Needs{}, byTypeOf[int64](g.of.of), engine.Always[engine.Fold[K, V, int64]](countUp[K, V]), merge, opts)
}

// Reduce combines the values of each key and session: f gets the result so far and the next value, or the results of two
// sessions that become one.
func (g *SessionGroup[K, V]) Reduce(f func(sum, value V) V, opts ...Option) *WindowedTable[K, V] {
	g.of.of.b.given(f)
	merge := func(_ K, a, b V, has bool) (V, error) {
		if !has {
			return b, nil
		}
		return f(a, b), nil
	}
	return aggregateSessions(g, "KSTREAM-REDUCE-", engine.Needs{Value: true}, g.of.of.value, engine.Always(reducing[K](f)), merge, opts)
}

// Aggregate folds the values of each key and session: init and add as in Grouped.Aggregate; merge combines the aggregates of
// sessions that become one, beginning with init's. A null aggregate deletes the session.
func (g *SessionGroup[K, V]) Aggregate[A any](init func() A, add func(key K, value V, aggregate A) A, merge func(key K, a, b A) A, opts ...Option) *WindowedTable[K, A] {
	g.of.of.b.given(init, add, merge)
	return aggregateSessions(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of.of), engine.Always(folding(init, add)), merging(init, merge), opts)
}

// TryAggregate is Aggregate with an add that can fail; see [OnError].
func (g *SessionGroup[K, V]) TryAggregate[A any](init func() A, add func(ctx context.Context, key K, value V, aggregate A) (A, error), merge func(key K, a, b A) A, opts ...Option) *WindowedTable[K, A] {
	g.of.of.b.given(init, add, merge)
	return aggregateSessions(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of.of), tryFolding(init, add), merging(init, merge), opts)
}

// merging is how the aggregates of sessions become one.
func merging[K, A any](init func() A, merge func(K, A, A) A) engine.MergeFold[K, A] {
	return func(k K, a, b A, has bool) (A, error) {
		if !has {
			a = init()
		}
		return merge(k, a, b), nil
	}
}

func aggregateSessions[K, V, A any](g *SessionGroup[K, V], prefix string, needs engine.Needs, fallback *engine.Coder[A], add engine.Maker[engine.Fold[K, V, A]], merge engine.MergeFold[K, A], opts []Option) *WindowedTable[K, A] {
	failed := &WindowedTable[K, A]{b: g.of.of.b}
	if !g.ok {
		return failed
	}
	w := engine.Windowing{Kind: engine.SessionWindows, Size: g.w.gap.Milliseconds(), Grace: g.w.grace.Milliseconds()}
	at, ok := windowedNode(g.of, prefix, opts, topology.Store{Kind: topology.Session, Retention: g.w.gap + g.w.grace})
	if !ok {
		return failed
	}
	agg := coderOr(failed.b, at.o.value, "ValueSerde", fallback)
	out := engine.AggregateSessions(at.from.out, at.node, w, at.from.key, at.from.value, agg, at.own, needs, add, merge)
	return windowedTable(failed.b, at.node.Name, at.own.Store, at.from.key, agg, w, at.from.sources, out)
}

// place is where a windowed aggregation stands in the graph.
type place[K, V any] struct {
	o    options
	node engine.Node
	from *Stream[K, V]
	own  *engine.TableState
}

// windowedNode adds the node and the store of a windowed aggregation. store.Retention is the least that will do, and the
// default.
func windowedNode[K, V any](g *Grouped[K, V], prefix string, opts []Option, store topology.Store) (place[K, V], bool) {
	p := place[K, V]{o: apply(opts)}
	b := g.of.b
	if !g.of.ok() {
		return p, false
	}
	if r := p.o.retention; r != 0 {
		b.fail(checkRetention(r, store.Retention))
		store.Retention = r
	}
	store.Name = p.o.storeName(b, prefix)
	store.Logged = !p.o.unlogged
	p.node = engine.Node{Name: b.nameOr(p.o.node, prefix), OnError: p.o.onError}
	if p.from = g.input(store.Name); !p.from.ok() {
		return p, false
	}
	p.own = &engine.TableState{Store: store.Name}
	return p, b.addProcessor(p.node.Name, p.from.name) && b.addStore(store, p.node.Name)
}

func checkRetention(given, least time.Duration) error {
	if given < least {
		return fmt.Errorf("cannot keep windows for %s: late records need at least %s", given, least)
	}
	return wholeMillis(given)
}
