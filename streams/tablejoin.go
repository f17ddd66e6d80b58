package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// Join joins the rows of two tables that have the same key. A row of the result exists while both sides have one.
func (t *Table[K, V]) Join[W, R any](other *Table[K, W], f func(left V, right W) R, opts ...Option) *Table[K, R] {
	t.b.given(f)
	return joinTables(t, other, true, true, func(l *V, r *W) (R, error) { return f(*l, *r), nil }, opts)
}

// LeftJoin joins the rows of two tables. A row of the result exists while the left side has one; right is nil when the other
// has none. The pointer is valid during the call.
func (t *Table[K, V]) LeftJoin[W, R any](other *Table[K, W], f func(left V, right *W) R, opts ...Option) *Table[K, R] {
	t.b.given(f)
	return joinTables(t, other, true, false, func(l *V, r *W) (R, error) { return f(*l, r), nil }, opts)
}

// OuterJoin joins the rows of two tables. A row of the result exists while either side has one; the absent one is nil. The
// pointers are valid during the call.
func (t *Table[K, V]) OuterJoin[W, R any](other *Table[K, W], f func(left *V, right *W) R, opts ...Option) *Table[K, R] {
	t.b.given(f)
	return joinTables(t, other, false, false, func(l *V, r *W) (R, error) { return f(l, r), nil }, opts)
}

func joinTables[K, V, W, R any](t *Table[K, V], other *Table[K, W], needLeft, needRight bool, f func(*V, *W) (R, error), opts []Option) *Table[K, R] {
	o := apply(opts)
	failed := &Table[K, R]{b: t.b}
	if !t.ok() || !other.ok() {
		return failed
	}
	if t.b != other.b {
		t.b.failf("cannot join tables of two builders")
		return failed
	}
	given := or(o.node, o.as)
	merge := engine.Node{Name: t.b.nameOr(given, "KTABLE-MERGE-"), OnError: o.onError}
	if !needRight {
		t.sendOld(true)
	}
	if !needLeft {
		other.sendOld(true)
	}
	left := engine.Node{Name: t.b.suffixOr(given, "-join-this", "KTABLE-JOINTHIS-"), OnError: o.onError}
	right := engine.Node{Name: t.b.suffixOr(given, "-join-other", "KTABLE-JOINOTHER-"), OnError: o.onError}
	if !t.b.addProcessor(left.Name, t.name) || !t.b.addProcessor(right.Name, other.name) || !t.b.addProcessor(merge.Name, left.Name, right.Name) {
		return failed
	}
	t.b.fail(t.b.program.Graph.Connect(left.Name, other.stores()...))
	t.b.fail(t.b.program.Graph.Connect(right.Name, t.stores()...))
	result := coderOr(t.b, o.value, "ValueSerde", byType[R](t.b))
	own := new(engine.TableState)
	if o.store != "" && t.b.addStore(topology.Store{Name: o.store, Logged: !o.unlogged}, merge.Name) {
		own.Store = o.store
		engine.Declare(t.b.program, o.store, engine.StoreTypes[K, R]{Key: t.key, Value: result})
	}
	sources := union(t.sources, other.sources)
	t.b.program.Graph.Copartition(sources)
	return joined(t, other, merge, left, right, sources, own, engine.TableJoin[K, V, W, R]{
		Key: t.key, Left: t.value, Right: other.value, Result: result, NeedLeft: needLeft, NeedRight: needRight, Join: f,
	})
}

func joined[K, V, W, R any](t *Table[K, V], other *Table[K, W], merge, left, right engine.Node, sources []string, own *engine.TableState, j engine.TableJoin[K, V, W, R]) *Table[K, R] {
	r := &Table[K, R]{b: t.b, name: merge.Name, key: t.key, value: j.Result, sources: sources, own: own}
	r.out = engine.JoinTables(t.out, other.out, left, right, merge, t.view(), other.view(), other.key, j, own)
	r.materialize = func() {
		if own.Store == "" {
			t.materialize()
			other.materialize()
		}
	}
	r.view = func() *engine.View[K, R] {
		if own.Store != "" {
			return engine.StoreView[K, R](own, t.key)
		}
		return engine.JoinView(t.view(), other.view(), j)
	}
	r.stores = func() []string {
		if own.Store != "" {
			return []string{own.Store}
		}
		return union(t.stores(), other.stores())
	}
	r.sendOld = func(bool) bool {
		t.sendOld(true)
		other.sendOld(true)
		own.SendOld = true
		return true
	}
	return r
}

// JoinTable joins each record with the table's row of its key as it is now; a record without row gives nothing. Updates of
// the table give nothing either.
func (s *Stream[K, V]) JoinTable[W, R any](t *Table[K, W], f func(value V, row W) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinTable(s, t, false, false, func(_ K, v V, w *W) (R, error) { return f(v, *w), nil }, opts)
}

// JoinTableWithKey is JoinTable with a function that sees the key, which it must not change.
func (s *Stream[K, V]) JoinTableWithKey[W, R any](t *Table[K, W], f func(key K, value V, row W) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinTable(s, t, false, true, func(k K, v V, w *W) (R, error) { return f(k, v, *w), nil }, opts)
}

// LeftJoinTable joins each record with the table's row of its key as it is now, nil if there is none. The pointer is valid
// during the call.
func (s *Stream[K, V]) LeftJoinTable[W, R any](t *Table[K, W], f func(value V, row *W) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinTable(s, t, true, false, func(_ K, v V, w *W) (R, error) { return f(v, w), nil }, opts)
}

// LeftJoinTableWithKey is LeftJoinTable with a function that sees the key. A null key reads as its type's zero value.
func (s *Stream[K, V]) LeftJoinTableWithKey[W, R any](t *Table[K, W], f func(key K, value V, row *W) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinTable(s, t, true, true, func(k K, v V, w *W) (R, error) { return f(k, v, w), nil }, opts)
}

func joinTable[K, V, W, R any](s *Stream[K, V], t *Table[K, W], left, needKey bool, f func(K, V, *W) (R, error), opts []Option) *Stream[K, R] {
	o := apply(opts)
	failed := &Stream[K, R]{b: s.b}
	if !s.ok() || !t.ok() {
		return failed
	}
	if s.b != t.b {
		s.b.failf("cannot join a stream and a table of two builders")
		return failed
	}
	given := or(o.node, o.as)
	from := s.forJoin(or(given, s.name))
	if !from.ok() {
		return failed
	}
	prefix := "KSTREAM-JOIN-"
	if left {
		prefix = "KSTREAM-LEFTJOIN-"
	}
	n := engine.Node{Name: s.b.nameOr(given, prefix), OnError: o.onError}
	if !s.b.addProcessor(n.Name, from.name) {
		return failed
	}
	s.b.fail(s.b.program.Graph.Connect(n.Name, t.stores()...))
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	out := engine.JoinTable(from.out, n, from.key, from.value, t.view(), t.value, result, left, needKey, f)
	r := derive(from, n, from.key, result, out, false)
	r.sources = union(from.sources, t.sources)
	s.b.program.Graph.Copartition(r.sources)
	return r
}

// JoinGlobal joins each record with the global table's row of the key that pick chooses; a record without row gives nothing.
func (s *Stream[K, V]) JoinGlobal[KG, W, R any](t *GlobalTable[KG, W], pick func(key K, value V) KG, f func(value V, row W) R, opts ...Option) *Stream[K, R] {
	s.b.given(pick, f)
	return joinGlobal(s, t, false, pick, func(_ K, _ KG, v V, w *W) (R, error) { return f(v, *w), nil }, opts)
}

// JoinGlobalWithKey is JoinGlobal with a function that sees the record's key and the chosen one.
func (s *Stream[K, V]) JoinGlobalWithKey[KG, W, R any](t *GlobalTable[KG, W], pick func(key K, value V) KG, f func(key K, picked KG, value V, row W) R, opts ...Option) *Stream[K, R] {
	s.b.given(pick, f)
	return joinGlobal(s, t, false, pick, func(k K, kg KG, v V, w *W) (R, error) { return f(k, kg, v, *w), nil }, opts)
}

// LeftJoinGlobalWithKey is LeftJoinGlobal with a function that sees the record's key and the chosen one. A null key reads as
// its type's zero value.
func (s *Stream[K, V]) LeftJoinGlobalWithKey[KG, W, R any](t *GlobalTable[KG, W], pick func(key K, value V) KG, f func(key K, picked KG, value V, row *W) R, opts ...Option) *Stream[K, R] {
	s.b.given(pick, f)
	return joinGlobal(s, t, true, pick, func(k K, kg KG, v V, w *W) (R, error) { return f(k, kg, v, w), nil }, opts)
}

// LeftJoinGlobal joins each record with the global table's row of the key that pick chooses, nil if there is none or the
// chosen key is null. The pointer is valid during the call.
func (s *Stream[K, V]) LeftJoinGlobal[KG, W, R any](t *GlobalTable[KG, W], pick func(key K, value V) KG, f func(value V, row *W) R, opts ...Option) *Stream[K, R] {
	s.b.given(pick, f)
	return joinGlobal(s, t, true, pick, func(_ K, _ KG, v V, w *W) (R, error) { return f(v, w), nil }, opts)
}

func joinGlobal[K, V, KG, W, R any](s *Stream[K, V], t *GlobalTable[KG, W], left bool, pick func(K, V) KG, f func(K, KG, V, *W) (R, error), opts []Option) *Stream[K, R] {
	o, n, ok := s.child("KSTREAM-LEFTJOIN-", opts) // Kafka's name for both forms
	if !ok || t.view == nil {
		return &Stream[K, R]{b: s.b}
	}
	if s.b != t.b {
		s.b.failf("cannot join a stream and a global table of two builders")
		return &Stream[K, R]{b: s.b}
	}
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	out := engine.JoinGlobal(s.out, n, s.key, s.value, t.view, t.value, result, left, pick, f)
	return derive(s, n, s.key, result, out, s.rekeyed)
}
