package streams

import "github.com/millrace/millrace/streams/internal/engine"

// Errors of records, for errors.As on what Run, or a test's TryPipe, returns.
type (
	// RecordError is the failure of one record. Its fields: Task, Node, Stage (decode, process or encode), Topic, Partition, Offset and
	// the cause, Err.
	RecordError = engine.RecordError
	// PanicError is the cause of a RecordError whose function panicked: Value is what was given to panic, Stack where.
	PanicError = engine.PanicError
)

// ErrInvalidTimestamp is a record whose timestamp is negative, or above 1<<62 ms, where sums with the lengths of windows would
// wrap: see [EventTime].
var ErrInvalidTimestamp = engine.ErrInvalidTimestamp

// ErrNoSuchPartition is the choice of a [Partitioner] that the topic does not have.
var ErrNoSuchPartition = engine.ErrNoSuchPartition

// Reasons for which records are dropped: keys of Stats.Dropped. They are stable.
const (
	// DroppedLate came when its window had closed: after window end plus grace. Once per window the record falls into.
	DroppedLate = engine.DropLate
	// DroppedExpired is older than a store keeps: written by a processor into a window store, or on one side of a join of
	// streams, where it still meets what came before it but nothing that comes after.
	DroppedExpired = engine.DropExpired
	// DroppedNullKey has no key, where one is needed.
	DroppedNullKey = engine.DropNullKey
	// DroppedNullValue has no value, where one is needed: see each verb.
	DroppedNullValue = engine.DropNullValue
	// DroppedInvalidTime has no valid event time, and its source skips such records: see [EventTime].
	DroppedInvalidTime = engine.DropInvalidTime
	// DroppedNoTopic was given no topic by ToChosen's function.
	DroppedNoTopic = engine.DropNoTopic
	// DroppedDecode, DroppedProcess and DroppedEncode failed, and OnError said Continue or DeadLetter.
	DroppedDecode  = engine.DropDecode
	DroppedProcess = engine.DropProcess
	DroppedEncode  = engine.DropEncode
)
