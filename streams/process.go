package streams

import (
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// Header is one header of a record: Key string, Value []byte; a nil Value is null.
type Header = engine.Header

// Record is a record as processors see it. KeyNull and ValueNull mark nulls; Key or Value is then its type's value for null,
// or its zero value.
type Record[K, V any] struct {
	Key       K
	Value     V
	KeyNull   bool
	ValueNull bool
	Time      time.Time // event time, in milliseconds
	Headers   []Header  // must not be changed

	// Where the record that is being processed was read from. A record that is forwarded need not carry it.
	Topic     string
	Partition int32
	Offset    int64
}

// WithValue is the record with another value.
func (r Record[K, V]) WithValue[V2 any](value V2) Record[K, V2] {
	return Record[K, V2]{
		Key: r.Key, KeyNull: r.KeyNull, Value: value, Time: r.Time, Headers: r.Headers,
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
	}
}

// Processor is an operator of the user's own. One is made per task; all its methods and punctuators run in the task's
// goroutine, so it needs no locks. An error stops the application, unless [OnError] says otherwise for Process.
type Processor[K, V, K2, V2 any] interface {
	// Init is called once, before the first record, when the stores have their contents.
	Init(ctx *Context[K2, V2]) error
	// Process takes one record. []byte keys and values are valid until it returns.
	Process(r Record[K, V]) error
	// Close is called once, after the last record. What it does to stores or forwards is lost.
	Close() error
}

// Process sends the stream through a processor, which may forward any number of records with keys and values of its choice.
// supply makes one per task; Uses connects it with stores. Because keys may change, a grouping, join or table below goes
// through a repartition topic: [Stream.ProcessValues] spares it.
func (s *Stream[K, V]) Process[K2, V2 any](supply func() Processor[K, V, K2, V2], key serde.Serde[K2], value serde.Serde[V2], opts ...Option) *Stream[K2, V2] {
	n, o, ok := processor(s, "KSTREAM-PROCESSOR-", supply, opts)
	if !ok {
		return &Stream[K2, V2]{b: s.b}
	}
	kc, ok := keyCoder(s.b, key)
	vc, ok2 := valueCoder(s.b, value)
	if !ok || !ok2 {
		return &Stream[K2, V2]{b: s.b}
	}
	out := engine.Process(s.out, n, o.uses, kc, vc, hosted(s.key, s.value, supply))
	return derive(s, n, kc, vc, out, true)
}

// ProcessValues is Process with a processor that keeps the keys, so that no repartition topic is needed below: what it forwards
// while it processes a record must have that record's key, else Forward returns [ErrKeyChanged]. What a punctuator forwards must
// have a key that the processor has been given before.
func (s *Stream[K, V]) ProcessValues[V2 any](supply func() Processor[K, V, K, V2], value serde.Serde[V2], opts ...Option) *Stream[K, V2] {
	n, o, ok := processor(s, "KSTREAM-PROCESSVALUES-", supply, opts)
	if !ok {
		return &Stream[K, V2]{b: s.b}
	}
	vc, ok := valueCoder(s.b, value)
	if !ok {
		return &Stream[K, V2]{b: s.b}
	}
	out := engine.ProcessValues(s.out, n, o.uses, s.key, vc, hosted(s.key, s.value, supply))
	return derive(s, n, s.key, vc, out, s.rekeyed)
}

// processor adds the node of a processor and connects its stores.
func processor[K, V, K2, V2 any](s *Stream[K, V], prefix string, supply func() Processor[K, V, K2, V2], opts []Option) (engine.Node, options, bool) {
	o, n, ok := s.child(prefix, opts)
	if !ok {
		return n, o, false
	}
	if supply == nil {
		s.b.failf("cannot add processor %s: its supplier is nil", n.Name)
		return n, o, false
	}
	s.b.use(n.Name, o.uses)
	return n, o, true
}

// hosted makes a task's processor as the engine drives it.
func hosted[K, V, K2, V2 any](keyIn *engine.Coder[K], valueIn *engine.Coder[V], supply func() Processor[K, V, K2, V2]) func(*engine.Outlet[K2, V2]) engine.Processor[K, V] {
	return func(outlet *engine.Outlet[K2, V2]) engine.Processor[K, V] {
		p, ctx := supply(), &Context[K2, V2]{outlet}
		return engine.Processor[K, V]{
			Init:  func() error { return p.Init(ctx) },
			Close: p.Close,
			Process: func(r *engine.Record[K, V]) error {
				in, headers := outlet.Task().Current()
				rec := Record[K, V]{
					KeyNull: r.Key.IsNull(), ValueNull: r.Value.IsNull(), Time: time.UnixMilli(r.Time).UTC(),
					Headers: headers, Topic: in.Topic, Partition: in.Partition, Offset: in.Offset,
				}
				var err error
				if rec.Key, err = keyIn.Get(&r.Key); err != nil {
					return err
				}
				if rec.Value, err = valueIn.Get(&r.Value); err != nil {
					return err
				}
				return p.Process(rec)
			},
		}
	}
}

// use connects a processor with its stores, those added by AddStore among them.
func (b *Builder) use(node string, stores []string) {
	for _, name := range stores {
		if add := b.stores[name]; add != nil && b.program.Graph.Store(name) == nil {
			add()
		}
		b.fail(b.program.Graph.Connect(node, name))
	}
}

// Clock says what drives a punctuator.
type Clock = engine.Clock

const (
	// StreamTime is the task's event time. Its punctuators are aligned to the epoch, and fire when a record moves time to or
	// past their next instant: once, however far it jumped.
	StreamTime = engine.StreamTime
	// WallClock punctuators fire between records, first one interval after they were scheduled.
	WallClock = engine.WallClock
)

// Context is what a processor can reach.
type Context[K, V any] struct {
	outlet *engine.Outlet[K, V]
}

// Forward sends a record on, and returns when everything below has processed it. An error of the nodes below must be
// returned.
func (c *Context[K, V]) Forward(r Record[K, V]) error {
	return c.outlet.Forward(r.Key, r.Value, r.KeyNull, r.ValueNull, r.Time.UnixMilli(), r.Headers)
}

// ForwardTo is Forward to one of the nodes directly below only, by its name: what As or Named of the verb below
// says (of a sink, To's). Below a join it is "<name>-this-windowed" or "<name>-other-windowed"; where keys are repartitioned
// first, "<topic>-filter": Describe shows them. An unknown name is [ErrUnknownChild].
func (c *Context[K, V]) ForwardTo(child string, r Record[K, V]) error {
	return c.outlet.ForwardTo(child, r.Key, r.Value, r.KeyNull, r.ValueNull, r.Time.UnixMilli(), r.Headers)
}

// Errors of forwarding.
var (
	ErrUnknownChild = engine.ErrUnknownChild
	ErrKeyChanged   = engine.ErrKeyChanged
)

// Schedule calls f every interval, in whole milliseconds, until cancel is called.
func (c *Context[K, V]) Schedule(interval time.Duration, by Clock, f func(at time.Time) error) (cancel func(), err error) {
	return c.outlet.Schedule(interval.Milliseconds(), by, func(at int64) error { return f(time.UnixMilli(at).UTC()) })
}

// StreamTime is the highest event time the task has seen; before the first record, a millisecond before the epoch.
func (c *Context[K, V]) StreamTime() time.Time {
	return time.UnixMilli(c.outlet.Task().StreamTime()).UTC()
}

// Now is the wall clock, which a test moves by hand.
func (c *Context[K, V]) Now() time.Time { return time.UnixMilli(c.outlet.Task().Now()).UTC() }

// TaskID names the task, as "<subtopology>_<partition>".
func (c *Context[K, V]) TaskID() string { return c.outlet.Task().ID().String() }
