package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

const (
	eventTopic      = "events"
	countTopic      = "event-counts"
	eventPartitions = 4
	countingApp     = "counting"
	eventKeys       = 50
	eventsPerTick   = 40
	eventTick       = 10 * time.Millisecond
	// eventSpan is how far event times lie apart; the grace is longer, so nothing may be dropped as late.
	eventSpan  = 10 * time.Minute
	eventGrace = time.Hour
	// eventsPerLife is how many events are written between two kills.
	eventsPerLife = 4000
	// cutCommit is the commit interval of the workers: what a kill may count twice.
	cutCommit = 200 * time.Millisecond
)

// The variables that make the test binary a worker.
const (
	workerBrokers = "MILLRACE_CHAOS_WORKER"
	workerState   = "MILLRACE_CHAOS_STATE"
)

// countingTopology counts events per key and minute.
func countingTopology() (*streams.Topology, error) {
	b := streams.NewBuilder()
	streams.From(b, eventTopic, serde.String, serde.Bytes).
		GroupByKey().
		Window(streams.Tumbling(time.Minute).Grace(eventGrace)).
		Count(streams.As("per-minute")).
		ToStream().
		SelectKey(func(k streams.Windowed[string], _ int64) string {
			return fmt.Sprintf("%s@%d", k.Key, k.Window.StartMillis)
		}, serde.String).
		To(countTopic, serde.String, serde.Int64)
	return b.Build()
}

// workerMain is what a worker process does until it is interrupted or killed. It prints how many records it dropped.
func workerMain(brokers string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := runWorker(ctx, brokers)
	if err != nil {
		fmt.Println("worker failed:", err)
		return 1
	}
	return 0
}

func runWorker(ctx context.Context, brokers string) error {
	c, err := client.New(client.Config{Brokers: []string{brokers}})
	if err != nil {
		return err
	}
	defer c.Close()
	topo, err := countingTopology()
	if err != nil {
		return err
	}
	app, err := streams.New(topo, streams.Config{
		ApplicationID: countingApp, Log: c, StateDir: os.Getenv(workerState), CommitInterval: cutCommit,
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	err = app.Run(ctx)
	for reason, n := range app.Stats().Dropped {
		fmt.Printf("dropped %s %d\n", reason, n)
	}
	return err
}

// worker is a process that runs the topology.
func worker(t *testing.T, brokers, state string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), workerBrokers+"="+brokers, workerState+"="+state)
		return cmd
	}}
	t.Cleanup(p.kill)
	p.start()
	return p
}

// events writes numbered events and keeps the fold of what was acked.
type events struct {
	producer *client.Producer
	random   *rand.Rand
	start    time.Time // of the event times
	written  int
	counts   map[string]int64
}

// write produces n events, paced, and waits for their acks.
func (e *events) write(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(eventTick)
	defer tick.Stop()
	for range n / eventsPerTick {
		<-tick.C
		for range eventsPerTick {
			key := fmt.Sprintf("key-%02d", e.random.IntN(eventKeys))
			at := e.start.Add(time.Duration(e.random.Int64N(int64(eventSpan)))).UnixMilli()
			r := client.NewRecord(eventTopic, []byte(key), []byte("x"))
			r.Timestamp = at
			e.producer.Produce(t.Context(), r, nil)
			e.counts[fmt.Sprintf("%s@%d", key, at-at%time.Minute.Milliseconds())]++
			e.written++
		}
	}
	if err := e.producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestKillWorkers kills two counting processes in turn, and at the end the node too. No input may be missing from the final tables, and what is
// counted twice must lie within what was not committed at the kills.
func TestKillWorkers(t *testing.T) {
	node, addr := startNode(t, t.TempDir())
	c := connect(t, addr)
	eventually(t, "the topics", func() bool {
		errs, err := c.Admin().CreateTopics(t.Context(),
			client.TopicSpec{Name: eventTopic, Partitions: eventPartitions}, client.TopicSpec{Name: countTopic, Partitions: eventPartitions})
		return err == nil && errs[0] == nil && errs[1] == nil
	})
	producer, err := c.NewProducer(client.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	states := t.TempDir()
	workers := []*process{worker(t, addr, filepath.Join(states, "a")), worker(t, addr, filepath.Join(states, "b"))}
	e := &events{producer: producer, start: time.Now().Add(-eventSpan), random: rand.New(rand.NewPCG(1, 2)), counts: make(map[string]int64)}
	twice := int64(0)
	for kill := range times(2, 10) {
		e.write(t, eventsPerLife)
		waitForCommits(t, c)
		victim := workers[kill%len(workers)]
		e.write(t, eventsPerLife/4)
		victim.kill()
		cut := uncommitted(t, c)
		twice += cut
		t.Logf("kill %d: %d events written, %d of them not committed", kill+1, e.written, cut)
		victim.start()
	}
	node.kill()
	node.start()
	e.write(t, eventsPerLife)
	eventually(t, "the last commit", func() bool { return uncommitted(t, c) == 0 })
	for _, w := range workers {
		w.signal(syscall.SIGINT)
		checkWorker(t, w)
	}
	checkTables(t, c, e, twice)
}

// waitForCommits waits until the group has committed anything at all after a start: a kill before that would prove little.
func waitForCommits(t *testing.T, c *client.Client) {
	t.Helper()
	eventually(t, "commits", func() bool { return uncommitted(t, c) < eventsPerLife })
}

// uncommitted is how many events lie above the committed offsets.
func uncommitted(t *testing.T, c *client.Client) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	times := make(map[client.TopicPartition]int64)
	for p := range int32(eventPartitions) {
		times[client.TopicPartition{Topic: eventTopic, Partition: p}] = client.Latest
	}
	committed, err := c.Admin().FetchOffsets(ctx, countingApp)
	if err != nil {
		return 1 << 40
	}
	open := int64(0)
	for tp, end := range c.Admin().ListOffsets(ctx, client.ReadUncommitted, times) {
		if end.Err != nil {
			return 1 << 40
		}
		open += end.Offset - committed[tp].Offset
	}
	return open
}

// checkWorker looks at how a worker ended.
func checkWorker(t *testing.T, w *process) {
	t.Helper()
	out := w.output()
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("a worker ended with %d:\n%s", code, out)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "dropped ") {
			t.Errorf("a worker dropped records: %s", line)
		}
	}
}

// checkTables compares the newest count of each key and window with the fold of the input.
func checkTables(t *testing.T, c *client.Client, e *events, twice int64) {
	t.Helper()
	got := make(map[string]int64)
	for p := range int32(eventPartitions) {
		for _, r := range readAll(t, c, client.TopicPartition{Topic: countTopic, Partition: p}) {
			got[string(r.Key)] = int64(binary.BigEndian.Uint64(r.Value))
		}
	}
	over := int64(0)
	for key, want := range e.counts {
		if got[key] < want {
			t.Errorf("%s was counted %d times, and there were %d events", key, got[key], want)
		}
		over += max(0, got[key]-want)
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("%d keys were counted that never were written", len(got))
	}
	t.Logf("%d events, %d counted twice, %d allowed", e.written, over, twice)
	if over > twice {
		t.Errorf("%d events were counted twice; only %d were not committed at the kills", over, twice)
	}
}
