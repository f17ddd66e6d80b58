package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Table is the latest value of each key. Functions over its rows are not called for deletes. A Table whose making failed does
// nothing.
type Table[K, V any] struct {
	b       *Builder
	name    string
	key     *engine.Coder[K]
	value   *engine.Coder[V]
	out     *engine.Port[engine.Update[K, V]] // nil: a call before this one failed
	sources []string
	own     *engine.TableState

	// materialize keeps the table in a store if nothing else can look its rows up; lookups then go through view, and the
	// nodes that make them are connected with stores.
	materialize func()
	view        func() *engine.View[K, V]
	stores      func() []string
	// sendOld makes updates carry old values, keeping the table in a store for that if force is set. It reports whether
	// they do.
	sendOld func(force bool) bool
}

// StoreName is the name of the table's store, empty if it is not kept in one.
func (t *Table[K, V]) StoreName() string {
	if t.own == nil {
		return ""
	}
	return t.own.Store
}

func (t *Table[K, V]) ok() bool { return t.out != nil && t.b.open() }

// TableFrom is a table of a topic's records: the last one of each key, null deletes. It is kept in a store if it has a name
// or an operator needs it. Records without key are dropped.
func TableFrom[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) *Table[K, V] {
	o := apply(opts)
	failed := &Table[K, V]{b: b}
	if !b.open() {
		return failed
	}
	kc, ok := keyCoder(b, key)
	vc, ok2 := valueCoder(b, value)
	store := o.storeName(b, topic+"-")
	source := b.suffixOr(o.node, "-source", "KSTREAM-SOURCE-")
	name := b.nameOr(o.node, "KTABLE-SOURCE-")
	_, err := b.program.Graph.AddSource(source, topology.Source{Topics: []string{topic}, Start: o.start})
	if !b.added(source, err) || !b.addProcessor(name, source) || !ok || !ok2 {
		return failed
	}
	checkStart(b, o.start, false)
	stampSource(b, source, o.time, kc, vc)
	n := engine.Node{Name: name, OnError: o.onError}
	records := engine.Source[K, V](b.program, engine.Node{Name: source, OnError: o.onError})
	return tableOf(b, n, records, kc, vc, []string{source}, store, o)
}

// storeName is the given name of the store, or a generated one. Only the latter uses an index up.
func (o options) storeName(b *Builder, prefix string) string {
	if name := or(o.as, o.store); name != "" {
		return name
	}
	return b.generate(prefix + "STATE-STORE-")
}

// tableOf is the table of a stream's latest records.
func tableOf[K, V any](b *Builder, n engine.Node, records *engine.Port[engine.Record[K, V]], key *engine.Coder[K], value *engine.Coder[V], sources []string, store string, o options) *Table[K, V] {
	t := &Table[K, V]{b: b, name: n.Name, key: key, value: value, sources: sources, own: new(engine.TableState)}
	t.out = engine.ToTable(records, n, key, value, t.own)
	t.materialize = func() {
		if t.own.Store == "" && b.addStore(topology.Store{Name: store, Logged: !o.unlogged}, n.Name) {
			t.own.Store = store
			engine.Declare(b.program, store, engine.StoreTypes[K, V]{Key: key, Value: value})
		}
	}
	if or(o.as, o.store) != "" {
		t.materialize()
	}
	t.view = func() *engine.View[K, V] { return engine.StoreView[K, V](t.own, key) }
	t.stores = func() []string {
		t.materialize()
		return []string{t.own.Store}
	}
	t.sendOld = func(force bool) bool {
		if !force && t.own.Store == "" {
			return false
		}
		t.materialize()
		t.own.SendOld = true
		return true
	}
	return t
}

// ToTable is the table of the stream's latest records: null deletes, records without key are dropped.
func (s *Stream[K, V]) ToTable(opts ...Option) *Table[K, V] {
	o := apply(opts)
	failed := &Table[K, V]{b: s.b}
	if !s.ok() {
		return failed
	}
	n := engine.Node{Name: s.b.nameOr(o.node, "KSTREAM-TOTABLE-"), OnError: o.onError}
	store := o.storeName(s.b, "KSTREAM-TOTABLE-")
	from := s
	if s.rekeyed {
		from = s.through(n.Name, o)
	}
	if !from.ok() || !s.b.addProcessor(n.Name, from.name) {
		return failed
	}
	return tableOf(s.b, n, from.out, from.key, from.value, from.sources, store, o)
}

// GlobalTable is a table that every instance of the application holds whole. It serves lookups by any key and triggers
// nothing.
type GlobalTable[K, V any] struct {
	b     *Builder
	store string
	key   *engine.Coder[K]
	value *engine.Coder[V]
	view  *engine.View[K, V] // nil: failed
}

// GlobalTableFrom is a global table of a topic's records.
func GlobalTableFrom[K, V any](b *Builder, topic string, key serde.Serde[K], value serde.Serde[V], opts ...Option) *GlobalTable[K, V] {
	o := apply(opts)
	failed := &GlobalTable[K, V]{b: b}
	if !b.open() {
		return failed
	}
	kc, ok := keyCoder(b, key)
	vc, ok2 := valueCoder(b, value)
	store := o.storeName(b, topic+"-")
	source := b.suffixOr(o.node, "-source", "KSTREAM-SOURCE-")
	name := b.nameOr(o.node, "KTABLE-SOURCE-")
	_, err := b.program.Graph.AddSource(source, topology.Source{Topics: []string{topic}, Global: true})
	if !b.added(source, err) || !b.addProcessor(name, source) || !ok || !ok2 {
		return failed
	}
	if !b.addStore(topology.Store{Name: store, Global: true}, name) {
		return failed
	}
	checkStart(b, o.start, true)
	return &GlobalTable[K, V]{
		b: b, store: store, key: kc, value: vc, view: engine.GlobalTable[K, V](b.program, source, store, kc),
	}
}

// StoreName is the name of the table's store.
func (t *GlobalTable[K, V]) StoreName() string { return t.store }
