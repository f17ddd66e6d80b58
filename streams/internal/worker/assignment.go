package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// The callbacks of the group run inside Poll and Leave, on the worker's goroutine. What fails there ends the session with the
// next turn.

// assigned makes the tasks whose partitions have come, or takes them up again if they were only suspended.
func (w *worker) assigned(a client.Assigned) {
	w.joined = true
	w.contact = time.Now()
	ids := w.balancer.owned(a.Added)
	var fresh []*task
	err := w.eachCommitted(ids, func(id engine.TaskID, committed map[client.TopicPartition]client.OffsetAndMetadata) error {
		if t := w.tasks[id]; t != nil && t.state == suspended && t.unchanged(committed) {
			t.state = running
			fresh = append(fresh, t)
			return nil
		}
		w.drop(id)
		t, err := w.newTask(id, committed)
		if err == nil {
			fresh = append(fresh, t)
		}
		return err
	})
	w.fail(err)
	for id, t := range w.tasks {
		if t.state == suspended {
			w.fail(w.drop(id))
		}
	}
	if err == nil {
		w.fail(w.begin(fresh))
	}
	w.changed()
	if len(ids) > 0 {
		w.log.Info("tasks assigned", "tasks", ids, "generation", a.Generation)
	}
}

// eachCommitted calls f for each task with what the group has committed.
func (w *worker) eachCommitted(ids []engine.TaskID, f func(engine.TaskID, map[client.TopicPartition]client.OffsetAndMetadata) error) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.hard, requestTimeout)
	defer cancel()
	committed, err := w.group.Committed(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := f(id, committed); err != nil {
			return err
		}
	}
	return nil
}

// newTask compiles a task; its stores are empty.
func (w *worker) newTask(id engine.TaskID, committed map[client.TopicPartition]client.OffsetAndMetadata) (*task, error) {
	core, err := engine.NewTask(w.cfg.Program, engine.TaskConfig{
		ID: id, ApplicationID: w.cfg.ApplicationID, Collector: w.producer, Context: w.hard, Globals: w.globals,
		Now:      func() int64 { return time.Now().UnixMilli() },
		OnDecode: w.cfg.OnDecode, OnProcess: w.cfg.OnProcess, OnEncode: w.cfg.OnEncode,
	})
	if err != nil {
		return nil, err
	}
	t := &task{Task: core, id: id}
	for _, tp := range w.plan.sub(id.Subtopology).inputs(id.Partition) {
		in := &inputPartition{TopicPartition: tp, next: -1, end: -1}
		t.inputs = append(t.inputs, in)
		w.byPartition[tp] = &taskInput{t, in}
	}
	t.resume(committed)
	w.tasks[id] = t
	if err := t.Expect(t.committed); err != nil {
		return nil, err
	}
	return t, t.checkMetadata()
}

// begin finds out how much the tasks have before them, and starts them or has them restored first.
func (w *worker) begin(ts []*task) error {
	if len(ts) == 0 {
		return nil
	}
	if err := w.findEnds(ts); err != nil {
		return err
	}
	var restore []*task
	for _, t := range ts {
		switch {
		case t.state == running: // was suspended
			for _, in := range t.inputs {
				in.paused = false
				w.byPartition[in.TopicPartition] = &taskInput{t, in}
				w.group.Resume(in.TopicPartition)
			}
		case len(t.Changelogs()) == 0:
			if err := w.start(t); err != nil {
				return err
			}
		default:
			for _, in := range t.inputs {
				in.paused = true
				w.group.Pause(in.TopicPartition)
			}
			restore = append(restore, t)
		}
	}
	w.restorer.add(restore)
	return nil
}

// findEnds asks for the ends of the tasks' inputs, and for the starts of those that nothing is committed for.
func (w *worker) findEnds(ts []*task) error {
	ends, starts := make(map[client.TopicPartition]int64), make(map[client.TopicPartition]int64)
	for _, t := range ts {
		for _, in := range t.inputs {
			ends[in.TopicPartition] = client.Latest
			if in.next < 0 {
				starts[in.TopicPartition] = w.startOf(in.Topic)
			}
		}
	}
	ends, err := listOffsets(w.hard, w.cfg.Log, ends)
	if err == nil {
		starts, err = listOffsets(w.hard, w.cfg.Log, starts)
	}
	if err != nil {
		return err
	}
	for _, t := range ts {
		for _, in := range t.inputs {
			in.end = ends[in.TopicPartition]
			if in.next < 0 {
				in.next = starts[in.TopicPartition]
			}
			if in.next < 0 { // it starts at a time, and nothing is that new
				in.next = in.end
			}
		}
	}
	return nil
}

// startOf is where the group begins to read a topic that nothing is committed for.
func (w *worker) startOf(topic string) int64 {
	if ms, ok := w.startTimes(time.Now())[topic]; ok {
		return ms
	}
	reset, ok := w.resets()[topic]
	if !ok {
		reset = w.cfg.Reset
	}
	if reset == client.ResetLatest {
		return client.Latest
	}
	return client.Earliest
}

// startRestored starts what the restorer has finished.
func (w *worker) startRestored() error {
	ts, err := w.restorer.take()
	if err != nil {
		return err
	}
	for _, t := range ts {
		if err := w.start(t); err != nil {
			return err
		}
		var tps []client.TopicPartition
		for _, in := range t.inputs {
			in.paused = false
			tps = append(tps, in.TopicPartition)
		}
		w.group.Resume(tps...)
	}
	if len(ts) > 0 {
		w.changed()
	}
	return nil
}

// start lets a task run whose stores are complete.
func (w *worker) start(t *task) error {
	t.state = running
	if err := t.Start(t.committed); err != nil {
		return err
	}
	return t.checkMetadata() // processors may have scheduled punctuators
}

// revoked commits everything and suspends the tasks of the partitions: most often they come back.
func (w *worker) revoked(tps []client.TopicPartition) {
	ids := w.balancer.owned(tps)
	err := w.commit()
	for _, id := range ids {
		t := w.tasks[id]
		switch {
		case t == nil:
		case t.state == running && err == nil:
			t.state = suspended
			t.Discard()
			for _, in := range t.inputs {
				in.next = -1
				delete(w.byPartition, in.TopicPartition)
			}
			for _, p := range t.committed {
				for _, in := range t.inputs {
					if in.Topic == p.Topic {
						in.next = p.Offset
					}
				}
			}
		default:
			w.fail(w.drop(id))
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, errLater):
		w.log.Warn("tasks are given up without a commit: what they did since the last one is done again", "tasks", ids, "err", err)
	default:
		w.fail(err)
	}
	w.changed()
	w.log.Info("tasks revoked", "tasks", ids)
}

// lost drops tasks that may be another member's already (trap 36): nothing of them is committed. Suspended ones go as well:
// equal offsets do not prove that nobody has written to their changelogs since, once the membership is broken.
func (w *worker) lost(tps []client.TopicPartition) {
	ids := w.balancer.owned(tps)
	for id, t := range w.tasks {
		if t.state == suspended && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if err := w.drop(id); err != nil {
			w.log.Warn("cannot close a lost task", "task", id, "err", err)
		}
	}
	w.joined, w.failingFrom = false, time.Time{}
	w.numbers.RecordsOut += w.producer.sent
	w.producer.sent = 0
	w.fail(w.producer.reset())
	w.changed()
	w.log.Warn("tasks lost: what they did since the last commit is done again", "tasks", ids)
}

// fail notes the first error of a callback.
func (w *worker) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
}

// changed follows a change of the set of tasks.
func (w *worker) changed() {
	w.sortOrder()
	var ids []engine.TaskID
	for id := range w.tasks {
		ids = append(ids, id)
	}
	w.balancer.hold(ids)
	w.ready()
	w.publish(time.Now())
}

// drop closes a task, if there is one, without a commit.
func (w *worker) drop(id engine.TaskID) error {
	t := w.tasks[id]
	if t == nil {
		return nil
	}
	if t.state == restoring {
		w.restorer.remove(id)
	}
	delete(w.tasks, id)
	for _, in := range t.inputs {
		delete(w.byPartition, in.TopicPartition)
	}
	w.order = slices.DeleteFunc(w.order, func(other *task) bool { return other == t })
	addCounts(w.numbers.Dropped, t.Dropped())
	if t.state == running {
		w.numbers.Repeated += w.numbers.Uncommitted // of all tasks: they are committed together
		w.numbers.Uncommitted = 0
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("cannot close task %s: %w", id, err)
	}
	return nil
}

// closeTasks ends the session's tasks, when the restorer has ended.
func (w *worker) closeTasks() {
	for id := range w.tasks {
		if err := w.drop(id); err != nil {
			w.log.Warn("cannot close a task", "err", err)
		}
	}
	w.numbers.RecordsOut += w.producer.sent
	w.producer.sent = 0
	if n := w.producer.refusedRecords(); n > 0 {
		w.numbers.Dropped[dropRefused] += n
	}
	w.order = nil
	w.report(w.index, false)
}
