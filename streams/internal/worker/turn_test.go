package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/runtime/nodetest"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/worker"
	"github.com/millrace/millrace/streams/serde"
)

// TestTurnsAreBounded: many tasks with slow functions do not keep a worker from polling, or the group would throw it out and all
// that it does would be done again, for ever. Every task has its turn all the same.
func TestTurnsAreBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := nodetest.New(t).Client()
	const tasks = 10
	create(t, ctx, log, tasks, "in", "out")
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		Peek(func(_, _ string) { <-time.After(100 * time.Millisecond) }).
		To("out", serde.String, serde.String)
	topo, err := b.Build()
	must(t, err)
	d := worker.Drive(t, ctx, worker.Config{ApplicationID: "app", Program: topo.Program(), Log: log})
	defer d.Close()
	d.Until(ctx, func(s worker.Stats) bool { return len(s.Partitions) == tasks })
	produce(t, ctx, log, "in", 30, func(int) int64 { return time.Now().UnixMilli() })
	var last, most int64
	d.Until(ctx, func(s worker.Stats) bool {
		most = max(most, s.RecordsIn-last)
		last = s.RecordsIn
		return last == 30
	})
	if most > 4 { // 250 ms, and the one at hand
		t.Errorf("one turn took %d records, of 100 ms each", most)
	}
}
