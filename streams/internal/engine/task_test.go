package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

type sent struct{ records []engine.Output }

func (s *sent) Send(o *engine.Output) error {
	c := *o
	c.Key, c.Value = append([]byte(nil), o.Key...), append([]byte(nil), o.Value...)
	s.records = append(s.records, c)
	return nil
}

func newTask(t testing.TB, build func(*streams.Builder), out engine.Collector, committed []engine.Position) *engine.Task {
	t.Helper()
	b := streams.NewBuilder()
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "app", Collector: out, Now: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(committed); err != nil {
		t.Fatal(err)
	}
	return task
}

func countByKey(b *streams.Builder) {
	in(b).GroupByKey().Count(streams.As("c")).ToStream().To("out", serde.String, serde.Int64)
}

// TestNoAllocationPerRecord holds the hot path to its promise once stores and buffers have grown.
func TestNoAllocationPerRecord(t *testing.T) {
	for name, build := range map[string]func(*streams.Builder){
		"pass-through": func(b *streams.Builder) { in(b).To("out", serde.String, serde.Bytes) },
		"count":        countByKey,
	} {
		t.Run(name, func(t *testing.T) {
			var out counter
			task := newTask(t, build, &out, nil)
			records := []engine.Input{{Topic: "in", Timestamp: 1, Key: []byte("user-000001"), Value: make([]byte, 100)}}
			step := func() {
				if err := task.Add("in", 0, records); err != nil {
					t.Fatal(err)
				}
				if _, err := task.Process(); err != nil {
					t.Fatal(err)
				}
			}
			step()
			if n := testing.AllocsPerRun(1000, step); n != 0 {
				t.Errorf("%v allocations per record", n)
			}
			if out.sent < 1000 {
				t.Errorf("%d records written", out.sent)
			}
		})
	}
}

// TestFlushCoalesces shows one changelog record per key and commit, in order of first change.
func TestFlushCoalesces(t *testing.T) {
	var out sent
	task := newTask(t, countByKey, &out, nil)
	var records []engine.Input
	for i, k := range []string{"b", "a", "b", "b", "a"} {
		records = append(records, engine.Input{Topic: "in", Offset: int64(i), Timestamp: int64(i), Key: []byte(k), Value: []byte("v")})
	}
	if err := task.Add("in", 0, records); err != nil {
		t.Fatal(err)
	}
	if n, err := task.ProcessAll(10); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if len(out.records) != 5 {
		t.Fatalf("%d records before the flush, want every update", len(out.records))
	}
	out.records = nil
	if err := task.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range out.records {
		got = append(got, r.Topic+" "+string(r.Key)+" "+string('0'+r.Value[7]))
	}
	if want := "app-c-changelog b 3, app-c-changelog a 2"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if p := task.Positions(); len(p) != 1 || p[0].Offset != 5 {
		t.Errorf("positions %+v", p)
	}
}

// TestSubtopologiesAreTasks runs the two halves of a grouped count as two tasks, as the runtime will.
func TestSubtopologiesAreTasks(t *testing.T) {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupBy(func(_, v string) string { return v }, serde.String).
		Count(streams.As("c")).ToStream().To("out", serde.String, serde.Int64)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	run := func(sub int, topic string, records ...engine.Input) []engine.Output {
		var out sent
		task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
			ID: engine.TaskID{Subtopology: sub, Partition: 3}, ApplicationID: "app", Collector: &out, Now: func() int64 { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Start(nil); err != nil {
			t.Fatal(err)
		}
		if got := task.Topics(); len(got) != 1 || got[0] != topic {
			t.Fatalf("task %s reads %v", task.ID(), got)
		}
		if err := task.Add(topic, 2, records); !errors.Is(err, engine.ErrUnknownInput) {
			t.Errorf("another partition: %v", err)
		}
		if err := task.Add(topic, 3, records); err != nil {
			t.Fatal(err)
		}
		if _, err := task.ProcessAll(10); err != nil {
			t.Fatal(err)
		}
		if err := task.Close(); err != nil {
			t.Fatal(err)
		}
		return out.records
	}
	first := run(0, "in", engine.Input{Topic: "in", Partition: 3, Timestamp: 5, Value: []byte("x")})
	if len(first) != 1 || first[0].Topic != "app-c-repartition" || string(first[0].Key) != "x" {
		t.Fatalf("first half: %+v", first)
	}
	second := run(1, "app-c-repartition", engine.Input{
		Topic: "app-c-repartition", Partition: 3, Timestamp: 5, Key: first[0].Key, Value: first[0].Value,
	})
	if len(second) != 1 || second[0].Topic != "out" || second[0].Value[7] != 1 {
		t.Errorf("second half: %+v", second)
	}
	if _, err := engine.NewTask(topo.Program(), engine.TaskConfig{ID: engine.TaskID{Subtopology: 2}}); err == nil {
		t.Error("a task of a part that does not exist")
	}
}

func TestStartRefusesDamagedMetadata(t *testing.T) {
	for _, m := range []string{"!", "AAAA", "AgAAAAAAAAAAAAAAAQ=="} {
		b := streams.NewBuilder()
		countByKey(b)
		topo, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		task, err := engine.NewTask(topo.Program(), engine.TaskConfig{ID: engine.TaskID{Subtopology: 0}, ApplicationID: "app"})
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Start([]engine.Position{{Topic: "in", Offset: 1, Metadata: m}}); err == nil {
			t.Errorf("metadata %q accepted", m)
		}
		if err := task.Restore("nothing", []byte("k"), nil, 0); err == nil {
			t.Error("restored a store that is not there")
		}
	}
}

// TestResumeKeepsTime shows what is committed beside the offset: a window operator that goes on drops what it would have
// dropped.
func TestResumeKeepsTime(t *testing.T) {
	windows := func(b *streams.Builder) {
		in(b).GroupByKey().Window(streams.Tumbling(10*time.Millisecond)).Count(streams.As("c")).ToStream().
			To("out", serde.String, serde.Int64)
	}
	var out counter
	task := newTask(t, windows, &out, nil)
	feed := func(task *engine.Task, offset, at int64) {
		t.Helper()
		r := []engine.Input{{Topic: "in", Offset: offset, Timestamp: at, Key: []byte("k"), Value: []byte("v")}}
		if err := task.Add("in", 0, r); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Process(); err != nil {
			t.Fatal(err)
		}
	}
	feed(task, 0, 100)
	resumed := newTask(t, windows, &out, task.Positions())
	if resumed.StreamTime() != 100 {
		t.Errorf("stream time %d", resumed.StreamTime())
	}
	feed(resumed, 1, 50)
	if resumed.Dropped()["late"] != 1 {
		t.Errorf("dropped %v", resumed.Dropped())
	}
}

func TestTryFunctionsGetTheTasksContext(t *testing.T) {
	type key struct{}
	var got any
	b := streams.NewBuilder()
	in(b).TryForEach(func(ctx context.Context, _ string, _ []byte) error {
		got = ctx.Value(key{})
		return nil
	})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ApplicationID: "app", Collector: new(counter), Context: context.WithValue(t.Context(), key{}, "mine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Add("in", 0, []engine.Input{{Topic: "in", Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Process(); err != nil || got != "mine" {
		t.Errorf("got %v, %v", got, err)
	}
}
