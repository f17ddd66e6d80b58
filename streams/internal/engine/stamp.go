package engine

import "fmt"

// Stamp gives a record its event time in ms, when it becomes the next of its partition. partitionTime is the highest event time
// the task has taken from it, -1 at first. A result that is negative or beyond TimeMax skips the record, and counts it. A Stamp
// is shared by all tasks.
type Stamp func(in *Input, partitionTime int64, now func() int64) (at int64, stage Stage, err error)

// SkipInvalidTime takes the records' own timestamps and skips invalid ones.
func SkipInvalidTime(in *Input, _ int64, _ func() int64) (int64, Stage, error) {
	return in.Timestamp, Processing, nil
}

// PartitionTimeIfInvalid takes the partition time in place of invalid timestamps.
func PartitionTimeIfInvalid(in *Input, partitionTime int64, _ func() int64) (int64, Stage, error) {
	switch {
	case validTime(in.Timestamp):
		return in.Timestamp, Processing, nil
	case partitionTime >= 0:
		return partitionTime, Processing, nil
	}
	return -1, Processing, fmt.Errorf("%w: %d, and the partition has no time yet", ErrInvalidTimestamp, in.Timestamp)
}

// WallClockTime takes the wall clock.
func WallClockTime(_ *Input, _ int64, now func() int64) (int64, Stage, error) {
	return now(), Processing, nil
}

// StampOf takes the time that f gives. Key and value are decoded for it.
func StampOf[K, V any](key *Coder[K], value *Coder[V], f func(k K, v V, in *Input, partitionTime int64) (int64, error)) Stamp {
	return func(in *Input, partitionTime int64, _ func() int64) (int64, Stage, error) {
		var kf Field[K]
		var vf Field[V]
		kf.SetBytes(in.Key)
		vf.SetBytes(in.Value)
		k, err := key.Get(&kf)
		if err != nil {
			return -1, Decoding, err
		}
		v, err := value.Get(&vf)
		if err != nil {
			return -1, Decoding, err
		}
		at, err := f(k, v, in, partitionTime)
		return at, Processing, err
	}
}

// Stamp sets how a source's records get their times. Without, they are the records' own, and an invalid one fails the task.
func (p *Program) Stamp(source string, s Stamp) { p.stamps[source] = s }

// stampHead gives the first waiting record of q that is not skipped its time. An error that is not handled is kept for when the
// record is taken.
func (t *Task) stampHead(q *queue) {
	for !q.stamped && q.head < len(q.records) {
		in := &q.records[q.head]
		at, handled := t.stampOf(q, in)
		if validTime(at) || q.failed != nil {
			q.at, q.stamped = at, true
			return
		}
		if !handled {
			q.site.drop(DropInvalidTime)
		}
		q.head++
		q.position = in.Offset + 1
	}
}

// stampOf gives one record its time. It reports true if there was an error that is handled.
func (t *Task) stampOf(q *queue, in *Input) (at int64, handled bool) {
	working := t.cur
	t.cur = in
	defer func() { t.cur = working }()
	at, stage, err := t.callStamp(q, in)
	if err != nil {
		q.failed = q.site.failed(stage, err)
		return -1, true
	}
	return at, false
}

func (t *Task) callStamp(q *queue, in *Input) (at int64, stage Stage, err error) {
	defer func() {
		if p := recover(); p != nil {
			at, stage, err = -1, Processing, newPanicError(p)
		}
	}()
	return q.stamp(in, q.time, t.cfg.Now)
}
