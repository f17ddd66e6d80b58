package streams_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// TestAppJoinTable: a stream is joined with a table on the same partitions, and after a restart with the restored table.
func TestAppJoinTable(t *testing.T) {
	b := newBed(t)
	b.create(3, "orders", "customers", "out")
	sb := streams.NewBuilder()
	customers := streams.TableFrom(sb, b.topic("customers"), serde.String, serde.String, streams.As("customers"))
	streams.From(sb, b.topic("orders"), serde.String, serde.String).
		LeftJoinTable(customers, func(o string, c *string) string {
			if c == nil {
				return o + " of nobody"
			}
			return o + " of " + *c
		}).
		To(b.topic("out"), serde.String, serde.String)
	topo, err := sb.Build()
	b.must(err)
	cfg := b.config("app")
	want := make(map[string]string)
	var rows, orders []message
	for i := range 60 {
		k := "c" + strconv.Itoa(i)
		want[k] = "order of nobody"
		if i%3 > 0 {
			rows = append(rows, message{k, "name" + strconv.Itoa(i), b.t0 + int64(i)})
			want[k] = "order of name" + strconv.Itoa(i)
		}
		orders = append(orders, message{k, "order", b.t0 + 1000 + int64(i)})
	}
	b.produce("customers", rows...)
	b.produce("orders", orders[:30]...)
	app := b.run(topo, cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("customers"), b.topic("orders"))
	app.shut()
	again := b.run(topo, cfg)
	b.produce("orders", orders[30:]...)
	b.caughtUp(cfg.ApplicationID, b.topic("orders"))
	again.shut()
	b.equal("out", b.table("out"), want)
}

// windowed counts per key and 10 s, with 5 s of grace.
func (b *bed) windowed() *streams.Topology {
	b.Helper()
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, serde.String).
		GroupByKey().
		Window(streams.Tumbling(10*time.Second).Grace(5*time.Second)).
		Count(streams.As("windows")).
		ToStream().
		SelectKey(func(k streams.Windowed[string], _ int64) string {
			return fmt.Sprintf("%s@%d", k.Key, k.Window.StartMillis-b.t0)
		}, serde.String).
		To(b.topic("out"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	return topo
}

// TestAppLateAfterRestart: a restart drops exactly the late records that an uninterrupted run drops.
func TestAppLateAfterRestart(t *testing.T) {
	b := newBed(t)
	b.t0 -= b.t0 % 10_000
	var in []message
	for i := range 600 {
		at := int64(i) * 100 // 60 s
		if i%10 == 9 {
			at -= 20_000 // late for its window, or in time at the beginning
		}
		in = append(in, message{"k" + strconv.Itoa(i%4), "x", b.t0 + 60_000 + at})
	}
	run := func(cuts ...int) (map[string]string, int64) {
		b.prefix += "x"
		b.create(2, "in", "out")
		cfg := b.config("app")
		topo := b.windowed()
		var late int64
		from := 0
		for _, to := range append(cuts, len(in)) {
			b.produce("in", in[from:to]...)
			from = to
			app := b.run(topo, cfg)
			b.caughtUp(cfg.ApplicationID, b.topic("in"))
			app.shut()
			late += app.Stats().Dropped["late"]
		}
		return b.table("out"), late
	}
	want, wantLate := run()
	got, gotLate := run(137, 300, 459)
	b.equal("windows", got, want)
	if gotLate != wantLate || wantLate < 20 {
		t.Errorf("%d late records dropped, %d without restarts", gotLate, wantLate)
	}
}

// TestAppWindowedKeys is trap 29 on a log: windowed keys are partitioned by the key without the window, others by all of it.
func TestAppWindowedKeys(t *testing.T) {
	b := newBed(t)
	b.create(2, "in")
	b.create(7, "windows", "plain")
	sb := streams.NewBuilder()
	in := streams.From(sb, b.topic("in"), serde.String, serde.String)
	in.To(b.topic("plain"), serde.String, serde.String)
	in.GroupByKey().
		Window(streams.Tumbling(time.Second)).
		Count(streams.As("windows")).
		ToStream().
		To(b.topic("windows"), serde.String, serde.Int64)
	topo, err := sb.Build()
	b.must(err)
	messages, _ := b.keyed(300)
	b.produce("in", messages...)
	cfg := b.config("app")
	app := b.run(topo, cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	app.shut()
	windows, plain := b.read("windows"), b.read("plain")
	if len(windows) != 300 || len(plain) != 300 {
		t.Fatalf("%d windowed and %d plain records, want 300 each", len(windows), len(plain))
	}
	for _, r := range windows {
		if want := client.PartitionFor(r.Key[:len(r.Key)-8], 7); r.Partition != want {
			t.Fatalf("window of %q in partition %d, want %d", r.Key, r.Partition, want)
		}
	}
	for _, r := range plain {
		if want := client.PartitionFor(r.Key, 7); r.Partition != want {
			t.Fatalf("%q in partition %d, want %d", r.Key, r.Partition, want)
		}
	}
}

// TestAppGlobalTable: global tables are whole before the first record is joined, and follow their topic.
func TestAppGlobalTable(t *testing.T) {
	b := newBed(t)
	b.create(3, "in", "out")
	b.create(2, "rates")
	sb := streams.NewBuilder()
	rates := streams.GlobalTableFrom(sb, b.topic("rates"), serde.String, serde.String)
	streams.From(sb, b.topic("in"), serde.String, serde.String).
		JoinGlobal(rates, func(_, v string) string { return v }, func(v, rate string) string { return v + "=" + rate }).
		To(b.topic("out"), serde.String, serde.String)
	topo, err := sb.Build()
	b.must(err)
	var rows, in []message
	want := make(map[string]string)
	for i := range 200 {
		c := "c" + strconv.Itoa(i)
		rows = append(rows, message{c, strconv.Itoa(i), b.t0})
		in = append(in, message{strconv.Itoa(i), c, b.t0})
		want[strconv.Itoa(i)] = c + "=" + strconv.Itoa(i)
	}
	b.produce("rates", rows...)
	b.produce("in", in...)
	cfg := b.config("app")
	cfg.Workers = 2
	b.run(topo, cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	b.equal("joined", b.table("out"), want)

	b.produce("rates", message{"new", "7", b.t0})
	b.eventually("the new row", func() bool {
		b.produce("in", message{"last", "new", b.t0})
		return b.table("out")["last"] == "new=7"
	})
}

// TestAppRepartitions: a repartition into a fixed number of partitions makes as many tasks, and its topic is cut below what is
// committed.
func TestAppRepartitions(t *testing.T) {
	b := newBed(t)
	b.create(1, "in", "out")
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, serde.String).
		SelectKey(func(_, v string) string { return v }, serde.String).
		Repartition(streams.As("spread"), streams.Partitions(5)).
		GroupByKey().
		Count(streams.As("counts")).
		ToStream().
		To(b.topic("out"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	var in []message
	want := make(map[string]int64)
	for i := range 500 {
		v := "v" + strconv.Itoa(i%40)
		want[v]++
		in = append(in, message{strconv.Itoa(i), v, b.t0})
	}
	b.produce("in", in...)
	cfg := b.config("app")
	app := b.run(topo, cfg)
	spread := b.repartition("app", "spread")
	b.caughtUp(cfg.ApplicationID, b.topic("in"), spread)
	if n := len(b.ends(spread)); n != 5 {
		t.Errorf("%d partitions, want 5", n)
	}
	app.shut()
	if n := len(app.Stats().Partitions); n != 0 {
		t.Errorf("%d partitions after the end", n)
	}
	b.equal("counts", b.table("out"), asText(want))
}

// TestAppDeadLetters: what cannot be decoded or processed goes to the topics that say so, and the application goes on.
func TestAppDeadLetters(t *testing.T) {
	b := newBed(t)
	b.create(2, "in", "out", "dead")
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, text{}).
		MapValues(func(n int64) int64 { return n * 2 }).
		To(b.topic("out"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	b.produce("in", message{"a", "1", b.t0}, message{"b", "bad", b.t0 + 1}, message{"c", "3", b.t0 + 2})
	cfg := b.config("app")
	cfg.OnDecodeError = streams.DeadLetter(b.topic("dead"))
	app := b.run(topo, cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	app.shut()
	b.equal("out", b.table("out"), map[string]string{"a": "2", "c": "6"})
	dead := b.read("dead")
	if len(dead) != 1 || string(dead[0].Key) != "b" || string(dead[0].Value) != "bad" || len(dead[0].Headers) != 6 {
		t.Errorf("dead letters: %+v", dead)
	}
	if n := app.Stats().Dropped["decode"]; n != 1 {
		t.Errorf("%d records dropped", n)
	}
}

// TestAppFails: an error of a record ends Run with its place, and nothing of it is committed.
func TestAppFails(t *testing.T) {
	b := newBed(t)
	b.create(1, "in", "out")
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, text{}).
		MapValues(func(n int64) int64 { return n * 2 }).
		To(b.topic("out"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	b.produce("in", message{"a", "1", b.t0}, message{"b", "bad", b.t0 + 1})
	app := b.run(topo, b.config("app"))
	err = app.wait()
	if err == nil || !strings.Contains(err.Error(), "cannot decode record "+b.topic("in")+"-0@1") {
		t.Errorf("Run returned %v", err)
	}
	if app.State() != streams.Error {
		t.Errorf("state %v", app.State())
	}
	if n := b.committed(b.topic("app"), b.topic("in")); n > 1 {
		t.Errorf("committed %d", n)
	}
}

// manyWindows has more operators with times than fit into what is committed.
func (b *bed) manyWindows() *streams.Topology {
	b.Helper()
	sb := streams.NewBuilder()
	grouped := streams.From(sb, b.topic("lines"), serde.String, serde.String).GroupByKey()
	for i := range 30 {
		grouped.Window(streams.Tumbling(10*time.Second)).
			Count(streams.As(fmt.Sprintf("%s-%d", strings.Repeat("window", 8), i)), streams.Unlogged())
	}
	topo, err := sb.Build()
	b.must(err)
	return topo
}

// TestAppStartErrors: what cannot run says so at the start, with names and numbers.
func TestAppStartErrors(t *testing.T) {
	b := newBed(t)
	b.create(2, "two", "out")
	b.create(3, "three")
	sb := streams.NewBuilder()
	table := streams.TableFrom(sb, b.topic("three"), serde.String, serde.String)
	streams.From(sb, b.topic("two"), serde.String, serde.String).
		JoinTable(table, func(a, b string) string { return a + b }).
		To(b.topic("out"), serde.String, serde.String)
	topo, err := sb.Build()
	b.must(err)
	err = b.run(topo, b.config("join")).wait()
	if !errors.Is(err, streams.ErrNotCopartitioned) || !strings.Contains(err.Error(), b.topic("three")+" has 3") {
		t.Errorf("inputs of 2 and 3 partitions: %v", err)
	}

	cfg := b.config("missing")
	cfg.TopicTimeout = 200 * time.Millisecond
	err = b.run(b.wordCount(), cfg).wait()
	if !errors.Is(err, streams.ErrMissingTopics) || !strings.Contains(err.Error(), b.topic("lines")) || strings.Contains(err.Error(), b.topic("two")) {
		t.Errorf("topics that do not exist: %v", err)
	}

	b.create(2, "lines", "counts")
	errs, err := b.log.Admin().CreateTopics(b.ctx, client.TopicSpec{Name: b.repartition("wrong", "counts"), Partitions: 5})
	b.must(errors.Join(append(errs, err)...))
	err = b.run(b.wordCount(), b.config("wrong")).wait()
	if err == nil || !strings.Contains(err.Error(), "has 5 partitions, the topology needs 2") {
		t.Errorf("an internal topic with 5 partitions: %v", err)
	}

	cfg = b.config("reset")
	cfg.Reset = streams.ResetNone
	if err = b.run(b.wordCount(), cfg).wait(); !errors.Is(err, client.ErrNoCommittedOffset) {
		t.Errorf("no committed offset: %v", err)
	}

	cfg = b.config("damaged")
	offset := client.OffsetAndMetadata{Offset: 0, LeaderEpoch: -1, Metadata: "AgAA"}
	b.must(b.log.Admin().CommitOffsets(b.ctx, cfg.ApplicationID, map[client.TopicPartition]client.OffsetAndMetadata{
		{Topic: b.topic("lines"), Partition: 1}: offset,
	}))
	if err = b.run(b.wordCount(), cfg).wait(); err == nil || !strings.Contains(err.Error(), "commit metadata is damaged") {
		t.Errorf("damaged metadata: %v", err)
	}
	err = b.run(b.manyWindows(), b.config("windows")).wait()
	if err == nil || !strings.Contains(err.Error(), "bytes of commit metadata, the log allows 4096") {
		t.Errorf("too many operators with times: %v", err)
	}
	if _, err := streams.New(topo, streams.Config{ApplicationID: "a/b", Log: b.log}); err == nil {
		t.Error("an application id with a slash was taken")
	}
}

// TestAppRejoins: a member that the group has thrown out drops what it did, joins again and goes on. What it had written when its
// commit was refused is counted twice, and nothing is missing.
func TestAppRejoins(t *testing.T) {
	b := newBed(t)
	b.create(2, "in", "out")
	in, want := b.keyed(600)
	cfg := b.config("app")
	cfg.StateDir = t.TempDir()
	app := b.run(b.countKeys(newGate(0)), cfg)
	b.produce("in", in[:300]...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	before := app.Stats().Workers[0]
	b.must(b.log.Admin().RemoveStaticMembers(b.ctx, cfg.ApplicationID, before.InstanceID))
	b.produce("in", in[300:]...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	b.eventually("a new seat", func() bool { return app.alive() && app.Stats().Workers[0].MemberID != before.MemberID })
	app.running()
	extra := sum(b.table("out")) - 600
	b.atLeast(b.table("out"), want, 300)

	// Thrown out with nothing left to commit, it learns of it by a heartbeat: OnLost. Nothing is repeated.
	before = app.Stats().Workers[0]
	b.must(b.log.Admin().RemoveStaticMembers(b.ctx, cfg.ApplicationID, before.InstanceID))
	b.eventually("another seat", func() bool { return app.alive() && app.Stats().Workers[0].MemberID != before.MemberID })
	app.running()
	b.produce("in", in...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	app.shut()
	if got := sum(b.table("out")) - extra; got != 1200 {
		t.Errorf("counted %d, want 1200", got)
	}
}

// atLeast checks that nothing is missing and that at most extra records are counted twice.
func (b *bed) atLeast(got map[string]string, want map[string]int64, extra int64) {
	b.Helper()
	var total int64
	for k, v := range want {
		total += v
		if have, _ := strconv.ParseInt(got[k], 10, 64); have < v {
			b.Errorf("%s: %d, want at least %d", k, have, v)
		}
	}
	if twice := sum(got) - total; twice > extra {
		b.Errorf("%d counted twice, at most %d may be", twice, extra)
	}
}
