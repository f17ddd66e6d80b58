package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/nodetest"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/worker"
	"github.com/millrace/millrace/streams/serde"
)

// final counts per key and second, and writes only the final counts.
func final(t *testing.T) *streams.Topology {
	t.Helper()
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		Window(streams.Tumbling(time.Second)).
		Count(streams.As("counts")).
		Suppress(streams.UntilWindowCloses(), streams.As("held")).
		ToStream().
		To("out", serde.String, serde.Int64)
	topo, err := b.Build()
	must(t, err)
	return topo
}

func end(t *testing.T, ctx context.Context, log *client.Client, topic string) int64 {
	t.Helper()
	tp := client.TopicPartition{Topic: topic}
	o := log.Admin().ListOffsets(ctx, client.ReadUncommitted, map[client.TopicPartition]int64{tp: client.Latest})[tp]
	must(t, o.Err)
	return o.Offset
}

// TestOutputsBeforeState: a commit writes no changelog before the outputs that go with it are in the log. If it did, a crash in
// between would leave a state that says "done" of results that nobody has seen: here the final count of a window, gone from the
// buffer and not in the output, and no input would ever bring it back.
func TestOutputsBeforeState(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := nodetest.New(t).Client()
	create(t, ctx, log, 1, "in", "out")
	start := time.Now().Add(-time.Hour).Truncate(time.Second).UnixMilli()
	cfg := worker.Config{ApplicationID: "app", Program: final(t).Program(), Log: log, CommitInterval: time.Hour}
	broken, stop := context.WithCancel(ctx)
	defer stop()
	d := worker.Drive(t, broken, cfg)
	produce(t, ctx, log, "in", 1, func(int) int64 { return start })
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 1 })
	must(t, d.Commit())
	held := end(t, ctx, log, "app-held-store-changelog")

	errs, err := log.Admin().DeleteTopics(ctx, "out") // the outputs that follow get nowhere
	must(t, errors.Join(append(errs, err)...))
	produce(t, ctx, log, "in", 1, func(int) int64 { return start + 5000 }) // the first window closes
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 2 })
	time.AfterFunc(time.Second, stop)
	if err := d.Commit(); err == nil {
		t.Fatal("committed without the output")
	}
	d.Close()
	if now := end(t, ctx, log, "app-held-store-changelog"); now != held {
		t.Errorf("the buffer's changelog went from %d to %d without the output", held, now)
	}

	create(t, ctx, log, 1, "out")
	d = worker.Drive(t, ctx, cfg)
	defer d.Close()
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 1 })
	must(t, d.Commit())
	if n := end(t, ctx, log, "out"); n != 1 {
		t.Errorf("%d final counts in the output, want that of the window that closed", n)
	}
}

// TestSilenceIsProbed: neither an empty poll nor a fetch proves that the worker is a member still, so a commit after a silence asks
// first, and writes nothing when the seat is gone.
func TestSilenceIsProbed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := nodetest.New(t).Client()
	create(t, ctx, log, 1, "in", "out")
	at := time.Now().Truncate(time.Second).UnixMilli()
	d := worker.Drive(t, ctx, worker.Config{ApplicationID: "app", Program: final(t).Program(), Log: log, CommitInterval: time.Hour})
	defer d.Close()
	produce(t, ctx, log, "in", 1, func(int) int64 { return at })
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 1 })
	must(t, d.Commit())
	silent := d.Silence()
	produce(t, ctx, log, "in", 1, func(int) int64 { return at })
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 2 })
	if got := d.Contact(); !got.Equal(silent) {
		t.Errorf("a poll moved the last proof of membership from %v to %v", silent, got)
	}
	must(t, d.Commit())
	if !d.Contact().After(silent) {
		t.Error("a commit is no proof of membership")
	}
}
