package engine_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// ticker schedules a stream-time punctuator and forwards each record with the time it is told.
type ticker struct {
	at    func(time.Time) time.Time
	ctx   *streams.Context[string, string]
	fired *int
}

func (p *ticker) Init(ctx *streams.Context[string, string]) error {
	p.ctx = ctx
	_, err := ctx.Schedule(10*time.Millisecond, streams.StreamTime, func(time.Time) error { *p.fired++; return nil })
	return err
}

func (p *ticker) Process(r streams.Record[string, string]) error {
	r.Time = p.at(r.Time)
	return p.ctx.Forward(r)
}

func (p *ticker) Close() error { return nil }

// TestExtremeTimestamps (C03): a record from the end of time is refused as one with a negative timestamp is, and the largest
// time that is taken neither hangs a window, a join or a punctuator, nor wraps any of their sums.
func TestExtremeTimestamps(t *testing.T) {
	const grace = 5 * time.Millisecond
	fired := 0
	same := func(at time.Time) time.Time { return at }
	for name, build := range map[string]func(*streams.Builder){
		"hopping": func(b *streams.Builder) {
			texts(b).GroupByKey().Window(streams.Hopping(10*time.Millisecond, 4*time.Millisecond).Grace(grace)).Count().
				Suppress(streams.UntilWindowCloses()).ToStream().To("out", serde.String, serde.Int64)
		},
		"sliding": func(b *streams.Builder) {
			texts(b).GroupByKey().Window(streams.Sliding(10*time.Millisecond).Grace(grace)).Count().ToStream().To("out", serde.String, serde.Int64)
		},
		"session": func(b *streams.Builder) {
			texts(b).GroupByKey().SessionWindow(streams.Session(10*time.Millisecond).Grace(grace)).Count().
				Suppress(streams.UntilWindowCloses()).ToStream().To("out", serde.String, serde.Int64)
		},
		"join": func(b *streams.Builder) {
			texts(b).OuterJoin(streams.From(b, "right", serde.String, serde.String),
				func(l, r *string) string { return "x" }, streams.Within(10*time.Millisecond).Grace(grace)).
				To("out", serde.String, serde.String)
		},
		"punctuator": func(b *streams.Builder) {
			texts(b).Process(func() streams.Processor[string, string, string, string] { return &ticker{at: same, fired: &fired} },
				serde.String, serde.String).To("out", serde.String, serde.String)
		},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, build, new(sent), nil)
			add := func(offset, at int64) {
				t.Helper()
				err := task.Add("in", 0, []engine.Input{{Topic: "in", Offset: offset, Timestamp: at, Key: []byte("k"), Value: []byte("v")}})
				if err != nil {
					t.Fatal(err)
				}
			}
			for i, at := range []int64{3, engine.TimeMax - 1, engine.TimeMax, engine.TimeMax, 4} {
				add(int64(i), at)
			}
			if n, err := task.ProcessAll(10); n != 5 || err != nil {
				t.Fatalf("took %d records: %v", n, err)
			}
			if got := task.StreamTime(); got != engine.TimeMax {
				t.Errorf("stream time %d", got)
			}
			for _, at := range []int64{engine.TimeMax + 1, math.MaxInt64} {
				task = newTask(t, build, new(sent), nil)
				add(0, at)
				if _, err := task.ProcessAll(1); !errors.Is(err, engine.ErrInvalidTimestamp) {
					t.Errorf("%d: got %v", at, err)
				}
			}
		})
	}
	if fired != 2 { // at 3 and at TimeMax-1; the next would be beyond TimeMax
		t.Errorf("the punctuator fired %d times, want 2", fired)
	}
}

// TestExtremeForwardedTime: a processor cannot smuggle an impossible time past the check at the source.
func TestExtremeForwardedTime(t *testing.T) {
	for _, at := range []int64{-1, engine.TimeMax + 1, math.MaxInt64 - 3} {
		fired := 0
		task := newTask(t, func(b *streams.Builder) {
			texts(b).Process(func() streams.Processor[string, string, string, string] {
				return &ticker{at: func(time.Time) time.Time { return time.UnixMilli(at) }, fired: &fired}
			}, serde.String, serde.String).
				GroupByKey().Window(streams.Hopping(10*time.Millisecond, 4*time.Millisecond)).Count().ToStream().To("out", serde.String, serde.Int64)
		}, new(sent), nil)
		for _, topic := range task.Topics() {
			if err := task.Add(topic, 0, []engine.Input{{Topic: topic, Timestamp: 5, Key: []byte("k"), Value: []byte("v")}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := task.ProcessAll(1); !errors.Is(err, engine.ErrInvalidTimestamp) {
			t.Errorf("%d: got %v", at, err)
		}
	}
}

// timers schedules a punctuator per record and cancels the one before.
type timers struct {
	ctx    *streams.Context[string, string]
	cancel func()
	fired  *int
	opened bool
}

func (p *timers) Init(ctx *streams.Context[string, string]) error {
	p.ctx, p.opened = ctx, true
	return nil
}

func (p *timers) Process(streams.Record[string, string]) (err error) {
	if p.cancel != nil {
		p.cancel()
	}
	p.cancel, err = p.ctx.Schedule(time.Hour, streams.StreamTime, func(time.Time) error { *p.fired++; return nil })
	return err
}

func (p *timers) Close() error {
	if !p.opened {
		panic("closed without Init")
	}
	return nil
}

func timed(fired *int) func(*streams.Builder) {
	return func(b *streams.Builder) {
		texts(b).Process(func() streams.Processor[string, string, string, string] { return &timers{fired: fired} }, serde.String, serde.String).
			To("out", serde.String, serde.String)
	}
}

// TestCancelledPunctuatorsAreForgotten: a timer per record costs neither memory nor commit metadata once it is cancelled.
func TestCancelledPunctuatorsAreForgotten(t *testing.T) {
	fired := 0
	task := newTask(t, timed(&fired), new(sent), nil)
	for i := range 1000 {
		if err := task.Add("in", 0, []engine.Input{{Topic: "in", Offset: int64(i), Timestamp: 1 + int64(i), Key: []byte("k"), Value: []byte("v")}}); err != nil {
			t.Fatal(err)
		}
		if _, err := task.ProcessAll(1); err != nil {
			t.Fatal(err)
		}
	}
	if n := task.MetadataBytes(); n > 200 {
		t.Errorf("%d bytes of commit metadata for one live punctuator", n)
	}
	if fired == 0 {
		t.Error("no punctuator fired")
	}
}

// TestCloseBeforeStart: a task that is taken away while it is restored closes no processor that was never initialised.
func TestCloseBeforeStart(t *testing.T) {
	b := streams.NewBuilder()
	timed(new(int))(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "app", Collector: new(sent), Now: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Close(); err != nil {
		t.Error(err)
	}
}

func texts(b *streams.Builder) *streams.Stream[string, string] {
	return streams.From(b, "in", serde.String, serde.String)
}
