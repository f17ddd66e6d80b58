package streamstest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

func countWords(t *testing.T) *streamstest.Driver {
	return count(t, func(s *streams.Stream[string, string]) *streams.Grouped[string, string] {
		return s.GroupBy(func(_, v string) string { return v }, serde.String)
	})
}

func count(t *testing.T, group func(*streams.Stream[string, string]) *streams.Grouped[string, string]) *streamstest.Driver {
	b := streams.NewBuilder()
	group(streams.From(b, "in", serde.String, serde.String)).
		Count(streams.As("counts")).ToStream().To("out", serde.String, serde.Int64)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return streamstest.New(t, topo)
}

func TestStoresAndTopics(t *testing.T) {
	d := countWords(t)
	in := d.Input("in", serde.String, serde.String)
	for i, w := range []string{"b", "a", "b"} {
		in.Pipe("", w, time.UnixMilli(int64(i)))
	}
	var got []string
	for k, n := range d.KeyValue[string, int64]("counts").All() {
		got = append(got, fmt.Sprint(k, n))
	}
	if fmt.Sprint(got) != "[a1 b2]" {
		t.Errorf("store: %v", got)
	}
	if got := fmt.Sprint(d.Topics()); got != "[in out test-counts-repartition]" {
		t.Errorf("topics: %s", got)
	}
	d.Commit()
	changes := d.Output("test-counts-changelog", serde.String, serde.Int64).All()
	if len(changes) != 2 || changes[0].Key != "b" || changes[0].Value != 2 || changes[0].Time.UnixMilli() != 2 {
		t.Errorf("changelog: %+v", changes)
	}
	if rest := d.Output("out", serde.String, serde.Int64); len(rest.All()) != 3 || len(rest.All()) != 0 {
		t.Error("All must return each record once")
	}
}

// TestCrashWithoutCommitRepeats shows at-least-once: inputs since the last commit are processed again, and nothing is lost.
// The store's changes since then are gone with it, so it counts nothing twice; but what had reached a repartition topic stays
// there, and comes again.
func TestCrashWithoutCommitRepeats(t *testing.T) {
	direct := func(s *streams.Stream[string, string]) *streams.Grouped[string, string] { return s.GroupByKey() }
	for seed := range uint64(20) {
		check(t, count(t, direct), seed, func(got, want int64) bool { return got == want })
		check(t, countWords(t), seed, func(got, want int64) bool { return got >= want })
	}
}

func check(t *testing.T, d *streamstest.Driver, seed uint64, ok func(got, want int64) bool) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	in := d.Input("in", serde.String, serde.String)
	want := make(map[string]int64)
	for i := range 50 {
		w := string(rune('a' + random.IntN(3)))
		want[w]++
		in.Pipe(w, w, time.UnixMilli(int64(i)))
		switch random.IntN(6) {
		case 0:
			d.Commit()
		case 1:
			d.Crash()
		}
	}
	store := d.KeyValue[string, int64]("counts")
	for w, n := range want {
		if got, _ := store.Get(w); !ok(got, n) {
			t.Errorf("seed %d: %s was counted %d times, piped %d times", seed, w, got, n)
		}
	}
}
