package streams

import (
	"strconv"

	"github.com/millrace/millrace/streams/internal/engine"
)

// Split begins a division of the stream into branches: each record goes to the first whose predicate holds.
func (s *Stream[K, V]) Split(opts ...Option) *Branches[K, V] {
	bs := &Branches[K, V]{of: s, out: make(map[string]*Stream[K, V])}
	_, n, ok := s.child("KSTREAM-BRANCH-", opts)
	if !ok {
		return bs
	}
	bs.name = n.Name
	engine.Branch(s.out, n, s.key, s.value, func() []engine.Arm[K, V] { return bs.arms })
	return bs
}

// Branches is a stream being split.
type Branches[K, V any] struct {
	of   *Stream[K, V]
	name string // empty after a mistake
	arms []engine.Arm[K, V]
	out  map[string]*Stream[K, V]
}

// Branch adds a branch of that name: the records for which f is true and that no branch before has taken. A null value that f
// cannot see never matches.
func (bs *Branches[K, V]) Branch(name string, f func(key K, value V) bool) *Branches[K, V] {
	if f == nil && bs.name != "" {
		bs.of.b.failf("cannot add branch %s: its predicate is nil", name)
		return bs
	}
	bs.add(name, len(bs.arms)+1, f)
	return bs
}

// Default adds a last branch for what no other has taken, and ends the split. The map holds the branches by the names
// given here; a branch without name is called by its number, the default 0.
func (bs *Branches[K, V]) Default(name string) map[string]*Stream[K, V] {
	bs.add(name, 0, nil)
	return bs.out
}

// NoDefault ends the split: what no branch has taken is dropped.
func (bs *Branches[K, V]) NoDefault() map[string]*Stream[K, V] { return bs.out }

func (bs *Branches[K, V]) add(name string, number int, f func(K, V) bool) {
	s := bs.of
	if name == "" {
		name = strconv.Itoa(number)
	}
	if bs.name == "" {
		bs.out[name] = &Stream[K, V]{b: s.b}
		return
	}
	if bs.out[name] != nil {
		s.b.failf("cannot add branch %s: there is one of that name", name)
		return
	}
	node := bs.name + name
	s.b.generate(node) // Kafka uses an index up
	if !s.b.addProcessor(node, bs.name) {
		bs.out[name] = &Stream[K, V]{b: s.b}
		return
	}
	out := new(engine.Port[engine.Record[K, V]])
	bs.arms = append(bs.arms, engine.Arm[K, V]{If: f, Port: out})
	bs.out[name] = derive(s, engine.Node{Name: node}, s.key, s.value, out, s.rekeyed)
}
