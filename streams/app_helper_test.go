package streams_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/nodetest"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/worker"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

// bed is a log, with names of its own, that a test runs applications on: a node in this process, or the brokers of
// MILLRACE_TEST_BROKERS.
type bed struct {
	*testing.T
	ctx    context.Context
	log    *client.Client
	prefix string

	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	brokers []string

	t0 int64 // where event time begins, in ms: recent, because logs drop old records
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, t0: time.Now().Add(-time.Hour).UnixMilli(), prefix: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))}
	if brokers := os.Getenv("MILLRACE_TEST_BROKERS"); brokers != "" {
		log, err := client.New(client.Config{Brokers: strings.Split(brokers, ",")})
		b.must(err)
		t.Cleanup(log.Close)
		b.log, b.dial, b.brokers = log, new(net.Dialer).DialContext, strings.Split(brokers, ",")
		b.prefix = fmt.Sprintf("%s-%d", b.prefix, time.Now().UnixNano())
	} else {
		n := nodetest.New(t)
		b.log, b.dial = n.Client(), n.Dial
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b.ctx = ctx
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// topic is a topic's name in this test.
func (b *bed) topic(name string) string { return b.prefix + "-" + name }

// create makes topics.
func (b *bed) create(partitions int32, names ...string) {
	b.Helper()
	var specs []client.TopicSpec
	for _, n := range names {
		specs = append(specs, client.TopicSpec{Name: b.topic(n), Partitions: partitions})
	}
	errs, err := b.log.Admin().CreateTopics(b.ctx, specs...)
	b.must(errors.Join(append(errs, err)...))
	b.eventually("new topics", func() bool {
		ready := true
		for _, n := range names {
			topics, err := b.log.Admin().Topics(b.ctx, b.topic(n))
			b.must(err)
			for _, p := range topics[0].Partitions {
				ready = ready && p.Leader >= 0
			}
			ready = ready && len(topics[0].Partitions) == int(partitions)
		}
		return ready
	})
}

// message is a record in short.
type message struct {
	key, value string
	at         int64
}

// produce writes messages to a topic, by key.
func (b *bed) produce(name string, messages ...message) {
	b.Helper()
	p, err := b.log.NewProducer(client.ProducerConfig{})
	b.must(err)
	defer p.Close()
	for _, m := range messages {
		r := client.NewRecord(b.topic(name), []byte(m.key), []byte(m.value))
		if m.value == "" {
			r.Value = nil
		}
		r.Timestamp = m.at
		p.Produce(b.ctx, r, nil)
	}
	b.must(p.Flush(b.ctx))
}

// ends are the log ends of a topic's partitions.
func (b *bed) ends(topic string) map[client.TopicPartition]int64 {
	b.Helper()
	topics, err := b.log.Admin().Topics(b.ctx, topic)
	b.must(err)
	ask := make(map[client.TopicPartition]int64)
	for _, p := range topics[0].Partitions {
		ask[client.TopicPartition{Topic: topic, Partition: p.Index}] = client.Latest
	}
	ends := make(map[client.TopicPartition]int64)
	for tp, o := range b.log.Admin().ListOffsets(b.ctx, client.ReadUncommitted, ask) {
		b.must(o.Err)
		ends[tp] = o.Offset
	}
	return ends
}

// read returns everything in a topic, in offset order per partition.
func (b *bed) read(name string) []client.Record {
	b.Helper()
	topic := b.topic(name)
	ends := b.ends(topic)
	from := make(map[client.TopicPartition]int64)
	for tp, end := range ends {
		if end > 0 {
			from[tp] = client.Earliest
		}
	}
	c, err := b.log.NewConsumer(client.ConsumerConfig{})
	b.must(err)
	defer c.Close()
	b.must(c.Assign(from))
	var records []client.Record
	for len(from) > 0 {
		fetched, err := c.Poll(b.ctx)
		b.must(err)
		for _, f := range fetched {
			b.must(f.Err)
			records = append(records, f.Records...)
			if f.Next >= ends[f.TopicPartition] {
				delete(from, f.TopicPartition)
				c.Unassign(f.TopicPartition)
			}
		}
	}
	return records
}

// table is the last value of each key in a topic.
func (b *bed) table(name string) map[string]string {
	b.Helper()
	t := make(map[string]string)
	for _, r := range b.read(name) {
		if r.Value == nil {
			delete(t, string(r.Key))
			continue
		}
		t[string(r.Key)] = string(r.Value)
	}
	return t
}

// eventually waits until done.
func (b *bed) eventually(what string, done func() bool) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.Fatalf("waited for %v: %s", patience, what)
		}
	}
}

// appRun is an application that runs.
type appRun struct {
	*streams.App
	b    *bed
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// config is a configuration for tests: commits come fast.
func (b *bed) config(app string) streams.Config {
	c := streams.Config{
		ApplicationID: b.topic(app), Log: b.log, CommitInterval: 50 * time.Millisecond, TopicTimeout: 2 * time.Second,
	}
	if os.Getenv("MILLRACE_TEST_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return c
}

// run starts an application; it ends with the test.
func (b *bed) run(topo *streams.Topology, cfg streams.Config) *appRun {
	b.Helper()
	app, err := streams.New(topo, cfg)
	b.must(err)
	ctx, cancel := context.WithCancel(b.ctx)
	r := &appRun{App: app, b: b, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = app.Run(ctx)
	}()
	b.Cleanup(func() { cancel(); <-r.done })
	return r
}

// wait waits for the end of Run.
func (r *appRun) wait() error {
	r.b.Helper()
	select {
	case <-r.done:
	case <-r.b.ctx.Done():
		r.b.Fatal("the application does not end")
	}
	return r.err
}

// shut ends the application cleanly.
func (r *appRun) shut() {
	r.b.Helper()
	r.stop()
	r.b.must(r.wait())
	if s := r.State(); s != streams.NotRunning {
		r.b.Fatalf("state %v after the end", s)
	}
}

// crash ends the application as if its process had died.
func (r *appRun) crash() {
	r.b.Helper()
	r.Abandon()
	if err := r.wait(); !errors.Is(err, worker.ErrAbandoned) {
		r.b.Fatalf("abandoned application ended with %v", err)
	}
}

// running waits until every task runs.
func (r *appRun) running() {
	r.b.Helper()
	r.b.eventually("running", func() bool { return r.alive() && r.State() == streams.Running })
}

// alive fails the test if Run has ended with an error.
func (r *appRun) alive() bool {
	r.b.Helper()
	select {
	case <-r.done:
		r.b.Fatalf("the application ended: %v", r.err)
	default:
	}
	return true
}

// caughtUp waits until applications together have processed everything in topics (full names) and committed it.
func (b *bed) caughtUp(app string, topics ...string) {
	b.Helper()
	b.eventually("caught up with "+strings.Join(topics, ", "), func() bool {
		committed, err := b.log.Admin().FetchOffsets(b.ctx, app)
		if client.IsRetriable(err) {
			return false // the group's coordinator is not there yet
		}
		b.must(err)
		for _, topic := range topics {
			for tp, end := range b.ends(topic) {
				if end > 0 && committed[tp].Offset < end {
					return false
				}
			}
		}
		return true
	})
}

func (b *bed) equal(what string, got, want map[string]string) {
	b.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			b.Errorf("%s: %q is %q, want %q", what, k, got[k], want[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			b.Errorf("%s: %q is %q, want none", what, k, got[k])
		}
	}
	b.FailNow()
}
