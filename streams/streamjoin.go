package streams

import (
	"strings"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// Join joins records of two streams that have the same key and meet in the window. The result has the later of both times.
func (s *Stream[K, V]) Join[W, R any](other *Stream[K, W], f func(left V, right W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{}, func(_ K, l *V, r *W) (R, error) { return f(*l, *r), nil }, opts)
}

// JoinWithKey is Join with a function that sees the key, which it must not change.
func (s *Stream[K, V]) JoinWithKey[W, R any](other *Stream[K, W], f func(key K, left V, right W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{key: true}, func(k K, l *V, r *W) (R, error) { return f(k, *l, *r), nil }, opts)
}

// LeftJoin is Join that also gives each left record that met nothing, with right nil: when its window has closed. The pointer
// is valid during the call.
func (s *Stream[K, V]) LeftJoin[W, R any](other *Stream[K, W], f func(left V, right *W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{left: true}, func(_ K, l *V, r *W) (R, error) { return f(*l, r), nil }, opts)
}

// LeftJoinWithKey is LeftJoin with a function that sees the key. A null key reads as its type's zero value.
func (s *Stream[K, V]) LeftJoinWithKey[W, R any](other *Stream[K, W], f func(key K, left V, right *W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{left: true, key: true}, func(k K, l *V, r *W) (R, error) { return f(k, *l, r), nil }, opts)
}

// OuterJoin is Join that also gives each record of either side that met nothing, the other being nil: when its window has
// closed. The pointers are valid during the call.
func (s *Stream[K, V]) OuterJoin[W, R any](other *Stream[K, W], f func(left *V, right *W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{left: true, right: true}, func(_ K, l *V, r *W) (R, error) { return f(l, r), nil }, opts)
}

// OuterJoinWithKey is OuterJoin with a function that sees the key. A null key reads as its type's zero value.
func (s *Stream[K, V]) OuterJoinWithKey[W, R any](other *Stream[K, W], f func(key K, left *V, right *W) R, w JoinWindow, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return joinStreams(s, other, w, joinSides{left: true, right: true, key: true}, func(k K, l *V, r *W) (R, error) { return f(k, l, r), nil }, opts)
}

// joinSides says which sides' unmatched records give results, and whether the function looks at the key.
type joinSides struct{ left, right, key bool }

// joinNames are the names of a join's parts, made in Kafka's order.
type joinNames struct {
	leftWindow, rightWindow, left, right, merge string
	leftStore, rightStore, unmatched            string
}

func (b *Builder) joinNames(o options, leftOuter, rightOuter bool) joinNames {
	given := or(o.node, o.as)
	leftSuffix, rightSuffix, shared := "-this-join", "-other-join", "-left-shared-join"
	leftPrefix, rightPrefix := "KSTREAM-JOINTHIS-", "KSTREAM-JOINOTHER-"
	if rightOuter {
		leftSuffix, leftPrefix, shared = "-outer-this-join", "KSTREAM-OUTERTHIS-", "-outer-shared-join"
	}
	if leftOuter {
		rightSuffix, rightPrefix = "-outer-other-join", "KSTREAM-OUTEROTHER-"
	}
	var n joinNames
	n.leftWindow = b.suffixOr(given, "-this-windowed", "KSTREAM-WINDOWED-")
	n.rightWindow = b.suffixOr(given, "-other-windowed", "KSTREAM-WINDOWED-")
	left, right := b.generate(leftPrefix), b.generate(rightPrefix)
	n.left, n.right = left, right
	if given != "" {
		n.left, n.right = given+leftSuffix, given+rightSuffix
	}
	n.merge = b.suffixOr(given, "-merge", "KSTREAM-MERGE-")
	n.leftStore, n.rightStore, n.unmatched = left, right, "KSTREAM-OUTERSHARED-"+strings.TrimPrefix(left, leftPrefix)
	if o.store != "" {
		n.leftStore, n.rightStore, n.unmatched = o.store+leftSuffix, o.store+rightSuffix, o.store+shared
	}
	n.leftStore, n.rightStore, n.unmatched = n.leftStore+"-store", n.rightStore+"-store", n.unmatched+"-store"
	return n
}

func joinStreams[K, V, W, R any](s *Stream[K, V], other *Stream[K, W], w JoinWindow, sides joinSides, f func(K, *V, *W) (R, error), opts []Option) *Stream[K, R] {
	o := apply(opts)
	failed := &Stream[K, R]{b: s.b}
	if !s.ok() || !other.ok() {
		return failed
	}
	if err := w.check(); err != nil {
		s.b.fail(err)
		return failed
	}
	if s.b != other.b {
		s.b.failf("cannot join streams of two builders")
		return failed
	}
	leftPrefix, rightPrefix := s.name, other.name
	if given := or(o.node, o.as); given != "" {
		leftPrefix, rightPrefix = given+"-left", given+"-right"
	}
	left, right := s.forJoin(leftPrefix), other.forJoin(rightPrefix)
	if !left.ok() || !right.ok() {
		return failed
	}
	n := s.b.joinNames(o, sides.left, sides.right)
	if !addJoinNodes(s.b, n, left.name, right.name, w, sides.left, o) {
		return failed
	}
	j := engine.StreamJoin[K, V, W, R]{
		Name: n.merge, LeftChild: n.leftWindow, RightChild: n.rightWindow, Key: left.key, Left: left.value, Right: right.value,
		Result:    coderOr(s.b, o.value, "ValueSerde", byType[R](s.b)),
		LeftOuter: sides.left, RightOuter: sides.right, NeedKey: sides.key,
		Before: w.before.Milliseconds(), After: w.after.Milliseconds(), Grace: w.grace.Milliseconds(),
		LeftStore: n.leftStore, RightStore: n.rightStore, Join: f,
	}
	if sides.left {
		j.Unmatched = n.unmatched
	}
	out := engine.JoinStreams(left.out, right.out,
		engine.Node{Name: n.left, OnError: o.onError}, engine.Node{Name: n.right, OnError: o.onError}, right.key, j)
	r := derive(left, engine.Node{Name: n.merge}, left.key, j.Result, out, false)
	r.sources = union(left.sources, right.sources)
	s.b.program.Graph.Copartition(r.sources)
	return r
}

// addJoinNodes adds the five nodes of a join and its stores to the graph.
func addJoinNodes(b *Builder, n joinNames, left, right string, w JoinWindow, outer bool, o options) bool {
	store := topology.Store{
		Kind: topology.Duplicates, Logged: !o.unlogged, WindowSize: w.before + w.after,
		Retention: max(w.before+w.after+w.grace, time.Millisecond), // records of one instant can still meet
	}
	ok := b.addProcessor(n.leftWindow, left) && b.addProcessor(n.rightWindow, right) &&
		b.addProcessor(n.left, n.leftWindow) && b.addProcessor(n.right, n.rightWindow) &&
		b.addProcessor(n.merge, n.left, n.right)
	if !ok {
		return false
	}
	store.Name = n.leftStore
	ok = b.addStore(store, n.leftWindow, n.right)
	store.Name = n.rightStore
	ok = ok && b.addStore(store, n.rightWindow, n.left)
	if outer && ok {
		ok = b.addStore(topology.Store{Name: n.unmatched, Kind: topology.Buffer, Logged: !o.unlogged}, n.left, n.right)
	}
	return ok
}
