package streams_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

func TestTrap16NullValues(t *testing.T) {
	count := func(tab *streams.Table[string, int64]) {
		tab.ToStream().MapValues(decimal).To("out", serde.String, serde.String)
	}
	s := play(t, func(b *streams.Builder) { count(from(b, "in").GroupByKey().Count()) })
	s.expect("in", "a:1@1", "a:1@1")
	s.expect("in", "a:~@2", "") // dropped on streams
	s.dropped("null-value", 1)

	s = play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10))).Count().MapValues(decimal))
	})
	s.expect("in", "a:1@1", "a[0,10]:1@1")
	s.expect("in", "a:~@2", "a[0,10]:2@2") // counted by windows

	s = play(t, func(b *streams.Builder) {
		streams.From(b, "in", serde.String, serde.String).GroupByKey().
			Aggregate(func() *string { return ref("") }, func(_, v string, a *string) *string {
				if v == "clear" {
					return nil
				}
				return ref(*a + v)
			}, streams.ValueSerde(nullable)).
			ToStream().To("out", serde.String, nullable)
	})
	s.expect("in", "a:1@1", "a:1@1")
	s.expect("in", "a:clear@2", "a:~@2") // null deletes
	s.expect("in", "a:2@3", "a:2@3")
}

func TestTrap17SubtractThenAdd(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		toOut(tableFrom(b, "in").
			GroupBy(func(_, v string) (string, string) { return v[:1], v[1:] }, serde.String).
			Reduce(plus, func(a, v string) string { return a + "-" + v }).ToStream())
	})
	s.expect("in", "k:x1@1", "x:1@1")
	s.expect("in", "k:x2@2", "x:1-1+2@2")         // same group: one result
	s.expect("in", "k:y3@3", "x:1-1+2-2@3 y:3@3") // another: the old one first
	s.expect("in", "k:~@4", "y:3-3@4")
	s.expect("in", "k:~@5", "")
	if got := len(s.d.Output("test-KTABLE-REDUCE-STATE-STORE-0000000004-repartition", serde.Bytes, serde.Bytes).All()); got != 5 {
		t.Errorf("repartition topic holds %d records, want 5", got)
	}
}

func TestTrap18OldValuesForceAStore(t *testing.T) {
	topo := built(t, func(b *streams.Builder) {
		tableFrom(b, "in").GroupBy(func(k, v string) (string, string) { return v, k }, serde.String).Count()
	})
	if got := topo.Graph().Node("KTABLE-SOURCE-0000000002").Stores; len(got) != 1 || got[0] != "in-STATE-STORE-0000000000" {
		t.Errorf("the table's source has stores %v", got)
	}
	topo = built(t, func(b *streams.Builder) { toOut(tableFrom(b, "in").ToStream()) })
	if got := topo.Graph().Stores(); len(got) != 0 {
		t.Errorf("a table that nobody looks up has stores %v", got)
	}
}

func TestTrap19OutOfOrderUpdateOverwrites(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "l").JoinTable(tableFrom(b, "r"), plus)) })
	s.pipe("r", "a:new@10")
	s.pipe("r", "a:old@5")
	s.expect("l", "a:1@11", "a:1+old@11")
}

func TestTrap21OnlyTheStreamTriggers(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "l").JoinTable(tableFrom(b, "r"), plus)) })
	s.expect("l", "a:1@10", "")
	s.expect("r", "a:r@20", "")
	s.expect("l", "a:2@5", "a:2+r@5") // as of now, not as of its time
}

func TestTrap22GlobalTablesJoinOnAnyKeyAndTriggerNothing(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		g := streams.GlobalTableFrom(b, "g", serde.String, serde.String)
		toOut(from(b, "l").JoinGlobal(g, func(_, v string) string { return v }, plus))
	})
	s.expect("l", "a:x@10", "")
	s.expect("g", "x:late@99", "")
	s.expect("l", "a:x@11", "a:x+late@11")
	s.d.Crash()
	s.read()
	s.expect("l", "a:x@12", "a:x+late@12") // loaded again
}

func TestTrap23FilterTombstones(t *testing.T) {
	keep := func(_, v string) bool { return v > "m" }
	for name, opts := range map[string][]streams.Option{"kept": {streams.Stored("f")}, "computed": nil} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(b *streams.Builder) { toOut(tableFrom(b, "in", streams.As("t")).Filter(keep, opts...).ToStream()) })
			s.expect("in", "a:a@1", "")
			s.expect("in", "a:x@2", "a:x@2")
			s.expect("in", "a:b@3", "a:~@3")
			s.expect("in", "a:c@4", "")
			s.expect("in", "a:~@5", "")
		})
	}
}

func TestTrap24EqualValuesAreForwarded(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(tableFrom(b, "in", streams.As("t")).ToStream()) })
	s.expect("in", "a:1@1", "a:1@1")
	s.expect("in", "a:1@2", "a:1@2")
}

func TestTrap27LazyRepartition(t *testing.T) {
	internal := func(build func(*streams.Stream[string, string])) int {
		topo := built(t, func(b *streams.Builder) { build(from(b, "in")) })
		n := 0
		for _, topic := range topo.Graph().InternalTopics() {
			if strings.HasSuffix(topic.Name, "-repartition") {
				n++
			}
		}
		return n
	}
	rekey := func(s *streams.Stream[string, string]) *streams.Stream[string, string] {
		return s.SelectKey(func(_, v string) string { return v }, serde.String)
	}
	for _, c := range []struct {
		name  string
		build func(*streams.Stream[string, string])
		want  int
	}{
		{"not rekeyed", func(s *streams.Stream[string, string]) { s.GroupByKey().Count() }, 0},
		{"rekeyed, key not used", func(s *streams.Stream[string, string]) { toOut(rekey(s)) }, 0},
		{"rekeyed, values mapped", func(s *streams.Stream[string, string]) { rekey(s).MapValues(strings.ToUpper).GroupByKey().Count() }, 1},
		{"two groupings of one parent", func(s *streams.Stream[string, string]) {
			r := rekey(s)
			r.GroupByKey().Count()
			r.GroupByKey().Reduce(plus)
		}, 2},
		{"one named grouping", func(s *streams.Stream[string, string]) {
			g := rekey(s).GroupByKey(streams.As("g"))
			g.Count()
			g.Reduce(plus)
		}, 1},
	} {
		if got := internal(c.build); got != c.want {
			t.Errorf("%s: got %d repartition topics, want %d", c.name, got, c.want)
		}
	}
}

func TestTrap28Copartitioning(t *testing.T) {
	b := streams.NewBuilder()
	left := from(b, "l").Repartition(streams.As("left"), streams.Partitions(4))
	right := from(b, "r").Repartition(streams.As("right"), streams.Partitions(3))
	toOut(left.Join(right, plus, streams.Within(ms(5))))
	if _, err := b.Build(); !errors.Is(err, streams.ErrNotCopartitioned) {
		t.Errorf("4 and 3 partitions: got %v", err)
	}
	topo := built(t, func(b *streams.Builder) {
		left := from(b, "l").Repartition(streams.As("left"), streams.Partitions(4))
		right := from(b, "r").Repartition(streams.As("right"))
		toOut(left.Join(right, plus, streams.Within(ms(5))))
	})
	if got := topo.Graph().Repartition("right-repartition").Partitions; got != 4 {
		t.Errorf("a repartition topic that joins one of 4 partitions has %d", got)
	}
}

func TestTrap29WindowedKeysArePartitionedByTheKeyAlone(t *testing.T) {
	topo := built(t, func(b *streams.Builder) { tumblingSum(from(b, "in")).ToStream().To("out", serde.String, serde.String) })
	var key, part string
	task := newTask(t, topo, func(o *engine.Output) { key, part = string(o.Key), string(o.PartitionKey) })
	if err := task.Add("in", 0, []engine.Input{{Topic: "in", Timestamp: 25, Key: []byte("k"), Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Process(); err != nil {
		t.Fatal(err)
	}
	if key != "k\x00\x00\x00\x00\x00\x00\x00\x14" || part != "k" {
		t.Errorf("key %q, partitioned by %q", key, part)
	}
}

func TestTrap31KeysMustBeCanonical(t *testing.T) {
	type bad struct{ Score float64 }
	b := streams.NewBuilder()
	from(b, "in").SelectKey(func(_, _ string) bad { return bad{} }, serde.JSON[bad]())
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "Score") {
		t.Errorf("got %v", err)
	}
}

func TestTrap43ContinueAdvancesTheOffset(t *testing.T) {
	for _, action := range []streams.Action{streams.Continue(), streams.DeadLetter("dead")} {
		topo := built(t, func(b *streams.Builder) {
			streams.From(b, "in", serde.String, serde.Int64).
				Filter(func(string, int64) bool { return true }, streams.OnError(action)).
				To("out", serde.String, serde.Int64)
		})
		task := newTask(t, topo, func(*engine.Output) {})
		in := []engine.Input{{Topic: "in", Offset: 7, Timestamp: 9, Key: []byte("k"), Value: []byte("short")}}
		if err := task.Add("in", 0, in); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Process(); err != nil {
			t.Fatal(err)
		}
		if p := task.Positions(); len(p) != 1 || p[0].Offset != 8 {
			t.Errorf("positions %v", p)
		}
		if task.Dropped()["decode"] != 1 || task.StreamTime() != 9 {
			t.Errorf("dropped %v at %d", task.Dropped(), task.StreamTime())
		}
	}
}
