package engine

import (
	"testing"

	"github.com/millrace/millrace/streams/topology"
)

// TestProcessReady: a task takes nothing while a partition that is awaited is empty; Discard drops what waits and keeps the
// positions.
func TestProcessReady(t *testing.T) {
	p := NewProgram()
	for _, name := range []string{"a", "b"} {
		if _, err := p.Graph.AddSource(name, topology.Source{Topics: []string{name}}); err != nil {
			t.Fatal(err)
		}
		Source[string, string](p, Node{Name: name})
	}
	if _, err := p.Graph.AddProcessor("both", "a", "b"); err != nil {
		t.Fatal(err)
	}
	task, err := NewTask(p, TaskConfig{ApplicationID: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(nil); err != nil {
		t.Fatal(err)
	}
	add := func(topic string, records ...Input) {
		t.Helper()
		if err := task.Add(topic, 0, records); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(want int) {
		t.Helper()
		if task.Ready() != (want > 0) {
			t.Errorf("Ready is %v with %d records to take", task.Ready(), want)
		}
		if n, err := task.ProcessReady(100); n != want || err != nil {
			t.Errorf("took %d (%v), want %d", n, err, want)
		}
	}
	task.Await("b", 0, true)
	add("a", Input{Topic: "a", Offset: 4, Timestamp: 10}, Input{Topic: "a", Offset: 5, Timestamp: 30})
	ready(0)
	if !task.Queued() {
		t.Error("nothing queued")
	}
	add("b", Input{Topic: "b", Offset: 0, Timestamp: 20})
	ready(2) // 10 and 20; then b is empty again
	task.Await("b", 0, false)
	add("a", Input{Topic: "a", Offset: 6, Timestamp: 40})
	if n, err := task.ProcessReady(1); n != 1 || err != nil {
		t.Errorf("took %d, %v", n, err)
	}
	task.Discard()
	if task.Queued() || task.Waiting("a", 0) != 0 {
		t.Error("records are left after Discard")
	}
	for _, pos := range task.Positions() {
		if want := map[string]int64{"a": 6, "b": 1}[pos.Topic]; pos.Offset != want {
			t.Errorf("position of %s is %d, want %d", pos.Topic, pos.Offset, want)
		}
		if len(pos.Metadata) != task.MetadataBytes() {
			t.Errorf("metadata of %d bytes, announced as %d", len(pos.Metadata), task.MetadataBytes())
		}
	}
	add("a", Input{Topic: "a", Offset: 6, Timestamp: 40})
	ready(1)
}
