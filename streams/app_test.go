package streams_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// text is a serde of int64 as decimal text.
type text struct{}

func (text) Append(dst []byte, v int64) ([]byte, error) { return strconv.AppendInt(dst, v, 10), nil }
func (text) Decode(b []byte) (int64, error)             { return strconv.ParseInt(string(b), 10, 64) }

// wordCount counts the words of lines through a repartition topic.
func (b *bed) wordCount() *streams.Topology {
	b.Helper()
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("lines"), serde.String, serde.String).
		FlatMapValues(strings.Fields).
		GroupBy(func(_, word string) string { return word }, serde.String).
		Count(streams.As("counts")).
		ToStream().
		To(b.topic("counts"), serde.String, text{})
	topo, err := sb.Build()
	b.must(err)
	return topo
}

// lines are n lines of words, and what they add up to.
func (b *bed) lines(n int, seed uint64) ([]message, map[string]int64) {
	r := rand.New(rand.NewPCG(seed, 1))
	counts := make(map[string]int64)
	var list []message
	for i := range n {
		var words []string
		for range 5 {
			w := fmt.Sprintf("w%d", r.IntN(50))
			counts[w]++
			words = append(words, w)
		}
		list = append(list, message{key: strconv.Itoa(i), value: strings.Join(words, " "), at: b.t0 + int64(i)})
	}
	return list, counts
}

func asText(counts map[string]int64) map[string]string {
	t := make(map[string]string)
	for k, n := range counts {
		t[k] = strconv.FormatInt(n, 10)
	}
	return t
}

func (b *bed) repartition(app, name string) string { return b.topic(app) + "-" + name + "-repartition" }

// TestAppWordCount: totals equal a fold of the input; numbers and states are right; an end is clean.
func TestAppWordCount(t *testing.T) {
	b := newBed(t)
	b.create(3, "lines", "counts")
	in, want := b.lines(1000, 1)
	b.produce("lines", in...)
	cfg := b.config("app")
	cfg.Workers = 2
	var states []string
	cfg.OnStateChange = func(_, to streams.State) { states = append(states, to.String()) }
	app := b.run(b.wordCount(), cfg)
	b.caughtUp(cfg.ApplicationID, b.topic("lines"), b.repartition("app", "counts"))
	b.equal("counts", b.table("counts"), asText(want))
	app.running()
	app.shut()
	s := app.Stats()
	if s.RecordsIn != 1000+5000 || s.RecordsOut < 10_000 || s.Commits == 0 {
		t.Errorf("stats %+v", s)
	}
	if got := strings.Join(states, " "); !strings.HasPrefix(got, "REBALANCING RUNNING") || !strings.HasSuffix(got, "PENDING_SHUTDOWN NOT_RUNNING") {
		t.Errorf("states %s", got)
	}
	if err := app.Run(b.ctx); !errors.Is(err, streams.ErrAlreadyRun) {
		t.Errorf("second Run: %v", err)
	}
}

// ticker forwards a record whenever its wall-clock punctuator fires.
type ticker struct{}

func (ticker) Init(ctx *streams.Context[string, string]) error {
	_, err := ctx.Schedule(10*time.Millisecond, streams.WallClock, func(at time.Time) error {
		return ctx.Forward(streams.Record[string, string]{Key: "tick", Value: ctx.TaskID(), Time: at})
	})
	return err
}

func (ticker) Process(streams.Record[string, string]) error { return nil }
func (ticker) Close() error                                 { return nil }

// TestAppPunctuates: wall-clock punctuators fire without any input, on every task, and what they forward is written.
func TestAppPunctuates(t *testing.T) {
	b := newBed(t)
	b.create(2, "in", "out")
	sb := streams.NewBuilder()
	streams.From(sb, b.topic("in"), serde.String, serde.String).
		Process(func() streams.Processor[string, string, string, string] { return ticker{} }, serde.String, serde.String).
		To(b.topic("out"), serde.String, serde.String)
	topo, err := sb.Build()
	b.must(err)
	app := b.run(topo, b.config("app"))
	b.eventually("two ticks of each task", func() bool {
		ticks := make(map[string]int)
		for _, r := range b.read("out") {
			ticks[string(r.Value)]++
		}
		return app.alive() && ticks["0_0"] > 1 && ticks["0_1"] > 1
	})
	app.shut()
}
