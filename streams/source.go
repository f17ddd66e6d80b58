package streams

import (
	"reflect"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// ReadFrom says where reading a source's topics begins while the application has committed nothing for them: [Earliest],
// [Latest], [Committed] or [Back]. It overrides the application's configuration. It is an option of From, FromTopics and
// TableFrom; a table begun elsewhere than at Earliest lacks rows. Global tables and repartition topics are always read whole.
func ReadFrom(s StartPoint) Option { return func(o *options) { o.start = s.start } }

// StartPoint is where reading begins: see [ReadFrom].
type StartPoint struct{ start topology.Start }

// Earliest begins with the first record there is.
func Earliest() StartPoint { return StartPoint{topology.Start{Policy: topology.StartEarliest}} }

// Latest begins with the first record written after the application has joined its group.
func Latest() StartPoint { return StartPoint{topology.Start{Policy: topology.StartLatest}} }

// Committed does not begin: without a committed offset the application fails.
func Committed() StartPoint { return StartPoint{topology.Start{Policy: topology.StartCommitted}} }

// Back begins with the first record whose timestamp is at most d before the wall clock.
func Back(d time.Duration) StartPoint {
	return StartPoint{topology.Start{Policy: topology.StartBack, Back: d}}
}

// EventTime says where the records of a source get their event time from: [SkipInvalidTime], [PartitionTimeIfInvalid],
// [WallClockTime] or [TimeOf]. Without it that is their own timestamp, and an invalid one ([ErrInvalidTimestamp]) stops the application. The time is set
// when a record becomes the next of its partition; it decides which partition's record is processed next, moves stream time and
// becomes the time of the results. It is an option of From, FromTopics and TableFrom; nothing looks at the times of a global table.
func EventTime(s TimeSource) Option {
	return func(o *options) { o.time = s }
}

// TimeSource is where records get their event time from: see [EventTime].
type TimeSource struct {
	stamp engine.Stamp // nil: of is set, or it is the default
	of    any          // func(K, V, Origin) (time.Time, error)
}

// SkipInvalidTime takes the records' own timestamps. Records with an invalid one ([ErrInvalidTimestamp]) are dropped and counted.
func SkipInvalidTime() TimeSource { return TimeSource{stamp: engine.SkipInvalidTime} }

// PartitionTimeIfInvalid takes the records' own timestamps, and the highest time read from the partition so far in place of a
// invalid one. Before there is any, that is an error of the record: see [OnError].
func PartitionTimeIfInvalid() TimeSource { return TimeSource{stamp: engine.PartitionTimeIfInvalid} }

// WallClockTime takes the time of processing. What is processed again after a crash gets another time then.
func WallClockTime() TimeSource { return TimeSource{stamp: engine.WallClockTime} }

// TimeOf takes the time that f gives, in whole milliseconds, from the key, the value, or what the log says of the record. A time
// before 1970 drops the record, and counts it; an error is one of the record: see [OnError]. A null that f cannot see is its
// type's zero value; Origin tells. K and V are the source's types.
func TimeOf[K, V any](f func(key K, value V, o Origin) (time.Time, error)) TimeSource {
	return TimeSource{of: f}
}

// Origin is what the log says of a record.
type Origin struct {
	Topic         string
	Partition     int32
	Offset        int64
	Time          time.Time // the record's own timestamp
	PartitionTime time.Time // highest event time taken from the partition so far; before any, a millisecond before 1970
	Headers       []Header  // must not be changed
	KeyNull       bool
	ValueNull     bool
}

// stampSource applies EventTime to a source that has been added.
func stampSource[K, V any](b *Builder, source string, s TimeSource, key *engine.Coder[K], value *engine.Coder[V]) {
	if s.stamp != nil {
		b.program.Stamp(source, s.stamp)
	}
	if s.of == nil {
		return
	}
	f, ok := s.of.(func(K, V, Origin) (time.Time, error))
	switch {
	case !ok:
		b.failf("cannot use TimeOf: it takes other types than %s and %s", reflect.TypeFor[K](), reflect.TypeFor[V]())
	case f == nil:
		b.given(f)
	default:
		b.program.Stamp(source, engine.StampOf(key, value, func(k K, v V, in *engine.Input, partitionTime int64) (int64, error) {
			at, err := f(k, v, Origin{
				Topic: in.Topic, Partition: in.Partition, Offset: in.Offset, Time: time.UnixMilli(in.Timestamp).UTC(),
				PartitionTime: time.UnixMilli(partitionTime).UTC(), Headers: in.Headers,
				KeyNull: in.Key == nil, ValueNull: in.Value == nil,
			})
			return at.UnixMilli(), err
		}))
	}
}

// checkStart notes an impossible ReadFrom.
func checkStart(b *Builder, s topology.Start, global bool) {
	switch {
	case global && s.Policy != topology.StartDefault && s.Policy != topology.StartEarliest:
		b.failf("cannot use ReadFrom with a global table: it is always read whole")
	case s.Policy == topology.StartBack && s.Back < 0:
		b.failf("cannot read from %s back: that is in the future", s.Back)
	}
}
