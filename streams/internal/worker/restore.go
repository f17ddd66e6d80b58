package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

const (
	// restoreLogInterval is how often progress is logged.
	restoreLogInterval = 5 * time.Second
	// restorePollRecords bounds one poll: more than when processing, since a restore is all bulk.
	restorePollRecords = 20_000
	restoreFetchBytes  = 8 << 20
)

// restorer loads the stores of a worker's new tasks from their changelogs, so that the worker's other tasks run on. It has
// one goroutine. A task that is added belongs to it until it is taken back, restored or not.
type restorer struct {
	cfg    *Config
	log    *slog.Logger
	notify func() // something is ready to be taken

	mu struct {
		sync.Mutex
		inbox  []*task                 // added, not yet begun
		drop   map[engine.TaskID]bool  // to be given back unfinished
		done   []*task                 // restored
		wake   context.CancelFunc      // ends the poll under way
		stats  []RestoreStats          // of the last look
		err    error                   // ended the goroutine
		parked map[engine.TaskID]*task // given back unfinished
	}
	changed *sync.Cond // on mu: parked, or err

	// Of the goroutine:
	consumer *client.Consumer
	active   map[engine.TaskID]*loading
	byLog    map[client.TopicPartition]*changelog
	logged   time.Time
}

// loading is a task with changelogs that have not been read to their end.
type loading struct {
	*task
	open int
}

// changelog is one partition that is being read.
type changelog struct {
	client.TopicPartition
	task     *loading
	store    string
	start    int64
	position int64
	end      int64 // as it was when the restore began
}

func newRestorer(cfg *Config, log *slog.Logger, notify func()) *restorer {
	r := &restorer{
		cfg: cfg, log: log, notify: notify,
		active: make(map[engine.TaskID]*loading), byLog: make(map[client.TopicPartition]*changelog),
	}
	r.mu.drop = make(map[engine.TaskID]bool)
	r.mu.parked = make(map[engine.TaskID]*task)
	r.changed = sync.NewCond(&r.mu)
	return r
}

// add hands tasks over.
func (r *restorer) add(ts []*task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.inbox = append(r.mu.inbox, ts...)
	r.wakeLocked()
}

func (r *restorer) wakeLocked() {
	if r.mu.wake != nil {
		r.mu.wake()
	}
}

// take returns the tasks that are restored.
func (r *restorer) take() ([]*task, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := r.mu.done
	r.mu.done = nil
	return done, r.mu.err
}

// remove takes a task back, wherever it stands, and waits until the goroutine has let go of it.
func (r *restorer) remove(id engine.TaskID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.mu.done {
		if t.id == id {
			r.mu.done = append(r.mu.done[:i:i], r.mu.done[i+1:]...)
			return
		}
	}
	r.mu.drop[id] = true
	r.wakeLocked()
	for r.mu.parked[id] == nil && r.mu.err == nil {
		r.changed.Wait()
	}
	delete(r.mu.parked, id)
	delete(r.mu.drop, id)
}

// progress is how far the stores under way are.
func (r *restorer) progress() []RestoreStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.stats
}

// run restores until ctx ends.
func (r *restorer) run(ctx context.Context) {
	err := r.loop(ctx)
	if r.consumer != nil {
		r.consumer.Close()
	}
	r.mu.Lock()
	r.mu.err = err
	r.changed.Broadcast()
	r.mu.Unlock()
	r.notify()
}

func (r *restorer) loop(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pollCtx, cancel := context.WithCancel(ctx)
		added, dropped := r.inbox(cancel)
		err := r.drop(dropped)
		if err == nil {
			err = r.begin(ctx, added)
		}
		if err == nil {
			err = r.read(pollCtx)
		}
		cancel()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// inbox takes what has been asked for; wake ends the poll that follows when more comes.
func (r *restorer) inbox(wake context.CancelFunc) (added []*task, dropped []engine.TaskID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.mu.inbox {
		if r.mu.drop[t.id] {
			r.mu.parked[t.id] = t
			continue
		}
		added = append(added, t)
	}
	r.mu.inbox = nil
	for id := range r.mu.drop {
		if r.active[id] != nil {
			dropped = append(dropped, id)
		}
	}
	r.mu.wake = wake
	r.changed.Broadcast()
	return added, dropped
}

// drop gives tasks back unfinished.
func (r *restorer) drop(ids []engine.TaskID) error {
	for _, id := range ids {
		t := r.active[id]
		for tp, c := range r.byLog {
			if c.task == t {
				r.consumer.Unassign(tp)
				delete(r.byLog, tp)
			}
		}
		delete(r.active, id)
		r.mu.Lock()
		r.mu.parked[id] = t.task
		r.changed.Broadcast()
		r.mu.Unlock()
	}
	return nil
}

// begin finds out what there is to read for new tasks.
func (r *restorer) begin(ctx context.Context, ts []*task) error {
	if len(ts) == 0 {
		return nil
	}
	ask := make(map[client.TopicPartition]int64)
	var logs []*changelog
	for _, t := range ts {
		rt := &loading{task: t}
		r.active[t.id] = rt
		for topic, store := range t.Changelogs() {
			c := &changelog{TopicPartition: client.TopicPartition{Topic: topic, Partition: t.id.Partition}, task: rt, store: store}
			logs = append(logs, c)
			rt.open++
			ask[c.TopicPartition] = client.Latest
		}
	}
	ends, err := listOffsets(ctx, r.cfg.Log, ask)
	if err != nil {
		return err
	}
	for tp := range ask {
		ask[tp] = client.Earliest
	}
	starts, err := listOffsets(ctx, r.cfg.Log, ask)
	if err != nil {
		return err
	}
	read := make(map[client.TopicPartition]int64)
	for _, c := range logs {
		c.start, c.position, c.end = starts[c.TopicPartition], starts[c.TopicPartition], ends[c.TopicPartition]
		if c.position < c.end {
			read[c.TopicPartition] = c.position
			r.byLog[c.TopicPartition] = c
		}
	}
	r.logged = time.Now()
	if len(read) > 0 {
		if err := r.open(); err != nil {
			return err
		}
		if err := r.consumer.Assign(read); err != nil {
			return err
		}
	}
	for _, c := range logs {
		if c.position >= c.end {
			r.finish(c)
		}
	}
	r.publish()
	return nil
}

func (r *restorer) open() (err error) {
	if r.consumer == nil {
		r.consumer, err = r.cfg.Log.NewConsumer(client.ConsumerConfig{FetchConfig: client.FetchConfig{
			MaxWait: fetchWait, MaxPollRecords: restorePollRecords, MaxPartitionBytes: restoreFetchBytes,
		}})
	}
	return err
}

// read waits for the next records and applies them.
func (r *restorer) read(ctx context.Context) error {
	if len(r.byLog) == 0 {
		<-ctx.Done() // until something is added
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, restoreLogInterval)
	defer cancel()
	fetched, err := r.consumer.Poll(ctx)
	if err != nil && ctx.Err() == nil {
		r.log.Warn("cannot read changelogs, trying on", "err", err)
	}
	for i := range fetched {
		if err := r.apply(&fetched[i]); err != nil {
			return err
		}
	}
	if len(fetched) > 0 {
		r.publish()
	}
	r.report()
	return nil
}

func (r *restorer) apply(f *client.Fetched) error {
	c := r.byLog[f.TopicPartition]
	if c == nil {
		return nil // finished, or given back
	}
	for i := range f.Records {
		rec := &f.Records[i]
		if rec.Offset >= c.end {
			break
		}
		if err := c.task.Restore(c.store, rec.Key, rec.Value, rec.Timestamp); err != nil {
			return fmt.Errorf("%s@%d: %w", f.TopicPartition, rec.Offset, err)
		}
	}
	c.position = max(c.position, f.Next)
	switch {
	case c.position >= c.end: // never ==: the end may lie inside a gap
		r.consumer.Unassign(c.TopicPartition)
		r.finish(c)
	case errors.Is(f.Err, client.ErrOffsetOutOfRange) && f.LogStart >= 0:
		c.position = max(c.position, f.LogStart) // what was before has expired meanwhile
		if c.position >= c.end {
			r.consumer.Unassign(c.TopicPartition)
			r.finish(c)
			return nil
		}
		return r.consumer.Assign(map[client.TopicPartition]int64{c.TopicPartition: c.position})
	case f.Err != nil && !client.IsRetriable(f.Err):
		return fmt.Errorf("cannot restore store %s of task %s: %w", c.store, c.task.id, f.Err)
	case f.Err != nil:
		return r.consumer.Assign(map[client.TopicPartition]int64{c.TopicPartition: c.position})
	}
	return nil
}

// finish notes that a changelog has been read to its end, and with the last one of a task gives the task back.
func (r *restorer) finish(c *changelog) {
	delete(r.byLog, c.TopicPartition)
	c.task.open--
	if c.task.open > 0 {
		return
	}
	delete(r.active, c.task.id)
	r.mu.Lock()
	r.mu.done = append(r.mu.done, c.task.task)
	if r.mu.drop[c.task.id] { // asked for in this moment
		r.mu.done = r.mu.done[:len(r.mu.done)-1]
		r.mu.parked[c.task.id] = c.task.task
		r.changed.Broadcast()
	}
	r.mu.Unlock()
	r.notify()
}

func (r *restorer) publish() {
	var stats []RestoreStats
	for _, c := range r.byLog {
		stats = append(stats, RestoreStats{
			TopicPartition: c.TopicPartition, Task: c.task.id.String(), Store: c.store, Position: c.position, Start: c.start, End: c.end,
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.stats = stats
}

// report logs progress.
func (r *restorer) report() {
	if time.Since(r.logged) < restoreLogInterval || len(r.byLog) == 0 {
		return
	}
	r.logged = time.Now()
	var have, want int64
	for _, c := range r.byLog {
		have += c.position - c.start
		want += c.end - c.start
	}
	r.log.Info("restoring", "tasks", len(r.active), "changelogs", len(r.byLog), "offsets", have, "of", want)
}

// listOffsets asks for offsets and fails if one is missing.
func listOffsets(ctx context.Context, log *client.Client, ask map[client.TopicPartition]int64) (map[client.TopicPartition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	found := make(map[client.TopicPartition]int64, len(ask))
	for tp, o := range log.Admin().ListOffsets(ctx, client.ReadUncommitted, ask) {
		if o.Err != nil {
			return nil, o.Err
		}
		found[tp] = o.Offset
	}
	return found, nil
}

// transient tells errors of reading that may pass.
func transient(err error) bool {
	return client.IsRetriable(err) || errors.Is(err, client.ErrTimeout) || errors.Is(err, client.ErrDataLoss)
}
