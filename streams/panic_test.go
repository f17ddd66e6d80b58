package streams_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// explode panics for the value "bad", below some frames of its own.
func explode(v string) string {
	if v == "bad" {
		panic(fs.ErrClosed)
	}
	return v
}

// panicking are the verbs whose functions panic, with the node that must be named.
var panicking = map[string]func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option){
	"KSTREAM-FILTER-0000000001": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.Filter(func(_, v string) bool { return explode(v) != "" }, opts...))
	},
	"KSTREAM-MAPVALUES-0000000002": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.Peek(func(string, string) {}).MapValues(explode, opts...))
	},
	"KSTREAM-FLATMAP-0000000001": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		// The nodes below have worked before it panics.
		toOut(s.FlatMap(func(k, v string, yield func(string, string)) {
			if v == "bad" {
				yield(k, "before")
			}
			yield(k, explode(v))
		}, serde.String, opts...).Filter(func(_, v string) bool { return v != "before" }))
	},
	"KSTREAM-BRANCH-0000000001": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.Split(opts...).Branch("x", func(_, v string) bool { return explode(v) != "" }).Default("y")["x"])
	},
	"sum": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.GroupByKey().Aggregate(func() string { return "" }, func(_, v, _ string) string { return explode(v) },
			append(opts, streams.Named("sum"))...).ToStream())
	},
	"window": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.GroupByKey().Window(streams.Tumbling(ms(10))).Aggregate(func() string { return "" }, func(_, v, _ string) string { return explode(v) },
			append(opts, streams.Named("window"))...).ToStream().SelectKey(func(w streams.Windowed[string], _ string) string { return w.Key }, serde.String))
	},
	"pair-this-join": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.LeftJoin(s.MapValues(strings.ToUpper), func(l string, _ *string) string { return explode(l) }, streams.Between(ms(2), -ms(1)),
			append(opts, streams.As("pair"))...))
	},
	"enrich": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.LeftJoinTable(tableFrom(b, "tab"), func(l string, _ *string) string { return explode(l) }, append(opts, streams.As("enrich"))...))
	},
	"processor": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		toOut(s.Process(func() streams.Processor[string, string, string, string] { return new(exploder) }, serde.String, serde.String,
			append(opts, streams.As("processor"))...))
	},
	"sink": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		s.ToChosen(func(_, v string) string { explode(v); return "out" }, serde.String, serde.String, append(opts, streams.As("sink"))...)
	},
	"serde": func(b *streams.Builder, s *streams.Stream[string, string], opts ...streams.Option) {
		s.To("out", serde.String, serde.Serde[string](explodingSerde{}), append(opts, streams.As("serde"))...)
	},
}

type exploder struct {
	ctx *streams.Context[string, string]
}

func (e *exploder) Init(ctx *streams.Context[string, string]) error { e.ctx = ctx; return nil }
func (e *exploder) Close() error                                    { return nil }
func (e *exploder) Process(r streams.Record[string, string]) error {
	r.Value = explode(r.Value)
	return e.ctx.Forward(r)
}

type explodingSerde struct{}

func (explodingSerde) Append(dst []byte, v string) ([]byte, error) {
	return append(dst, explode(v)...), nil
}
func (explodingSerde) Decode(b []byte) (string, error) { return string(b), nil }

func TestPanicBecomesAnError(t *testing.T) {
	for node, verb := range panicking {
		t.Run(node, func(t *testing.T) {
			s := play(t, func(b *streams.Builder) { verb(b, from(b, "in")) })
			s.expect("in", "a:good@1", "a:good@1")
			err := s.d.Input("in", serde.String, serde.String).TryPipe("a", "bad", time.UnixMilli(1))
			var re *streams.RecordError
			var pe *streams.PanicError
			if !errors.As(err, &re) || !errors.As(err, &pe) || !errors.Is(err, fs.ErrClosed) {
				t.Fatalf("got %v", err)
			}
			if re.Node != node || re.Topic != "in" || re.Partition != 0 || re.Offset != 1 || re.Stage.String() != "process" {
				t.Errorf("place: %+v", re)
			}
			if !strings.HasPrefix(pe.Stack, "github.com/millrace/millrace/streams_test.explode\n") || !strings.Contains(pe.Stack, "panic_test.go:") || strings.Contains(pe.Stack, "internal/engine") {
				t.Errorf("stack:\n%s", pe.Stack)
			}
		})
	}
}

func TestPanicsAreHandledLikeErrors(t *testing.T) {
	for node, verb := range panicking {
		t.Run(node, func(t *testing.T) {
			s := play(t, func(b *streams.Builder) { verb(b, from(b, "in"), streams.OnError(streams.Continue())) })
			s.expect("in", "a:bad@1", "")
			s.expect("in", "a:good@1", "a:good@1")
			if got := s.d.DroppedBy(node); got[streams.DroppedProcess] != 1 || len(got) != 1 {
				t.Errorf("dropped by %s: %v", node, got)
			}
			s.d.Commit()
			s.d.Crash()
			if got := s.read(); got != "" {
				t.Errorf("the position was not committed: %q came again", got)
			}
			s = play(t, func(b *streams.Builder) { verb(b, from(b, "in"), streams.OnError(streams.DeadLetter("dead"))) })
			s.expect("in", "a:bad@1", "")
			s.expect("in", "a:good@1", "a:good@1")
			dead := s.d.Output("dead", serde.String, serde.String).All()
			if len(dead) != 1 || dead[0].Value != "bad" {
				t.Fatalf("dead letters: %+v", dead)
			}
			for _, h := range dead[0].Headers {
				if h.Key == "__streams.errors.stacktrace" && !strings.Contains(string(h.Value), "panic_test.go:") {
					t.Errorf("stack: %s", h.Value)
				}
			}
		})
	}
}

// bomb panics where its name says.
type bomb struct{ at string }

func (p bomb) Init(ctx *streams.Context[string, string]) error {
	if p.at == "init" {
		panic("init")
	}
	_, err := ctx.Schedule(ms(1), streams.WallClock, func(time.Time) error { panic("tick") })
	return err
}

func (p bomb) Process(streams.Record[string, string]) error { return nil }

func (p bomb) Close() error {
	if p.at == "close" {
		panic("close")
	}
	return nil
}

func bombs(at string, opts ...streams.Option) func(*streams.Builder) {
	return func(b *streams.Builder) {
		from(b, "in").Process(func() streams.Processor[string, string, string, string] { return bomb{at} }, serde.String, serde.String,
			append(opts, streams.As("bomb"))...)
	}
}

func TestPanicsOutsideOfRecords(t *testing.T) {
	task := newTask(t, built(t, bombs("close")), nil)
	var pe *streams.PanicError
	if err := task.Punctuate(1); !errors.As(err, &pe) || pe.Value != "tick" || !strings.Contains(err.Error(), "node bomb") {
		t.Errorf("punctuator: %v", err)
	}
	if err := task.Close(); !errors.As(err, &pe) || pe.Value != "close" {
		t.Errorf("close: %v", err)
	}
	task = newTask(t, built(t, bombs("", streams.OnError(streams.Continue()))), nil)
	if err := task.Punctuate(1); err != nil || task.Dropped()[streams.DroppedProcess] != 1 {
		t.Errorf("punctuator with Continue: %v, %v", err, task.Dropped())
	}
	task, err := engine.NewTask(built(t, bombs("init", streams.OnError(streams.Continue()))).Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, Now: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(nil); !errors.As(err, &pe) || pe.Value != "init" {
		t.Errorf("init: %v", err)
	}
}
