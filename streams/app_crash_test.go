package streams_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// gate lets the functions of a topology wait for the test.
type gate struct {
	at   int64 // the record before which it closes; 0: never
	seen atomic.Int64
	open chan struct{}
}

func newGate(at int64) *gate { return &gate{at: at, open: make(chan struct{})} }

func (g *gate) pass() {
	if g.seen.Add(1) == g.at {
		<-g.open
	}
}

// countKeys counts records by key without a repartition: one part, one output per input.
func (b *bed) countKeys(g *gate) *streams.Topology {
	b.Helper()
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, serde.String).
		Peek(func(_, _ string) { g.pass() }).
		GroupByKey().
		Count(streams.As("counts")).
		ToStream().
		To(b.topic("out"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	return topo
}

// keyed are n records of 20 keys.
func (b *bed) keyed(n int) ([]message, map[string]int64) {
	counts := make(map[string]int64)
	var list []message
	for i := range n {
		k := "k" + strconv.Itoa(i*7%20)
		counts[k]++
		list = append(list, message{key: k, value: "x", at: b.t0 + int64(i)})
	}
	return list, counts
}

// committed is how many input records the application's offsets cover.
func (b *bed) committed(app, topic string) int64 {
	b.Helper()
	offsets, err := b.log.Admin().FetchOffsets(b.ctx, app)
	b.must(err)
	var n int64
	for tp, o := range offsets {
		if tp.Topic == topic {
			n += o.Offset
		}
	}
	return n
}

func sum(table map[string]string) int64 {
	var n int64
	for _, v := range table {
		i, _ := strconv.ParseInt(v, 10, 64)
		n += i
	}
	return n
}

// TestAppCrash: the process dies in the middle of a commit interval. Nothing is missing, no state counts twice (nothing of the
// interval was flushed), and outputs come twice for records of that interval only.
func TestAppCrash(t *testing.T) {
	b := newBed(t)
	b.create(4, "in", "out")
	const n = 3000
	in, want := b.keyed(n)
	b.produce("in", in[:1000]...)
	cfg := b.config("app")
	g := newGate(1700)
	app := b.run(b.countKeys(g), cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	b.produce("in", in[1000:]...)
	b.eventually("the gate", func() bool { return app.alive() && g.seen.Load() >= g.at })
	app.Abandon()
	close(g.open)
	app.crash()
	cut := app.Stats().RecordsIn - b.committed(cfg.ApplicationID, b.topic("in"))
	if cut <= 0 {
		t.Fatalf("the crash cut %d records: it tests nothing", cut)
	}

	second := b.run(b.countKeys(newGate(0)), cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	second.shut()
	b.equal("counts", b.table("out"), asText(want))
	if twice := int64(len(b.read("out"))) - n; twice < 0 || twice > cut {
		t.Errorf("%d outputs came twice, at most %d may", twice, cut)
	}
}

// mute is a network that takes no offset commits while closed is set.
type mute struct {
	net.Conn
	closed  *atomic.Bool
	refused *atomic.Int64
}

const offsetCommitKey = 8

func (m mute) Write(p []byte) (int, error) {
	if m.closed.Load() && len(p) > 6 && binary.BigEndian.Uint16(p[4:]) == offsetCommitKey {
		m.refused.Add(1)
		return 0, errors.New("muted")
	}
	return m.Conn.Write(p)
}

// muted is the log through a network that takes no offset commits while closed is set, and counts those that it refuses.
func (b *bed) muted(closed *atomic.Bool, refused *atomic.Int64) *client.Client {
	b.Helper()
	log, err := client.New(client.Config{
		Brokers: b.brokers,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := b.dial(ctx, network, addr)
			return mute{c, closed, refused}, err
		},
	})
	b.must(err)
	b.Cleanup(log.Close)
	return log
}

// TestAppCannotCommitAtTheEnd: nil is a promise that everything is committed.
func TestAppCannotCommitAtTheEnd(t *testing.T) {
	b := newBed(t)
	b.create(1, "in", "out")
	in, _ := b.keyed(10)
	var closed atomic.Bool
	var refused atomic.Int64
	cfg := b.config("app")
	cfg.Log, cfg.CloseTimeout = b.muted(&closed, &refused), 200*time.Millisecond
	app := b.run(b.countKeys(newGate(0)), cfg)
	app.running()
	closed.Store(true)
	b.produce("in", in...)
	b.eventually("a commit that fails", func() bool { return app.alive() && refused.Load() > 0 })
	app.stop()
	if err := app.wait(); err == nil {
		t.Error("Run ended without an error and without a commit")
	}
	if s := app.State(); s != streams.Error {
		t.Errorf("state %v", s)
	}
}

// TestAppCrashInCommit: the process dies when changelog and outputs are in the log and the offsets are not. What is counted
// twice is what that commit covered, no more; nothing is missing.
func TestAppCrashInCommit(t *testing.T) {
	b := newBed(t)
	b.create(1, "in", "out")
	const n = 2000
	in, want := b.keyed(n)
	var closed atomic.Bool
	var refused atomic.Int64
	b.produce("in", in[:500]...)
	cfg := b.config("app")
	cfg.Log = b.muted(&closed, &refused)
	app := b.run(b.countKeys(newGate(0)), cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	closed.Store(true)
	b.produce("in", in[500:1200]...)
	b.eventually("a commit that fails", func() bool { return refused.Load() > 0 })
	app.crash()
	cut := app.Stats().RecordsIn - b.committed(cfg.ApplicationID, b.topic("in"))

	cfg.Log = b.log
	b.produce("in", in[1200:]...)
	second := b.run(b.countKeys(newGate(0)), cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	second.shut()
	got := b.table("out")
	b.atLeast(got, want, cut)
	if sum(got) == n {
		t.Error("nothing was counted twice: the crash did not hit a commit")
	}
}

// TestAppHandover: two processes share the work; one ends cleanly and the other takes its tasks over: nothing missing, nothing
// twice, in tables and outputs.
func TestAppHandover(t *testing.T) {
	b := newBed(t)
	b.create(6, "lines", "counts")
	in, want := b.lines(1500, 2)
	cfg := b.config("app")
	topo := b.wordCount()
	b.produce("lines", in[:500]...)
	first := b.run(topo, cfg)
	first.running()
	second := b.run(topo, cfg)
	b.eventually("both have tasks", func() bool {
		return first.alive() && second.alive() && len(first.Stats().Partitions) == 6 && len(second.Stats().Partitions) == 6
	})
	b.produce("lines", in[500:1000]...)
	b.eventually("both work", func() bool { return second.Stats().RecordsIn > 100 })
	first.shut()
	b.produce("lines", in[1000:]...)
	b.caughtUp(cfg.ApplicationID, b.topic("lines"), b.repartition("app", "counts"))
	second.running()
	if parts := len(second.Stats().Partitions); parts != 12 {
		t.Errorf("the survivor has %d partitions, want 12", parts)
	}
	second.shut()
	b.equal("counts", b.table("counts"), asText(want))
	var total int64
	for _, n := range want {
		total += n
	}
	if got := int64(len(b.read("counts"))); got != total {
		t.Errorf("%d outputs, want %d: a clean handover repeats nothing", got, total)
	}
}

// TestAppRestart: state comes back from the changelog, and a store that was never written to as well.
func TestAppRestart(t *testing.T) {
	b := newBed(t)
	b.create(3, "in", "out")
	in, want := b.keyed(900)
	cfg := b.config("app")
	for i := range 3 {
		b.produce("in", in[i*300:(i+1)*300]...)
		app := b.run(b.countKeys(newGate(0)), cfg)
		b.caughtUp(cfg.ApplicationID, b.topic("in"))
		app.shut()
	}
	b.equal("counts", b.table("out"), asText(want))
	if got := len(b.read("out")); got != 900 {
		t.Errorf("%d outputs, want 900", got)
	}
}

// TestAppStaticMember: a process that is back within its session takes its old seat, without a rebalance.
func TestAppStaticMember(t *testing.T) {
	b := newBed(t)
	b.create(2, "in", "out")
	in, want := b.keyed(400)
	b.produce("in", in[:200]...)
	cfg := b.config("app")
	cfg.StateDir = t.TempDir()
	other := b.config("app")
	stays := b.run(b.countKeys(newGate(0)), other)
	stays.running()
	app := b.run(b.countKeys(newGate(0)), cfg)
	b.eventually("both have tasks", func() bool { return len(app.Stats().Partitions) == 1 && len(stays.Stats().Partitions) == 1 })
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	generation := stays.Stats().Workers[0].Generation
	app.crash()
	again := b.run(b.countKeys(newGate(0)), cfg)
	b.produce("in", in[200:]...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	again.running()
	if after := stays.Stats().Workers[0].Generation; after != generation {
		t.Errorf("generation %d, was %d: the group has rebalanced", after, generation)
	}
	again.shut()
	stays.shut()
	b.must(app.CleanUp())
	b.equal("counts", b.table("out"), asText(want))
}
