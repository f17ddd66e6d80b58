package worker

import (
	"slices"
	"time"
)

// publish makes the numbers of this moment visible, and whether all tasks run.
func (w *worker) publish(now time.Time) {
	w.publishedAt = now
	s := w.numbers
	s.Dropped = make(map[string]int64)
	addCounts(s.Dropped, w.numbers.Dropped)
	if w.producer != nil {
		s.RecordsOut += w.producer.sent
		if n := w.producer.refusedRecords(); n > 0 {
			s.Dropped[dropRefused] += n
		}
	}
	member := WorkerStats{Worker: w.index, InstanceID: w.instanceID, Generation: -1}
	if w.group != nil {
		member.MemberID, member.Generation = w.group.Generation()
	}
	for _, t := range w.tasks {
		if t.state != restoring {
			addCounts(s.Dropped, t.Dropped())
		}
		s.Partitions = append(s.Partitions, t.stats()...)
		member.Tasks = append(member.Tasks, t.id.String())
	}
	slices.Sort(member.Tasks)
	s.Workers = []WorkerStats{member}
	if w.restorer != nil {
		s.Restores = w.restorer.progress()
	}
	w.stats.Store(&s)
}

// ready tells the instance whether this worker has its tasks and all of them run.
func (w *worker) ready() {
	all := w.joined
	for _, t := range w.tasks {
		all = all && t.state == running
	}
	w.report(w.index, all)
}

func (w *worker) sortOrder() {
	w.order = w.order[:0]
	for _, t := range w.tasks {
		if t.state == running {
			w.order = append(w.order, t)
		}
	}
	slices.SortFunc(w.order, func(a, b *task) int { return compareTasks(a.id, b.id) })
}
