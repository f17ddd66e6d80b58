package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

const (
	// pollWait is the longest wait for records, Kafka Streams' poll.ms: wall-clock punctuators are as exact as that.
	pollWait = 100 * time.Millisecond
	// pollNow is a wait that only gives the client the chance to hand over what it has.
	pollNow = 50 * time.Microsecond
	// batchRecords and batchTime bound what one task processes before the others have their turn; chunkRecords is how often
	// the time is looked at.
	batchRecords = 500
	batchTime    = 20 * time.Millisecond
	chunkRecords = 64
	// turnTime bounds one turn of all tasks: the group and the commit wait for no more than that and the
	// batch at hand.
	turnTime = 250 * time.Millisecond
	// outputsInFlight bounds the outputs that wait for their acks. They are pooled objects: with many more than this, each one has left
	// the caches before it is used again (100,000 cost 1.7 times the CPU of 4,000 in a word count).
	outputsInFlight = 4096
	// statsInterval is how old published numbers may be.
	statsInterval = 100 * time.Millisecond
	// rejoinBackoff is the pause before a worker that lost its membership joins again.
	rejoinBackoff = 200 * time.Millisecond
)

// errMigrated ends a session whose tasks may be another member's now.
var errMigrated = errors.New("membership lost")

// ErrAbandoned is the cause of an instance that was made to stop as if it had crashed.
var ErrAbandoned = errors.New("abandoned")

// worker is a member of the group with its tasks. All of it belongs to the goroutine of run, but for stats, wake and what the
// restorer has taken over.
type worker struct {
	cfg        *Config
	plan       *plan
	index      int
	process    uuid.UUID
	instanceID string // "" for a dynamic member
	globals    *engine.Globals
	log        *slog.Logger
	hard       context.Context // bounds what must still be done after ctx
	report     func(index int, ready bool)

	// Of one session, from join to leave:
	balancer    *balancer
	group       *client.Group
	producer    *producer
	restorer    *restorer
	tasks       map[engine.TaskID]*task
	order       []*task // those that run, by id
	firstTask   int     // where in order the next turn begins
	byPartition map[client.TopicPartition]*taskInput
	joined      bool
	failed      error     // of a callback
	contact     time.Time // when the group last proved that this is a member: an assignment or a commit
	committedAt time.Time
	failingFrom time.Time // when commits began to fail; zero: they do not
	purgedAt    time.Time
	purged      map[client.TopicPartition]int64
	polledAt    time.Time

	scratch     []engine.Input
	numbers     Stats // what closed tasks and sessions leave behind, and counters
	publishedAt time.Time
	stats       atomic.Pointer[Stats]

	mu struct {
		sync.Mutex
		wake  context.CancelFunc // ends the poll under way
		woken bool
	}
}

type taskInput struct {
	task *task
	in   *inputPartition
}

// run works until ctx ends, or something fails.
func (w *worker) run(ctx context.Context) error {
	w.numbers.Dropped = make(map[string]int64)
	for {
		err := w.session(ctx)
		w.publish(time.Now())
		if !errors.Is(err, errMigrated) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("tasks are given up without a commit, joining again", "cause", err)
		select {
		case <-ctx.Done():
		case <-time.After(rejoinBackoff):
		}
	}
}

// session is one membership.
func (w *worker) session(ctx context.Context) (err error) {
	if err := w.open(); err != nil {
		return err
	}
	restoreCtx, stopRestorer := context.WithCancel(context.WithoutCancel(ctx))
	var restorers sync.WaitGroup
	restorers.Go(func() { w.restorer.run(restoreCtx) })
	defer func() {
		stopRestorer()
		restorers.Wait()
		w.closeTasks()
		w.producer.close()
		w.group.Close()
	}()
	for ctx.Err() == nil {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	if errors.Is(context.Cause(ctx), ErrAbandoned) {
		return ErrAbandoned
	}
	return w.leave()
}

// open joins the group.
func (w *worker) open() (err error) {
	w.tasks = make(map[engine.TaskID]*task)
	w.byPartition = make(map[client.TopicPartition]*taskInput)
	w.purged = make(map[client.TopicPartition]int64)
	w.order, w.joined, w.failed, w.failingFrom = nil, false, nil, time.Time{}
	now := time.Now()
	w.contact, w.committedAt, w.purgedAt = now, now, now
	w.balancer = &balancer{plan: w.plan, process: w.process}
	w.restorer = newRestorer(w.cfg, w.log, w.wake)
	if w.producer, err = newProducer(w.hard, w.cfg, w.plan); err != nil {
		return err
	}
	w.group, err = w.cfg.Log.JoinGroup(client.GroupConfig{
		FetchConfig:       client.FetchConfig{MaxWait: fetchWait, MaxPollRecords: pollRecords},
		ID:                w.cfg.ApplicationID,
		InstanceID:        w.instanceID,
		Topics:            w.plan.topics(),
		SessionTimeout:    sessionTimeout,
		HeartbeatInterval: heartbeatInterval,
		Balancer:          w.balancer,
		Reset:             w.cfg.Reset,
		ResetByTopic:      w.resets(),
		StartAt:           w.startTimes(now),
		OnAssigned:        w.assigned,
		OnRevoked:         w.revoked,
		OnLost:            w.lost,
	})
	if err != nil {
		w.producer.close()
	}
	return err
}

// step is one turn: what is restored starts, what has come is queued, every task processes a batch, punctuators fire, and
// when it is time everything is committed.
func (w *worker) step(ctx context.Context) error {
	if err := w.startRestored(); err != nil {
		return err
	}
	if err := w.poll(ctx); err != nil {
		return err
	}
	if err := w.turn(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := w.producer.err(); err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(w.committedAt) >= w.cfg.CommitInterval {
		if err := w.commit(); err != nil && !errors.Is(err, errLater) {
			return err
		}
		w.purge(now)
	}
	if now.Sub(w.publishedAt) >= statsInterval {
		w.publish(now)
	}
	return nil
}

// turn lets the tasks process a batch each, as many of them as there is time for: those that are left out are the first of the
// next turn.
func (w *worker) turn(ctx context.Context) error {
	begin := time.Now()
	for i := range w.order {
		if ctx.Err() != nil {
			return nil
		}
		at := (w.firstTask + i) % len(w.order)
		if i > 0 && time.Since(begin) > turnTime {
			w.firstTask = at
			return nil
		}
		t := w.order[at]
		t.await(w.cfg.TaskIdle, begin)
		if err := w.batch(ctx, t); err != nil {
			return err
		}
		if err := t.Punctuate(time.Now().UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// batch processes records of one task. Chunks grow from one record, so that a slow function does not keep the worker from
// ending, polling and committing for longer than one record takes.
func (w *worker) batch(ctx context.Context, t *task) error {
	begin := time.Now()
	for done, chunk := 0, 1; done < batchRecords; chunk = min(2*chunk, chunkRecords) {
		n, err := t.ProcessReady(chunk)
		w.numbers.RecordsIn += int64(n)
		w.numbers.Uncommitted += int64(n)
		done += n
		if err != nil || n < chunk || ctx.Err() != nil || time.Since(begin) > batchTime {
			return err
		}
	}
	return nil
}

// poll takes what the log has. Polling is how rebalances come through as well, so it is never left out for long.
func (w *worker) poll(ctx context.Context) error {
	now := time.Now()
	wait, full := w.look(now)
	if full && wait == 0 && now.Sub(w.polledAt) < pollWait {
		return nil // what is queued comes first
	}
	w.throttle()
	w.polledAt = now
	pollCtx, done := w.wakeable(ctx, max(wait, pollNow))
	fetched, err := w.group.Poll(pollCtx)
	ended := pollCtx.Err() != nil
	done()
	if w.failed != nil {
		return w.failed
	}
	if err != nil && !ended {
		if err = w.pollError(err); err != nil {
			return err
		}
	}
	for i := range fetched {
		if err := w.take(&fetched[i]); err != nil {
			return err
		}
	}
	return nil
}

// look tells how long a poll may wait: not at all while a task has something to do. full: a queue has no room.
func (w *worker) look(now time.Time) (wait time.Duration, full bool) {
	wait = min(pollWait, max(pollNow, w.committedAt.Add(w.cfg.CommitInterval).Sub(now)))
	for _, t := range w.order {
		t.await(w.cfg.TaskIdle, now)
		if t.Ready() {
			wait = 0
		} else if w.cfg.TaskIdle > 0 && t.Queued() {
			wait = min(wait, w.cfg.TaskIdle)
		}
		for _, in := range t.inputs {
			full = full || t.Waiting(in.Topic, in.Partition) >= w.cfg.MaxBuffered
		}
	}
	return wait, full
}

// throttle pauses the partitions whose queues are full and resumes those that have room again. Pausing drops what the client
// has fetched of a partition, so it is left to the moment of a poll that cannot be put off.
func (w *worker) throttle() {
	var pause, resume []client.TopicPartition
	for _, t := range w.order {
		for _, in := range t.inputs {
			n := t.Waiting(in.Topic, in.Partition)
			switch {
			case !in.paused && n >= w.cfg.MaxBuffered:
				in.paused = true
				pause = append(pause, in.TopicPartition)
			case in.paused && n <= w.cfg.MaxBuffered/2:
				in.paused = false
				resume = append(resume, in.TopicPartition)
			}
		}
	}
	w.group.Pause(pause...)
	w.group.Resume(resume...)
}

// pollError sorts what a poll reports: what cures itself is logged.
func (w *worker) pollError(err error) error {
	switch {
	case errors.Is(err, client.ErrFenced):
		return fmt.Errorf("another process has taken this worker's seat: does it share the state directory %q? %w", w.cfg.StateDir, err)
	case errors.Is(err, client.ErrNotAuthorized), errors.Is(err, client.ErrClosed):
		return err
	}
	if cause := w.balancer.err(); cause != nil {
		return cause
	}
	w.log.Warn("cannot poll, trying on", "err", err)
	return nil
}

// take queues what was fetched of one partition.
func (w *worker) take(f *client.Fetched) error {
	at := w.byPartition[f.TopicPartition]
	if at == nil {
		return nil
	}
	if f.Err != nil && !transient(f.Err) {
		return fmt.Errorf("task %s: %w", at.task.id, f.Err)
	}
	if f.HighWatermark >= 0 {
		at.in.end = f.HighWatermark
	}
	if f.Next >= 0 {
		at.in.next = f.Next
		at.in.end = max(at.in.end, f.Next)
	}
	w.scratch = w.scratch[:0]
	for i := range f.Records {
		w.scratch = append(w.scratch, input(&f.Records[i]))
	}
	err := at.task.Add(f.Topic, f.Partition, w.scratch)
	clear(w.scratch)
	return err
}

// wakeable is a context for one poll.
func (w *worker) wakeable(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.woken {
		cancel()
	}
	w.mu.wake, w.mu.woken = cancel, false
	return ctx, func() {
		w.mu.Lock()
		w.mu.wake = nil
		w.mu.Unlock()
		cancel()
	}
}

// wake ends the poll under way, or the next one.
func (w *worker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.woken = w.mu.wake == nil
	if w.mu.wake != nil {
		w.mu.wake()
	}
}

// leave commits and leaves the group. A static member keeps its seat.
func (w *worker) leave() error {
	err := w.commit()
	for errors.Is(err, errLater) && w.hard.Err() == nil {
		ctx, done := w.wakeable(w.hard, pollWait)
		_, _ = w.group.Poll(ctx) // runs the callbacks, which commit; the records are the next owner's
		done()
		err = w.commit()
	}
	switch {
	case err != nil && w.hard.Err() != nil:
		return fmt.Errorf("the last commit did not end within %v: %w", w.cfg.CloseTimeout, err)
	case err != nil:
		return err
	}
	if err := w.group.Leave(w.hard); err != nil && w.failed == nil {
		w.log.Warn("left the group without its leave", "err", err) // everything is committed
	}
	return w.failed
}
