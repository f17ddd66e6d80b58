package streams

import (
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Option modifies a verb. Options that a verb has no use for are ignored.
type Option func(*options)

type options struct {
	as         string
	node       string
	store      string
	key        any // serde
	value      any // serde
	partitions int
	retention  time.Duration
	unlogged   bool
	uses       []string
	onError    engine.Handler
	partition  any
	start      topology.Start
	time       TimeSource
}

func apply(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// As names what the verb makes: the store of TableFrom, GlobalTableFrom, ToTable, Count, Reduce and Aggregate; the grouping
// and its repartition topic of GroupBy and GroupByKey; the topic of Repartition; the nodes and topics of joins; else the node.
// The package comment has a table.
func As(name string) Option { return func(o *options) { o.as = name } }

// Named names the node of a verb where As names its store.
func Named(name string) Option { return func(o *options) { o.node = name } }

// Stored keeps the result of a table's Filter, MapValues or Join in a store of that name, or names the stores of a join of
// streams.
func Stored(name string) Option { return func(o *options) { o.store = name } }

// KeySerde sets the serde of the verb's keys, instead of the one that follows from the stream.
func KeySerde[K any](s serde.Serde[K]) Option { return func(o *options) { o.key = s } }

// ValueSerde sets the serde of the verb's results, instead of the one that follows from their type.
func ValueSerde[V any](s serde.Serde[V]) Option { return func(o *options) { o.value = s } }

// Partitions fixes the number of partitions of a Repartition.
func Partitions(n int) Option { return func(o *options) { o.partitions = n } }

// Retention is how long a windowed store keeps a window after its start; at least size + grace, which is the default.
func Retention(d time.Duration) Option { return func(o *options) { o.retention = d } }

// Unlogged makes a store without changelog topic: its contents are lost with the task.
func Unlogged() Option { return func(o *options) { o.unlogged = true } }

// Uses connects a processor with stores added by AddStore.
func Uses(stores ...string) Option { return func(o *options) { o.uses = append(o.uses, stores...) } }

// Partitioner chooses the partition of each record that To, ToChosen or Repartition writes, from 0 to partitions − 1; below
// zero leaves it to the default, which hashes the key's bytes as Kafka's Java client does. A null key or value that f cannot
// see is its type's zero value. A choice beyond the last partition is an error of the record: see [OnError].
func Partitioner[K, V any](f func(key K, value V, partitions int32) int32) Option {
	return func(o *options) { o.partition = f }
}

// OnError says what happens to a record that this verb's function, or a serde on its way, refuses.
func OnError(a Action) Option { return func(o *options) { o.onError = a.handler } }

// Action is what to do with a record that failed: [Fail], [Continue] or [DeadLetter].
type Action struct{ handler engine.Handler }

// Fail stops the application with the error. It is the default.
func Fail() Action { return Action{engine.Handler{Action: engine.Fail}} }

// Continue drops the record at the node that failed, and counts it.
func Continue() Action { return Action{engine.Handler{Action: engine.Continue}} }

// DeadLetter drops the record at the node that failed, counts it, and writes the source record as it was read to topic, with
// Kafka's __streams.errors.* headers. It is committed together with the record's offset.
func DeadLetter(topic string) Action {
	return Action{engine.Handler{Action: engine.DeadLetter, Topic: topic}}
}

func (a Action) check(b *Builder) {
	if a.handler.Action == engine.DeadLetter && a.handler.Topic == "" {
		b.failf("cannot send dead letters: the topic is empty")
	}
}
