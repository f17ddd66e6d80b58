package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/runtime/nodetest"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// TestTopology runs the topology alone: no log, no clock.
func TestTopology(t *testing.T) {
	seen := 0
	topo, err := topology(func(string, int64) { seen++ })
	if err != nil {
		t.Fatal(err)
	}
	d := streamstest.New(t, topo)
	in := d.Input("lines", serde.String, serde.String)
	in.Pipe("", "To be or not to be", time.UnixMilli(1))
	got := make(map[string]int64)
	for _, r := range d.Output("word-counts", serde.String, serde.Int64).All() {
		got[r.Key] = r.Value
	}
	if len(got) != 4 || got["to"] != 2 || got["be"] != 2 || got["or"] != 1 || got["not"] != 1 || seen != 6 {
		t.Errorf("counts %v after %d updates", got, seen)
	}
}

// TestRun runs the program on a log.
func TestRun(t *testing.T) {
	log := nodetest.New(t).Client()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := createTopics(ctx, log); err != nil {
		t.Fatal(err)
	}
	if err := send(ctx, log, strings.NewReader("a rose is a rose\nis a rose\n")); err != nil {
		t.Fatal(err)
	}
	type total struct {
		word string
		n    int64
	}
	totals := make(chan total, 8)
	ended := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ended <- run(running, log, func(word string, n int64) { totals <- total{word, n} }) }()
	got := make(map[string]int64)
	for range 8 {
		select {
		case c := <-totals:
			got[c.word] = c.n
		case err := <-ended:
			t.Fatalf("ended early: %v", err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got["a"] != 3 || got["rose"] != 3 || got["is"] != 2 {
		t.Errorf("counts %v", got)
	}
}
