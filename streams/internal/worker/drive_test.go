package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/nodetest"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/worker"
	"github.com/millrace/millrace/streams/serde"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, ctx context.Context, log *client.Client, topic string, n int, at func(i int) int64) {
	t.Helper()
	p, err := log.NewProducer(client.ProducerConfig{})
	must(t, err)
	defer p.Close()
	for i := range n {
		r := client.NewRecord(topic, fmt.Appendf(nil, "k%d", i%10), []byte("x"))
		r.Timestamp = at(i)
		p.Produce(ctx, r, nil)
	}
	must(t, p.Flush(ctx))
}

func create(t *testing.T, ctx context.Context, log *client.Client, partitions int32, topics ...string) {
	t.Helper()
	for _, topic := range topics {
		errs, err := log.Admin().CreateTopics(ctx, client.TopicSpec{Name: topic, Partitions: partitions})
		must(t, errors.Join(append(errs, err)...))
	}
}

// TestSuspended: tasks that are revoked and come back are taken up as they are, unless somebody else has committed meanwhile.
// On the way: repartition topics are cut below what is committed.
func TestSuspended(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := nodetest.New(t).Client()
	create(t, ctx, log, 2, "in", "out")
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		Repartition(streams.As("all")).
		GroupByKey().
		Count(streams.As("counts")).
		ToStream().
		To("out", serde.String, serde.Int64)
	topo, err := b.Build()
	must(t, err)
	d := worker.Drive(t, ctx, worker.Config{ApplicationID: "app", Program: topo.Program(), Log: log, CommitInterval: time.Millisecond})
	defer d.Close()
	now := func(int) int64 { return time.Now().UnixMilli() }
	produce(t, ctx, log, "in", 100, now)
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 200 })
	must(t, d.Commit())
	if kept, restored := d.Bounce(); kept != 4 || restored != 0 {
		t.Errorf("%d tasks kept, %d restored; want 4 and none", kept, restored)
	}
	produce(t, ctx, log, "in", 100, now)
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 400 })
	must(t, d.Commit())

	d.Purge()
	committed, err := log.Admin().FetchOffsets(ctx, "app")
	must(t, err)
	ask := map[client.TopicPartition]int64{
		{Topic: "app-all-repartition", Partition: 0}: client.Earliest, {Topic: "app-all-repartition", Partition: 1}: client.Earliest,
	}
	for tp, o := range log.Admin().ListOffsets(ctx, client.ReadUncommitted, ask) {
		if o.Err != nil || o.Offset == 0 || o.Offset != committed[tp].Offset {
			t.Errorf("%s begins at %d (%v), committed is %d", tp, o.Offset, o.Err, committed[tp].Offset)
		}
	}
}

// TestLowestTimestampFirst is trap 2 on a log: with two inputs the records are taken by time, although one input comes in
// many polls, because the task waits for what the log is known to hold.
func TestLowestTimestampFirst(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := nodetest.New(t).Client()
	create(t, ctx, log, 1, "a", "b", "out")
	start := time.Now().Add(-time.Hour).UnixMilli()
	const n = 5000
	produce(t, ctx, log, "a", n, func(i int) int64 { return start + 2*int64(i) })
	produce(t, ctx, log, "b", n, func(i int) int64 { return start + 2*int64(i) + 1 })
	b := streams.NewBuilder()
	var last time.Time
	back := 0
	order := func() streams.Processor[string, string, string, string] { return &inOrder{last: &last, back: &back} }
	streams.From(b, "a", serde.String, serde.String).
		Merge(streams.From(b, "b", serde.String, serde.String)).
		Process(order, serde.String, serde.String).
		To("out", serde.String, serde.String)
	topo, err := b.Build()
	must(t, err)
	d := worker.Drive(t, ctx, worker.Config{ApplicationID: "app", Program: topo.Program(), Log: log, MaxBuffered: 100})
	defer d.Close()
	d.Until(ctx, func(s worker.Stats) bool { return s.RecordsIn == 2*n })
	if back != 0 {
		t.Errorf("%d of %d records went back in time", back, 2*n)
	}
}

// inOrder counts the records that are older than the one before.
type inOrder struct {
	last *time.Time
	back *int
}

func (o *inOrder) Init(*streams.Context[string, string]) error { return nil }
func (o *inOrder) Close() error                                { return nil }

func (o *inOrder) Process(r streams.Record[string, string]) error {
	if r.Time.Before(*o.last) {
		*o.back++
	}
	*o.last = r.Time
	return nil
}
