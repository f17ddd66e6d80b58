package streams_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// firstSeen forwards each key's first record, and at every instant of a punctuator how many keys it has seen.
type firstSeen struct {
	by   streams.Clock
	ctx  *streams.Context[string, string]
	seen *streams.KeyValue[string, string]
}

func (p *firstSeen) Init(ctx *streams.Context[string, string]) error {
	var err error
	p.ctx = ctx
	if p.seen, err = ctx.KeyValue[string, string]("seen"); err != nil {
		return err
	}
	_, err = ctx.Schedule(ms(10), p.by, func(at time.Time) error {
		return p.ctx.Forward(streams.Record[string, string]{Key: "seen", Value: fmt.Sprint(p.seen.Len()), Time: at})
	})
	return err
}

func (p *firstSeen) Process(r streams.Record[string, string]) error {
	if r.Value == "bad" {
		return errors.New("bad value")
	}
	_, ok, err := p.seen.Get(r.Key)
	if err != nil || ok {
		return err
	}
	if err := p.seen.Put(r.Key, r.Value); err != nil {
		return err
	}
	return p.ctx.Forward(r)
}

func (p *firstSeen) Close() error { return nil }

func dedupe(by streams.Clock, opts ...streams.Option) func(*streams.Builder) {
	return func(b *streams.Builder) {
		b.AddStore(streams.KeyValueStore("seen", serde.String, serde.String))
		toOut(from(b, "in").Process(func() streams.Processor[string, string, string, string] { return &firstSeen{by: by} },
			serde.String, serde.String, append(opts, streams.Uses("seen"))...))
	}
}

func TestTrap40StreamTimePunctuators(t *testing.T) {
	s := play(t, dedupe(streams.StreamTime))
	s.expect("in", "a:1@5", "a:1@5 seen:1@5") // as soon as there is data
	s.expect("in", "b:1@9", "b:1@9")
	s.expect("in", "c:1@35", "c:1@35 seen:3@35") // once, however far time jumped
	s.expect("in", "d:1@34", "d:1@34")           // time does not advance
	s.expect("in", "d:1@39", "")
	s.d.Commit()
	s.d.Crash()
	s.expect("in", "d:1@39", "")
	s.expect("in", "d:1@40", "seen:4@40") // on the old grid, also after a restart
}

func TestTrap40WallClockPunctuators(t *testing.T) {
	s := play(t, dedupe(streams.WallClock))
	s.expect("in", "a:1@500", "a:1@500")
	s.d.Advance(ms(9))
	if got := s.read(); got != "" {
		t.Errorf("after 9 ms: %q", got)
	}
	s.d.Advance(ms(26))
	if got := s.read(); got != "seen:1@35" {
		t.Errorf("after 35 ms: %q", got)
	}
	s.d.Advance(ms(5))
	if got := s.read(); got != "seen:1@40" {
		t.Errorf("after 40 ms: %q", got)
	}
}

func TestProcessorErrors(t *testing.T) {
	s := play(t, dedupe(streams.WallClock))
	err := s.d.Input("in", serde.String, serde.String).TryPipe("a", "bad", time.UnixMilli(1))
	var re *engine.RecordError
	if !errors.As(err, &re) || re.Node != "KSTREAM-PROCESSOR-0000000001" || re.Stage != engine.Processing {
		t.Errorf("got %v", err)
	}
	s = play(t, dedupe(streams.WallClock, streams.OnError(streams.Continue())))
	s.expect("in", "a:bad@1", "")
	s.expect("in", "a:good@2", "a:good@2")
	s.dropped("process", 1)
}

func TestProcessorWithoutItsStore(t *testing.T) {
	topo := built(t, func(b *streams.Builder) {
		from(b, "in").Process(func() streams.Processor[string, string, string, string] { return &firstSeen{} }, serde.String, serde.String)
	})
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, Now: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(nil); !errors.Is(err, streams.ErrUnknownStore) {
		t.Errorf("got %v", err)
	}
}

func TestTryForms(t *testing.T) {
	refuse := errors.New("refused")
	check := func(_ context.Context, _, v string) error {
		if v == "bad" {
			return refuse
		}
		return nil
	}
	for name, verb := range map[string]func(s *streams.Stream[string, string], opts ...streams.Option){
		"filter": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.TryFilter(func(ctx context.Context, k, v string) (bool, error) { return true, check(ctx, k, v) }, opts...))
		},
		"map values": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.TryMapValues(func(ctx context.Context, k, v string) (string, error) { return v, check(ctx, k, v) }, opts...))
		},
		"flat map values": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.TryFlatMapValues(func(ctx context.Context, k, v string) ([]string, error) { return []string{v}, check(ctx, k, v) }, opts...))
		},
		"select key": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.TrySelectKey(func(ctx context.Context, k, v string) (string, error) { return k, check(ctx, k, v) }, serde.String, opts...))
		},
		"map": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.TryMap(func(ctx context.Context, k, v string) (string, string, error) { return k, v, check(ctx, k, v) }, serde.String, opts...))
		},
		"aggregate": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.GroupByKey().TryAggregate(func() string { return "" },
				func(ctx context.Context, k, v, _ string) (string, error) { return v, check(ctx, k, v) }, opts...).ToStream())
		},
		"table": func(s *streams.Stream[string, string], opts ...streams.Option) {
			toOut(s.ToTable().TryMapValues(func(ctx context.Context, k, v string) (string, error) { return v, check(ctx, k, v) }, opts...).ToStream())
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(b *streams.Builder) { verb(from(b, "in")) })
			err := s.d.Input("in", serde.String, serde.String).TryPipe("a", "bad", time.UnixMilli(1))
			if !errors.Is(err, refuse) || !strings.Contains(err.Error(), "in-0@0") {
				t.Errorf("fail: got %v", err)
			}
			s = play(t, func(b *streams.Builder) { verb(from(b, "in"), streams.OnError(streams.Continue())) })
			s.expect("in", "a:bad@1", "")
			s.expect("in", "a:good@2", "a:good@2")
			s.dropped("process", 1)
			s = play(t, func(b *streams.Builder) { verb(from(b, "in"), streams.OnError(streams.DeadLetter("dead"))) })
			s.expect("in", "a:bad@1", "")
			dead := s.d.Output("dead", serde.String, serde.String).All()
			if len(dead) != 1 || dead[0].Key != "a" || dead[0].Value != "bad" || !dead[0].Time.Equal(time.UnixMilli(1)) {
				t.Errorf("dead letters: %+v", dead)
			}
		})
	}
}

func TestDeadLetterHeaders(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		streams.From(b, "in", serde.String, serde.Int64).
			Filter(func(string, int64) bool { return true }, streams.OnError(streams.DeadLetter("dead")))
	})
	s.d.Input("in", serde.String, serde.String).Pipe("k", "no number", time.UnixMilli(3))
	dead := s.d.Output("dead", serde.String, serde.String).All()
	if len(dead) != 1 {
		t.Fatalf("dead letters: %+v", dead)
	}
	got := make(map[string]string)
	for _, h := range dead[0].Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"__streams.errors.message":    "cannot decode 64-bit integer: 9 bytes, need 8",
		"__streams.errors.stacktrace": "decode in node KSTREAM-FILTER-0000000001 of task -1_0",
		"__streams.errors.topic":      "in",
		"__streams.errors.partition":  "0",
		"__streams.errors.offset":     "0",
	}
	if got["__streams.errors.exception"] == "" {
		t.Error("the exception header is missing")
	}
	delete(got, "__streams.errors.exception")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTrap45HeadersOfTheTriggeringRecord(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().SessionWindow(streams.Session(ms(5))).Reduce(plus).
			Suppress(streams.UntilWindowCloses()))
	})
	in := s.d.Input("in", serde.String, serde.String)
	in.Pipe("a", "1", time.UnixMilli(1), engine.Header{Key: "h", Value: []byte("1")})
	in.Pipe("a", "2", time.UnixMilli(100), engine.Header{Key: "h", Value: []byte("2")})
	got := s.d.Output("out", serde.String, serde.String).All()
	if len(got) != 1 || len(got[0].Headers) != 1 || string(got[0].Headers[0].Value) != "2" {
		t.Errorf("got %+v", got)
	}
}
