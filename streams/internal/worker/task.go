package worker

import (
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// taskState is where a task of a worker is in its life.
type taskState int8

const (
	restoring taskState = iota // belongs to the restorer
	running
	suspended // committed and given up; comes back as it is, or is closed at the next assignment
)

// task is an engine task with what the worker knows of its place in the log.
type task struct {
	*engine.Task
	id        engine.TaskID
	state     taskState
	inputs    []*inputPartition
	committed []engine.Position // what the group holds for it
}

// inputPartition is one partition that a task reads.
type inputPartition struct {
	client.TopicPartition
	next   int64 // after what has been fetched; -1: unknown
	end    int64 // of the log, as last seen; -1: unknown
	paused bool

	emptySince time.Time // since when the task waits for it although the log has no more
	lagSince   time.Time // since when the task waits for what the log has
}

// lagWaitMax bounds the wait for records that the log says it has but does not deliver: compaction may have taken them.
const lagWaitMax = 10 * time.Second

// lag is how much the log holds beyond what has been fetched; -1: unknown.
func (in *inputPartition) lag() int64 {
	if in.next < 0 || in.end < 0 {
		return -1
	}
	return max(0, in.end-in.next)
}

// await decides which partitions the task waits for (trap 2), before its next batch.
func (t *task) await(idle time.Duration, now time.Time) {
	if len(t.inputs) < 2 {
		return
	}
	for _, in := range t.inputs {
		t.Await(in.Topic, in.Partition, in.awaited(t.Waiting(in.Topic, in.Partition) == 0, idle, now))
	}
}

func (in *inputPartition) awaited(empty bool, idle time.Duration, now time.Time) bool {
	more := in.lag() != 0
	if !empty {
		in.emptySince, in.lagSince = time.Time{}, time.Time{}
		return idle > 0 || (idle == 0 && more)
	}
	switch {
	case idle < 0:
		return false
	case more:
		return now.Sub(since(&in.lagSince, now)) < lagWaitMax
	default:
		return now.Sub(since(&in.emptySince, now)) < idle
	}
}

// since notes when something began.
func since(begin *time.Time, now time.Time) time.Time {
	if begin.IsZero() {
		*begin = now
	}
	return *begin
}

// moved returns the positions to commit, all of them, or none if nothing has changed since the last commit.
func (t *task) moved() []engine.Position {
	now := t.Positions()
	if slices.Equal(now, t.committed) {
		return nil
	}
	return now
}

// resume takes over what the group has committed.
func (t *task) resume(committed map[client.TopicPartition]client.OffsetAndMetadata) {
	t.committed = nil
	for _, in := range t.inputs {
		if o, ok := committed[in.TopicPartition]; ok {
			t.committed = append(t.committed, engine.Position{
				Topic: in.Topic, Partition: in.Partition, Offset: o.Offset, Metadata: o.Metadata,
			})
			in.next = o.Offset
		}
	}
}

// unchanged reports whether the group still holds what the task committed last.
func (t *task) unchanged(committed map[client.TopicPartition]client.OffsetAndMetadata) bool {
	n := 0
	for _, in := range t.inputs {
		if _, ok := committed[in.TopicPartition]; ok {
			n++
		}
	}
	for _, p := range t.committed {
		if committed[client.TopicPartition{Topic: p.Topic, Partition: p.Partition}].Offset != p.Offset {
			return false
		}
	}
	return n == len(t.committed)
}

// checkMetadata refuses a task whose commits the log would refuse.
func (t *task) checkMetadata() error {
	if n := t.MetadataBytes(); n > metadataBytesMax {
		return fmt.Errorf("cannot commit task %s: the times of its operators take %d bytes of commit metadata, the log allows %d: "+
			"cut the topology in two with a topic, or give operators shorter names", t.id, n, metadataBytesMax)
	}
	return nil
}

// stats is how far the task is in each partition.
func (t *task) stats() []PartitionStats {
	at := make(map[client.TopicPartition]int64)
	for _, p := range t.committed {
		at[client.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p.Offset
	}
	if t.state == running {
		for _, p := range t.Positions() {
			at[client.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = p.Offset
		}
	}
	var list []PartitionStats
	for _, in := range t.inputs {
		s := PartitionStats{TopicPartition: in.TopicPartition, Task: t.id.String(), Position: -1, End: in.end, Lag: -1}
		if pos, ok := at[in.TopicPartition]; ok {
			s.Position = pos
		} else if t.state == running && t.Waiting(in.Topic, in.Partition) == 0 {
			s.Position = in.next
		}
		if s.Position >= 0 && s.End >= 0 {
			s.Lag = max(0, s.End-s.Position)
		}
		list = append(list, s)
	}
	return list
}
