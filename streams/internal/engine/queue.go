package engine

import "errors"

// TimeMax is the latest event time in ms there may be. What is beyond it is as invalid as what is negative: a sum of a time and
// the lengths of windows, graces and intervals must not wrap, or windows and punctuators would never come to an end.
const TimeMax = 1 << 62

// ErrInvalidTimestamp is a record with a negative timestamp, or one beyond TimeMax.
var ErrInvalidTimestamp = errors.New("timestamp is no event time")

func validTime(at int64) bool { return at >= 0 && at <= TimeMax }

// ErrUnknownInput is a record of a partition that the task does not read.
var ErrUnknownInput = errors.New("task does not read this partition")

type inputID struct {
	topic     string
	partition int32
}

// queue holds the records of one input partition that wait for their turn, in offset order.
type queue struct {
	id       inputID
	site     *Site // of the source node
	source   sourceFunc
	stamp    Stamp   // nil: records have their own time
	records  []Input // those from head on are waiting
	head     int
	position int64 // offset after the last record processed, -1 before the first
	time     int64 // partition time: highest timestamp taken, -1 at first; committed with the position
	awaited  bool  // while it is empty, ProcessReady takes nothing from the others (trap 2)

	// With a stamp:
	stamped bool // the head has been given its time
	at      int64
	failed  error // instead, an error that fails the task when the head is taken
}

func (t *Task) addQueue(topic string, site *Site, source sourceFunc, stamp Stamp) {
	q := &queue{
		id: inputID{topic, t.id.Partition}, site: site, source: source, stamp: stamp, position: -1, time: -1,
	}
	t.queues = append(t.queues, q)
	t.byInput[q.id] = q
}

// Add queues records of one partition, in offset order. The slice and its bytes belong to the task until the records are
// processed; records itself is copied.
func (t *Task) Add(topic string, partition int32, records []Input) error {
	q := t.byInput[inputID{topic, partition}]
	if q == nil {
		return ErrUnknownInput
	}
	if q.head > 0 {
		waiting := copy(q.records, q.records[q.head:])
		q.records, q.head = q.records[:waiting], 0
	}
	wasEmpty := len(q.records) == 0
	q.records = append(q.records, records...)
	if q.stamp != nil {
		q.stamped = q.stamped && !wasEmpty
		t.stampHead(q)
	}
	return nil
}

// Waiting is the number of records queued for a partition.
func (t *Task) Waiting(topic string, partition int32) int {
	q := t.byInput[inputID{topic, partition}]
	if q == nil {
		return 0
	}
	return len(q.records) - q.head
}

// headTime is the event time of the first waiting record.
func (q *queue) headTime() int64 {
	if q.stamp != nil {
		return q.at
	}
	return q.records[q.head].Timestamp
}

func (q *queue) take() (*Input, int64) {
	in, at := &q.records[q.head], q.headTime()
	q.head++
	q.stamped = false
	return in, at
}

// choose returns the queue whose head has the lowest timestamp, the first of equals, or nil when all are empty.
func (t *Task) choose() *queue {
	var best *queue
	var bestTime int64
	for _, q := range t.queues {
		if q.head == len(q.records) {
			continue
		}
		if at := q.headTime(); best == nil || at < bestTime {
			best, bestTime = q, at
		}
	}
	return best
}
