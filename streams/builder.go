package streams

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/internal/worker"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Builder collects a topology. Sources begin it ([From], [TableFrom], [GlobalTableFrom]); their methods extend it; Build ends
// it. A mistake does not stop the program: it is noted with the caller's file and line, what hangs on it does nothing, and
// Build returns all of them. A Builder belongs to one goroutine.
type Builder struct {
	program *engine.Program
	index   int               // of generated names: one counter, as in Kafka Streams
	coders  map[any][]any     // by type: *engine.Coder of that type, one per serde
	stores  map[string]func() // by name: adds a store of AddStore to the graph, when a processor uses it
	where   map[string]string
	errs    []error
	built   bool
}

// NewBuilder is an empty topology.
func NewBuilder() *Builder {
	return &Builder{
		program: engine.NewProgram(), coders: make(map[any][]any), stores: make(map[string]func()), where: make(map[string]string),
	}
}

// ErrBuilt is a call on a Builder whose topology has been built.
var ErrBuilt = errors.New("the topology is already built")

// Build returns the topology, or every mistake made on the way to it, joined, each beginning with its file:line. A Builder
// builds once.
func (b *Builder) Build() (*Topology, error) {
	if b.built {
		b.fail(ErrBuilt)
	}
	b.built = true
	if len(b.program.Graph.Nodes()) == 0 && len(b.errs) == 0 {
		b.fail(errors.New("cannot build topology: it has no source"))
	}
	b.checkCopartitions()
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	return &Topology{program: b.program}, nil
}

// checkCopartitions finds repartition topics with fixed but different numbers of partitions that meet in one operator.
func (b *Builder) checkCopartitions() {
	g := b.program.Graph
	for _, group := range g.CopartitionGroups() {
		partitions, first := 0, ""
		for _, name := range group {
			t := g.Repartition(name)
			switch {
			case t == nil || t.Partitions == 0:
			case partitions == 0:
				partitions, first = t.Partitions, name
			case partitions != t.Partitions:
				b.errs = append(b.errs, fmt.Errorf("%s: %w: %s has %d partitions, %s has %d",
					b.where[g.SourceOf(name).Name], ErrNotCopartitioned, first, partitions, name, t.Partitions))
			}
		}
		for _, name := range group {
			if t := g.Repartition(name); t != nil && t.Partitions == 0 {
				t.Partitions = partitions
			}
		}
	}
}

// ErrNotCopartitioned is an operator whose inputs have different numbers of partitions.
var ErrNotCopartitioned = worker.ErrNotCopartitioned

// fail notes a mistake at the line that called into this package.
func (b *Builder) fail(err error) {
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("%s: %w", caller(), err))
	}
}

func (b *Builder) failf(format string, args ...any) { b.fail(fmt.Errorf(format, args...)) }

const (
	callerFramesMax = 64
	packagePrefix   = "github.com/millrace/millrace/streams."
)

// caller is the first line outside of this package.
func caller() string {
	pcs := make([]uintptr, callerFramesMax)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, packagePrefix) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return "unknown:0"
		}
	}
}

// open reports whether the builder still takes calls.
func (b *Builder) open() bool {
	if b.built {
		b.fail(ErrBuilt)
	}
	return !b.built
}

// generate makes a name, as Kafka Streams does: prefix and ten digits.
func (b *Builder) generate(prefix string) string {
	name := fmt.Sprintf("%s%010d", prefix, b.index)
	b.index++
	return name
}

// nameOr is the given name, or a generated one. A given name uses an index up all the same, so that naming one node does not
// rename the others.
func (b *Builder) nameOr(given, prefix string) string { return b.suffixOr(given, "", prefix) }

// suffixOr is nameOr with a suffix for given names.
func (b *Builder) suffixOr(given, suffix, prefix string) string {
	generated := b.generate(prefix)
	if given != "" {
		return given + suffix
	}
	return generated
}

// addProcessor adds a node to the graph. It reports false after a mistake.
func (b *Builder) addProcessor(name string, parents ...string) bool {
	_, err := b.program.Graph.AddProcessor(name, parents...)
	return b.added(name, err)
}

func (b *Builder) added(name string, err error) bool {
	if err == nil {
		err = checkName(name)
	}
	b.fail(err)
	b.where[name] = caller()
	return err == nil
}

// given notes functions that are nil.
func (b *Builder) given(functions ...any) {
	for _, f := range functions {
		if reflect.ValueOf(f).IsNil() {
			b.failf("cannot use nil as function: %s", reflect.TypeOf(f))
		}
	}
}

const nameBytesMax = 249

// checkName holds names to what Kafka allows in topics, because many become parts of one.
func checkName(name string) error {
	if len(name) > nameBytesMax {
		return fmt.Errorf("cannot use name %.20q…: it has %d bytes, at most %d are allowed", name, len(name), nameBytesMax)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return fmt.Errorf("cannot use name %q: only letters, digits, '.', '_' and '-' are allowed", name)
		}
	}
	return nil
}

// addStore adds a store to the graph and connects it.
func (b *Builder) addStore(s topology.Store, nodes ...string) bool {
	err := checkName(s.Name)
	if err == nil {
		err = b.program.Graph.AddStore(s, nodes...)
	}
	b.fail(err)
	return err == nil
}

// coder is the builder's one coder of a serde: equal serdes share it, which is how nodes know that bytes may pass undecoded.
func coder[T any](b *Builder, s serde.Serde[T]) *engine.Coder[T] {
	t := reflect.TypeFor[T]()
	for _, c := range b.coders[t] {
		if c := c.(*engine.Coder[T]); same(c.Codec(), s) {
			return c
		}
	}
	c := engine.NewCoder[T](s)
	if same(s, serde.Bytes) {
		c.Borrow()
	}
	b.coders[t] = append(b.coders[t], c)
	return c
}

// same reports whether two serdes are equal; serdes that cannot be compared never are.
func same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// coderOr is the coder of a serde given as an option, or fallback.
func coderOr[T any](b *Builder, given any, what string, fallback *engine.Coder[T]) *engine.Coder[T] {
	if given == nil {
		return fallback
	}
	s, ok := given.(serde.Serde[T])
	if !ok {
		b.failf("cannot use %s: it is a serde of another type than %s", what, reflect.TypeFor[T]())
		return fallback
	}
	return coder(b, s)
}

// keyCoder is the coder of a serde for keys, whose bytes must be canonical.
func keyCoder[K any](b *Builder, s serde.Serde[K]) (*engine.Coder[K], bool) {
	if s == nil {
		b.failf("cannot use nil as serde of keys")
		return nil, false
	}
	if err := serde.CheckKeySerde(s); err != nil {
		b.fail(err)
		return nil, false
	}
	return coder(b, s), true
}

// valueCoder is the coder of a serde for values.
func valueCoder[V any](b *Builder, s serde.Serde[V]) (*engine.Coder[V], bool) {
	if s == nil {
		b.failf("cannot use nil as serde of values")
		return nil, false
	}
	return coder(b, s), true
}

// byType is the coder of a type's default serde. Nil pointers are null.
func byType[T any](b *Builder) *engine.Coder[T] {
	s := serde.For[T]()
	if reflect.TypeFor[T]().Kind() == reflect.Pointer && !serde.AcceptsNull(s) {
		s = nilIsNull[T]{s}
	}
	return coder(b, s)
}

// nilIsNull makes a serde of pointers see null.
type nilIsNull[T any] struct{ serde.Serde[T] }

func (n nilIsNull[T]) IsNull(v T) bool {
	var null T
	return any(v) == any(null)
}

func (n nilIsNull[T]) Decode(b []byte) (T, error) {
	if b == nil {
		var null T
		return null, nil
	}
	return n.Serde.Decode(b)
}
