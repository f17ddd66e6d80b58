package streams

import (
	"context"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Grouped is a stream whose equal keys meet in one task. Its aggregations drop records without key or value.
type Grouped[K, V any] struct {
	of     *Stream[K, V]
	name   string        // given name of the grouping, and of its repartition topic
	shared *Stream[K, V] // repartitioned form, shared by the aggregations of a named grouping
}

// GroupByKey groups the stream by its key. If the key may have changed since it was read, it goes through a repartition
// topic.
func (s *Stream[K, V]) GroupByKey(opts ...Option) *Grouped[K, V] {
	o := apply(opts)
	if s.ok() && o.value != nil {
		s = withValue(s, coderOr(s.b, o.value, "ValueSerde", s.value))
	}
	return &Grouped[K, V]{of: s, name: or(o.as, o.node)}
}

// withValue is the stream with another serde for what is written of its values.
func withValue[K, V any](s *Stream[K, V], value *engine.Coder[V]) *Stream[K, V] {
	if value == s.value {
		return s
	}
	same := *s
	same.out = engine.Merge(engine.Node{Name: s.name}, s.key, value, engine.MergeParent[K, V]{Port: s.out, Key: s.key, Value: s.value})
	same.value = value
	return &same
}

// GroupBy groups the stream by a new key, through a repartition topic. A record whose value is null and not visible to f is
// dropped.
func (s *Stream[K, V]) GroupBy[K2 any](f func(key K, value V) K2, key serde.Serde[K2], opts ...Option) *Grouped[K2, V] {
	o := apply(opts)
	re := s.SelectKey(f, key, opts...)
	return &Grouped[K2, V]{of: re, name: or(o.as, o.node)}
}

// input is the stream that an aggregation reads: repartitioned if need be, under the grouping's name or the store's.
func (g *Grouped[K, V]) input(store string) *Stream[K, V] {
	s := g.of
	if !s.rekeyed {
		return s
	}
	if g.name == "" {
		return s.through(store, options{})
	}
	if g.shared != nil {
		for range 3 {
			s.b.generate("") // Kafka uses the indexes up all the same
		}
		return g.shared
	}
	g.shared = s.through(g.name, options{})
	return g.shared
}

// Count counts the records of each key.
func (g *Grouped[K, V]) Count(opts ...Option) *Table[K, int64] {
	return aggregateStream(g, "KSTREAM-AGGREGATE-", engine.Needs{}, byTypeOf[int64](g.of), engine.Always[engine.Fold[K, V, int64]](countUp[K, V]), opts)
}

func countUp[K, V any](_ K, _ V, n int64, _ bool) (int64, error)   { return n + 1, nil }
func countDown[K, V any](_ K, _ V, n int64, _ bool) (int64, error) { return n - 1, nil }

// byTypeOf is byType for a stream that may have failed.
func byTypeOf[T, K, V any](s *Stream[K, V]) *engine.Coder[T] { return byType[T](s.b) }

// Reduce combines the values of each key: f gets the result so far and the next value. The first value is its own result.
func (g *Grouped[K, V]) Reduce(f func(sum, value V) V, opts ...Option) *Table[K, V] {
	g.of.b.given(f)
	return aggregateStream(g, "KSTREAM-REDUCE-", engine.Needs{Value: true}, g.of.value, engine.Always(reducing[K](f)), opts)
}

func reducing[K, V any](f func(sum, value V) V) engine.Fold[K, V, V] {
	return func(_ K, v V, sum V, has bool) (V, error) {
		if !has {
			return v, nil
		}
		return f(sum, v), nil
	}
}

// Aggregate folds the values of each key: init makes the first aggregate, add the next from a value and the one before. A
// null aggregate deletes the key. The aggregate given to add may be changed and returned.
func (g *Grouped[K, V]) Aggregate[A any](init func() A, add func(key K, value V, aggregate A) A, opts ...Option) *Table[K, A] {
	g.of.b.given(init, add)
	return aggregateStream(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of), engine.Always(folding(init, add)), opts)
}

func folding[K, V, A any](init func() A, add func(K, V, A) A) engine.Fold[K, V, A] {
	return func(k K, v V, a A, has bool) (A, error) {
		if !has {
			a = init()
		}
		return add(k, v, a), nil
	}
}

// TryAggregate is Aggregate with a function that can fail; see [OnError].
func (g *Grouped[K, V]) TryAggregate[A any](init func() A, add func(ctx context.Context, key K, value V, aggregate A) (A, error), opts ...Option) *Table[K, A] {
	g.of.b.given(init, add)
	return aggregateStream(g, "KSTREAM-AGGREGATE-", engine.Needs{Key: true, Value: true}, byTypeOf[A](g.of), tryFolding(init, add), opts)
}

func tryFolding[K, V, A any](init func() A, add func(context.Context, K, V, A) (A, error)) engine.Maker[engine.Fold[K, V, A]] {
	return func(ctx context.Context) engine.Fold[K, V, A] {
		return func(k K, v V, a A, has bool) (A, error) {
			if !has {
				a = init()
			}
			return add(ctx, k, v, a)
		}
	}
}

func aggregateStream[K, V, A any](g *Grouped[K, V], prefix string, needs engine.Needs, fallback *engine.Coder[A], add engine.Maker[engine.Fold[K, V, A]], opts []Option) *Table[K, A] {
	o := apply(opts)
	s := g.of
	failed := &Table[K, A]{b: s.b}
	if !s.ok() {
		return failed
	}
	store := o.storeName(s.b, prefix)
	n := engine.Node{Name: s.b.nameOr(o.node, prefix), OnError: o.onError}
	from := g.input(store)
	if !from.ok() || !s.b.addProcessor(n.Name, from.name) {
		return failed
	}
	if !s.b.addStore(topology.Store{Name: store, Logged: !o.unlogged}, n.Name) {
		return failed
	}
	agg := coderOr(s.b, o.value, "ValueSerde", fallback)
	own := &engine.TableState{Store: store}
	out := engine.Aggregate(from.out, n, from.key, from.value, agg, own, needs, add)
	return kept(s.b, n, from.key, agg, from.sources, own, out)
}

// kept is a table that is always kept in a store.
func kept[K, V any](b *Builder, n engine.Node, key *engine.Coder[K], value *engine.Coder[V], sources []string, own *engine.TableState, out *engine.Port[engine.Update[K, V]]) *Table[K, V] {
	engine.Declare(b.program, own.Store, engine.StoreTypes[K, V]{Key: key, Value: value})
	return &Table[K, V]{
		b: b, name: n.Name, key: key, value: value, sources: sources, own: own, out: out,
		materialize: func() {},
		view:        func() *engine.View[K, V] { return engine.StoreView[K, V](own, key) },
		stores:      func() []string { return []string{own.Store} },
		sendOld: func(bool) bool {
			own.SendOld = true
			return true
		},
	}
}
