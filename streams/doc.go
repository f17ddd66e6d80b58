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
// is said by OnError: [Fail], [Continue] or [DeadLetter]. A panic in a function, serde or processor is such an error, a
// [RecordError] with node, topic, partition and offset whose cause is a [PanicError] with the stack; but it abandons the record
// where it stood, so that branches it has not reached do not get it.
//
// # Nulls
//
// A value that no function can see is null all the same, and the engine acts on it: in a [Table] it deletes the row; Filter does
// not keep it, FilterNot does; MapValues, Peek, Merge, Repartition and To pass it on; Map, FlatMap, FlatMapValues, SelectKey and
// GroupBy, aggregations without windows, and joins drop it (windows: see [WindowedGroup]). A null key reads as its type's zero
// value; aggregations, ToTable and TableFrom, and inner joins drop such records, left joins pair them with nothing. All drops are
// counted.
//
// # Keys, partitions and repartition topics
//
// A task handles one partition of each input, so records meet (in an aggregate, a join, a table) only if their keys do:
// topics that are joined must have equally many partitions, written by the same partitioner, but for global tables.
// Map, FlatMap, SelectKey, GroupBy and Process may change the key. Then the next GroupByKey, aggregation, ToTable or join first
// writes the stream to a topic "<application>-<name>-repartition", which the application creates, and reads it back. Filter,
// MapValues, FlatMapValues, Peek, Merge, Split and ProcessValues keep the key. Each use of a re-keyed stream has a topic of its own, unless a
// grouping is named and shared; call Repartition once to spare it. Order holds per key: within a partition from topic to topic, not across partitions.
//
// # Names
//
// Nodes, stores and topics have generated names, such as KSTREAM-AGGREGATE-STATE-STORE-0000000003, which shift when the topology
// changes: name what has state or a topic, so that a later version finds it again. [As] names the important thing a verb makes,
// [Named] the node, [Stored] a store that would not be there, or be named, otherwise. A store named "counts" has the changelog
// topic "<application>-counts-changelog"; [Topology.Describe] shows all names but those of changelogs.
//
// # Options
//
//	verb                                   As names            other options
//	From, FromTopics                       the node            ReadFrom, EventTime
//	TableFrom                              the store           Named, Unlogged, ReadFrom, EventTime
//	GlobalTableFrom                        the store           Named
//	Filter … Peek, ForEach, Split, Merge   the node            ValueSerde where values change
//	Print                                  the label           Named
//	To, ToChosen                           the node            Partitioner
//	Repartition                            the topic           Partitions, Partitioner, KeySerde, ValueSerde
//	GroupByKey, GroupBy                    topic and grouping  ValueSerde (GroupByKey, Table.GroupBy)
//	Count, Reduce, Aggregate, ToTable      the store           Named, ValueSerde, Unlogged; windowed: Retention
//	Suppress                               node and buffer     Unlogged
//	Join … of streams                      nodes and topics    Stored (three stores), ValueSerde, Unlogged
//	Join … of a stream with a table        node and topic      ValueSerde
//	Filter, MapValues, Join of tables      the node            Stored, Unlogged, ValueSerde
//	Process, ProcessValues                 the node            Uses
//
// OnError goes with every verb but GroupByKey, whose aggregations take it.
//
// # Time
//
// Time is event time in milliseconds: a record's own timestamp, unless its source says otherwise with [EventTime]. A task takes
// the earliest of its inputs' next records. Each operator with windows keeps the highest time it has seen; a window is closed
// when that passes its end plus grace, and what comes for it afterwards is dropped and counted as [DroppedLate]. Results have
// their record's time; aggregates the latest of the records in them; joins of two streams or tables the later of both. Only
// punctuators by [WallClock] look at the wall clock.
//
// # Goroutines and locks
//
// A Builder and its streams belong to one goroutine. A [Topology] is immutable. One goroutine owns each task with its stores
// and processors; the package's own code takes no lock but around global tables.
package streams
