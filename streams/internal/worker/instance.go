package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
)

// ErrAlreadyRun is a second call of Run.
var ErrAlreadyRun = errors.New("an instance runs once")

// Instance is one process's part in an application: its workers and its global tables. State and Stats may be called from any
// goroutine at any time.
type Instance struct {
	cfg Config

	mu struct {
		sync.Mutex
		state   State
		began   bool
		abandon context.CancelCauseFunc
		workers []*worker
	}
}

// New checks cfg. It reaches for nothing.
func New(cfg Config) (*Instance, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Instance{cfg: cfg}, nil
}

// State is where the instance is in its life.
func (i *Instance) State() State {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.mu.state
}

// Stats sums up the workers' numbers.
func (i *Instance) Stats() Stats {
	i.mu.Lock()
	workers := i.mu.workers
	s := Stats{State: i.mu.state, Dropped: make(map[string]int64)}
	i.mu.Unlock()
	for _, w := range workers {
		if numbers := w.stats.Load(); numbers != nil {
			s.add(numbers)
		}
	}
	s.sort()
	return s
}

// Abandon makes Run return at once, without flush, commit or farewell, as if the process had died: for tests of what a crash leaves.
func (i *Instance) Abandon() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mu.abandon != nil {
		i.mu.abandon(ErrAbandoned)
	}
}

// Run works until ctx ends, and returns nil then, or until something fails. It returns when all its goroutines have ended.
func (i *Instance) Run(ctx context.Context) error {
	own, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	i.mu.Lock()
	if i.mu.began {
		i.mu.Unlock()
		return ErrAlreadyRun
	}
	i.mu.began, i.mu.abandon = true, abandon
	i.mu.Unlock()

	i.move(Rebalancing)
	err := i.run(own)
	switch {
	case errors.Is(context.Cause(own), ErrAbandoned):
		err = ErrAbandoned
	case ctx.Err() != nil && !i.started():
		err = nil // cancelled while it started
	}
	if err != nil {
		i.move(PendingError)
		i.move(Error)
		return fmt.Errorf("cannot run application %s: %w", i.cfg.ApplicationID, err)
	}
	i.move(PendingShutdown)
	i.move(NotRunning)
	return nil
}

// started reports whether there ever were workers.
func (i *Instance) started() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.mu.workers) > 0
}

func (i *Instance) run(ctx context.Context) error {
	process, static, err := identity(&i.cfg)
	if err != nil {
		return err
	}
	p, err := makePlan(ctx, &i.cfg)
	if err != nil {
		return err
	}
	globals, err := openGlobals(&i.cfg)
	if err != nil {
		return err
	}
	var tables *engine.Globals
	if globals != nil {
		defer globals.consumer.Close()
		if err := globals.load(ctx, p); err != nil {
			return err
		}
		tables = globals.globals
	}
	r := &roster{events: make(chan event)}
	r.ctx, r.fail = context.WithCancelCause(ctx)
	defer r.fail(nil)
	hard, release := afterwards(r.ctx, i.cfg.CloseTimeout)
	defer release()
	var running sync.WaitGroup
	if globals != nil {
		running.Go(func() { r.fail(globals.follow(r.ctx)) })
	}
	var workers []*worker
	for n := range i.cfg.Workers {
		w := &worker{
			cfg: &i.cfg, plan: p, index: n, process: process, globals: tables, hard: hard, report: r.report,
			log: i.cfg.Logger.With("worker", n),
		}
		if static {
			w.instanceID = fmt.Sprintf("%s-%s-%d", i.cfg.ApplicationID, process, n)
		}
		workers = append(workers, w)
		running.Go(func() { r.end(n, w.run(r.ctx)) })
	}
	i.mu.Lock()
	i.mu.workers = workers
	i.mu.Unlock()
	err = i.follow(ctx, r, len(workers))
	r.fail(nil)
	running.Wait()
	return err
}

// afterwards is a context that outlives ctx by d, for what must still be done then; but it ends with an abandoned instance.
func afterwards(ctx context.Context, d time.Duration) (context.Context, func()) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrAbandoned) {
			cancel()
			return
		}
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(hard, func() { timer.Stop() })
	})
	return hard, func() { stop(); cancel() }
}

// event is a worker's news: it has its tasks and they run, or it has ended.
type event struct {
	worker int
	ready  bool
	ended  bool
	err    error
}

// roster passes the workers' news to the goroutine of Run, which alone moves the state.
type roster struct {
	ctx    context.Context
	fail   context.CancelCauseFunc
	events chan event
}

func (r *roster) report(worker int, ready bool) {
	select {
	case r.events <- event{worker: worker, ready: ready}:
	case <-r.ctx.Done():
	}
}

func (r *roster) end(worker int, err error) {
	r.events <- event{worker: worker, ended: true, err: err}
}

// follow moves the state with the workers' news until all have ended, and returns the first error, of a worker or of the
// global tables. A failure ends the other workers, which first commit what they have.
func (i *Instance) follow(ctx context.Context, r *roster, workers int) error {
	ready := make([]bool, workers)
	var first error
	ending := r.ctx.Done()
	for left := workers; left > 0; {
		select {
		case e := <-r.events:
			switch {
			case !e.ended:
				ready[e.worker] = e.ready
				i.moveWith(ready)
				continue
			case e.err != nil && first == nil:
				first = e.err
				r.fail(e.err)
			}
			left--
		case <-ending:
			ending = nil
			if first == nil && ctx.Err() == nil {
				first = context.Cause(r.ctx)
			}
			if first == nil {
				i.move(PendingShutdown)
			} else {
				i.move(PendingError)
			}
		}
	}
	return first
}

// moveWith follows whether all workers' tasks run.
func (i *Instance) moveWith(ready []bool) {
	to := Running
	for _, r := range ready {
		if !r {
			to = Rebalancing
		}
	}
	if from := i.State(); from == Rebalancing || from == Running {
		i.move(to)
	}
}

// move changes the state and tells the hook. Only the goroutine of Run calls it.
func (i *Instance) move(to State) {
	i.mu.Lock()
	from := i.mu.state
	i.mu.state = to
	i.mu.Unlock()
	if from == to {
		return
	}
	i.cfg.Logger.Info("state changed", "from", from, "to", to)
	if i.cfg.OnState != nil {
		i.cfg.OnState(from, to)
	}
}
