package worker

import (
	"context"
	"testing"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/client"
)

// Driver turns a worker by hand, on the goroutine of the test.
type Driver struct {
	t      testing.TB
	w      *worker
	closed func()
}

// Drive makes the plan and opens the worker of an application.
func Drive(t testing.TB, ctx context.Context, cfg Config) *Driver {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := makePlan(ctx, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{cfg: &cfg, plan: p, process: uuid.NewV4(), hard: ctx, report: func(int, bool) {}, log: cfg.Logger}
	w.numbers.Dropped = make(map[string]int64)
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	restoreCtx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); w.restorer.run(restoreCtx) }()
	return &Driver{t: t, w: w, closed: func() {
		stop()
		<-ended
		w.closeTasks()
		w.producer.close()
		w.group.Close()
	}}
}

// Close ends the worker without a commit.
func (d *Driver) Close() { d.closed() }

// Until turns the worker until done says so.
func (d *Driver) Until(ctx context.Context, done func(s Stats) bool) {
	d.t.Helper()
	for {
		if err := d.w.step(ctx); err != nil {
			d.t.Fatal(err)
		}
		d.w.publish(d.w.polledAt)
		if s := d.w.stats.Load(); d.w.joined && len(s.Restores) == 0 && done(*s) {
			return
		}
	}
}

// Bounce revokes all tasks and assigns them again. It reports how many were taken up as they were, and how many are being
// restored.
func (d *Driver) Bounce() (kept, restored int) {
	d.t.Helper()
	before := make(map[*task]bool)
	for _, t := range d.w.tasks {
		before[t] = true
	}
	tps := d.w.group.Assigned()
	d.w.revoked(tps)
	if len(d.w.order) != 0 {
		d.t.Fatalf("%d tasks run after they were revoked", len(d.w.order))
	}
	d.w.assigned(client.Assigned{Added: tps})
	if d.w.failed != nil {
		d.t.Fatal(d.w.failed)
	}
	for _, t := range d.w.tasks {
		if before[t] {
			kept++
		} else {
			restored++
		}
	}
	return kept, restored
}

// Purge cuts repartition topics now.
func (d *Driver) Purge() { d.w.purge(d.w.purgedAt.Add(d.w.cfg.PurgeInterval)) }

// Commit commits now.
func (d *Driver) Commit() error { return d.w.commit() }

// Silence makes as if the group had last been heard of long ago, and returns when.
func (d *Driver) Silence() time.Time {
	d.w.contact = time.Now().Add(-sessionTimeout)
	return d.w.contact
}

// Contact is when the group was last known to have this member.
func (d *Driver) Contact() time.Time { return d.w.contact }
