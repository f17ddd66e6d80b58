// Package streams is a library for programs that transform streams of records: filter, join, aggregate, in event time, with
// state that survives crashes. A topology is declared with a [Builder]; an application runs it against a log that speaks
// the Kafka protocol; package streamstest runs it in a test.
//
//	b := streams.NewBuilder()
//	streams.From(b, "lines", serde.String, serde.String).
//		FlatMapValues(strings.Fields).
//		GroupBy(func(_, word string) string { return word }, serde.String).
//		Count(streams.As("counts")).
//		ToStream().
//		To("word-counts", serde.String, serde.Int64)
//	topo, err := b.Build() // every mistake at once, each with its file:line
//
// A [Stream] is a sequence of records, a [Table] the latest value of each key, a [GlobalTable] one that every instance holds
// whole. Nouns and semantics are those of Kafka Streams, and so are the names of nodes, stores and topics; where it has
// overloads, a verb here takes options ([As], [ValueSerde], [OnError] …).
//
// It is not a query language, and not a cluster: instances of an application find one another through the log's consumer
// groups, and share nothing else.
//
// # Types and serdes
//
// Serdes are given where bytes enter or leave, and where a new key type appears. Elsewhere they follow from the type
// ([serde.For]), unless ValueSerde or KeySerde says otherwise. Equal keys must have equal bytes: Build refuses key types
// that cannot promise that.
//
// Functions are called for nulls only if their type has a value for null: a pointer, with serde.Nullable, or []byte. An absent
// side of a join is a nil pointer, never a zero value. A []byte given to a function is valid until the record has been
// processed, and must not be changed; other values are the function's own.
//
// # Functions
//
// Functions must be deterministic, may be called from several tasks at once, and get no store: that is what [Processor] is
// for. Forms that begin with Try get the application's context, which ends when it is to stop, and can fail; what happens then
// is said by OnError: [Fail], [Continue] or [DeadLetter]. A panic is a bug of the program and is not caught.
//
// # Time
//
// Time is event time in milliseconds. Each operator with windows keeps the highest time it has seen and drops, and counts,
// what comes later than its grace allows. Only punctuators by [WallClock] look at the wall clock.
//
// # Goroutines and locks
//
// A Builder and its streams belong to one goroutine. A [Topology] is immutable. One goroutine owns each task with its stores
// and processors; the package's own code takes no lock but around global tables.
package streams
