package streams_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/node"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/worker"
)

// TestAppOutlivesNode: the log goes away under a running application, comes back on the same address, and the application goes
// on: nothing is missing, and what is counted twice lies within what had not been committed.
func TestAppOutlivesNode(t *testing.T) {
	dir := t.TempDir()
	start := func(listen string) *node.Node {
		n, err := node.Start(t.Context(), node.Config{Dir: dir, KafkaListen: listen})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := start("127.0.0.1:0")
	addr := n.KafkaAddr()
	log, err := client.New(client.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b := &bed{T: t, ctx: ctx, log: log, prefix: "outage", t0: time.Now().Add(-time.Hour).UnixMilli()}
	b.create(2, "in", "out")
	in, want := b.keyed(900)
	cfg := b.config("app")
	app := b.run(b.countKeys(newGate(0)), cfg)
	b.produce("in", in[:300]...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	b.produce("in", in[300:600]...)
	b.must(n.Close())
	n = start(addr)
	defer func() { b.must(n.Close()) }()
	b.produce("in", in[600:]...)
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	app.running()
	app.shut()
	b.atLeast(b.table("out"), want, 300)
}

// TestAppLeavesNothing: when Run has returned, all its goroutines have ended, after a clean end, a crash and a failed start.
func TestAppLeavesNothing(t *testing.T) {
	b := newBed(t)
	b.create(2, "lines", "counts")
	in, _ := b.lines(50, 3)
	b.produce("lines", in...)
	before := runtime.NumGoroutine()
	ends := []func(*appRun){
		(*appRun).shut, (*appRun).crash,
		func(r *appRun) { r.stop(); b.must(r.wait()) },
	}
	for i, end := range ends {
		app := b.run(b.wordCount(), b.config(fmt.Sprintf("app%d", i)))
		if i < 2 {
			app.running()
		}
		end(app)
	}
	cfg := b.config("bad")
	cfg.Reset = streams.ResetNone
	if err := b.run(b.wordCount(), cfg).wait(); err == nil {
		t.Error("started without an offset")
	}
	// Connections of the node's side end when they notice.
	b.eventually("goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	if _, err := worker.New(worker.Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

// TestAppCrashes: two processes count while one or the other dies, ten times. Nothing is missing at the end, and what is counted
// twice is at most what the crashes cut.
func TestAppCrashes(t *testing.T) {
	b := newBed(t)
	b.create(4, "in", "out")
	in, _ := b.keyed(11 * 200)
	want := make(map[string]int64)
	cfg := b.config("app")
	cfg.CommitInterval = 200 * time.Millisecond
	topo := b.countKeys(newGate(0))
	apps := []*appRun{b.run(topo, cfg), b.run(topo, cfg)}
	apps[0].running()
	var repeated, done int64
	for i := range 11 {
		b.produce("in", in[i*200:(i+1)*200]...)
		for _, m := range in[i*200 : (i+1)*200] {
			want[m.key]++
		}
		b.eventually("some work", func() bool {
			n := done + apps[0].Stats().RecordsIn + apps[1].Stats().RecordsIn
			return apps[0].alive() && apps[1].alive() && n >= int64(i*200+i*20)
		})
		if i == 10 {
			break
		}
		victim := i % 2
		apps[victim].crash()
		s := apps[victim].Stats()
		repeated += s.Repeated
		done += s.RecordsIn
		apps[victim] = b.run(topo, cfg)
	}
	b.caughtUp(cfg.ApplicationID, b.topic("in"))
	for _, app := range apps {
		app.shut()
		repeated += app.Stats().Repeated
	}
	got := b.table("out")
	b.atLeast(got, want, repeated)
	outputs := int64(len(b.read("out"))) - 11*200
	if outputs < 0 || outputs > repeated || repeated == 0 {
		t.Errorf("%d outputs came twice, between 0 and %d may, and the crashes should have cut something", outputs, repeated)
	}
	t.Logf("%d records counted twice, %d outputs came twice, at most %d may", sum(got)-11*200, outputs, repeated)
}
