package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// GroupedTable is a table whose rows are grouped by a new key. Its aggregations follow the rows: a row that changes or
// goes is subtracted from its old group.
type GroupedTable[K, V any] struct {
	b      *Builder
	parent string // the node that selects; empty after a mistake
	name   string // given name of the grouping, and of its repartition topic
	key    *engine.Coder[K]
	value  *engine.Coder[V]
	out    *engine.Port[engine.Update[K, V]]
	shared *repartitionedTable[K, V]
}

type repartitionedTable[K, V any] struct {
	source string
	out    *engine.Port[engine.Update[K, V]]
}

// GroupBy groups the rows by the key, and with the value, that f gives each of them, through a repartition topic. Rows whose
// new key or value is null belong to no group.
func (t *Table[K, V]) GroupBy[K2, V2 any](f func(key K, value V) (K2, V2), key serde.Serde[K2], opts ...Option) *GroupedTable[K2, V2] {
	t.b.given(f)
	o, n, ok := t.child("KTABLE-SELECT-", opts)
	g := &GroupedTable[K2, V2]{b: t.b, name: or(o.as, o.node)}
	if !ok {
		return g
	}
	t.sendOld(true)
	if g.key, ok = keyCoder(t.b, key); !ok {
		return g
	}
	g.value = coderOr(t.b, o.value, "ValueSerde", byType[V2](t.b))
	g.out = engine.SelectTable(t.out, n, t.key, t.value, g.key, g.value, f)
	g.parent = n.Name
	return g
}

// Count counts the rows of each group.
func (g *GroupedTable[K, V]) Count(opts ...Option) *Table[K, int64] {
	return aggregateTable(g, "KTABLE-AGGREGATE-", engine.Needs{}, byType[int64](g.b), countUp[K, V], countDown[K, V], opts)
}

// Reduce combines the values of each group: add gets the result so far and a value that came, sub one that went.
func (g *GroupedTable[K, V]) Reduce(add, sub func(sum, value V) V, opts ...Option) *Table[K, V] {
	g.b.given(add, sub)
	return aggregateTable(g, "KTABLE-REDUCE-", engine.Needs{Value: true}, g.value, reducing[K](add), reducing[K](sub), opts)
}

// Aggregate folds the values of each group: add gets a value that came, sub one that went, which is called only for groups
// that have an aggregate. A null aggregate deletes the group.
func (g *GroupedTable[K, V]) Aggregate[A any](init func() A, add, sub func(key K, value V, aggregate A) A, opts ...Option) *Table[K, A] {
	g.b.given(init, add, sub)
	return aggregateTable(g, "KTABLE-AGGREGATE-", engine.Needs{Key: true, Value: true}, byType[A](g.b), folding(init, add), folding(init, sub), opts)
}

func aggregateTable[K, V, A any](g *GroupedTable[K, V], prefix string, needs engine.Needs, fallback *engine.Coder[A], add, sub engine.Fold[K, V, A], opts []Option) *Table[K, A] {
	o := apply(opts)
	failed := &Table[K, A]{b: g.b}
	if g.parent == "" || !g.b.open() {
		return failed
	}
	store := o.storeName(g.b, prefix)
	sink := g.b.suffixOr(o.node, "-sink", "KSTREAM-SINK-")
	source := g.b.suffixOr(o.node, "-source", "KSTREAM-SOURCE-")
	n := engine.Node{Name: g.b.nameOr(o.node, prefix), OnError: o.onError}
	in, ok := g.through(sink, source, or(g.name, store)+repartitionSuffix, n)
	if !ok || !g.b.addProcessor(n.Name, in.source) || !g.b.addStore(topology.Store{Name: store, Logged: !o.unlogged}, n.Name) {
		return failed
	}
	agg := coderOr(g.b, o.value, "ValueSerde", fallback)
	own := &engine.TableState{Store: store}
	out := engine.AggregateTable(in.out, n, g.key, g.value, agg, own, needs, add, sub)
	return kept(g.b, n, g.key, agg, []string{in.source}, own, out)
}

// through adds the repartition topic, or takes the one of a named grouping that has it already.
func (g *GroupedTable[K, V]) through(sink, source, topic string, n engine.Node) (*repartitionedTable[K, V], bool) {
	if g.shared != nil && g.name != "" {
		return g.shared, true
	}
	graph := g.b.program.Graph
	graph.AddRepartition(topic, 0)
	_, err := graph.AddSink(sink, topology.Sink{Topic: topic}, g.parent)
	if !g.b.added(sink, err) {
		return nil, false
	}
	_, err = graph.AddSource(source, topology.Source{Topics: []string{topic}})
	if !g.b.added(source, err) {
		return nil, false
	}
	engine.ChangeSink(g.out, engine.Node{Name: sink, OnError: n.OnError}, topic, g.key, g.value)
	g.shared = &repartitionedTable[K, V]{
		source: source, out: engine.ChangeSource[K, V](g.b.program, engine.Node{Name: source, OnError: n.OnError}),
	}
	return g.shared, true
}
