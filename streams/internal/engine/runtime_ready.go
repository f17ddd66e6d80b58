package engine

// Await says whether an empty input partition is waited for: because its log is known, or not known not, to hold records that
// have not been added yet, one of which may have the lowest timestamp. At first no partition is awaited.
func (t *Task) Await(topic string, partition int32, awaited bool) {
	if q := t.byInput[inputID{topic, partition}]; q != nil {
		q.awaited = awaited
	}
}

// ProcessReady is ProcessAll that stops as soon as a partition that is awaited has no record left.
func (t *Task) ProcessReady(limit int) (int, error) {
	for n := range limit {
		if t.blocked() {
			return n, nil
		}
		more, err := t.Process()
		if err != nil || !more {
			return n, err
		}
	}
	return limit, nil
}

// Ready reports whether ProcessReady would take a record.
func (t *Task) Ready() bool { return !t.blocked() && t.choose() != nil }

// Queued reports whether any record waits.
func (t *Task) Queued() bool { return t.choose() != nil }

func (t *Task) blocked() bool {
	for _, q := range t.queues {
		if q.awaited && q.head == len(q.records) {
			return true
		}
	}
	return false
}

// Discard drops all records that wait. The positions stay: reading goes on at them.
func (t *Task) Discard() {
	for _, q := range t.queues {
		clear(q.records)
		q.records, q.head = q.records[:0], 0
	}
}

// MetadataBytes is the length of the metadata that a commit of this task carries per partition. Punctuators scheduled later
// add to it.
func (t *Task) MetadataBytes() int { return len(encodeMetadata(0, t.times())) }
