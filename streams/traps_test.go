package streams_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// The tests are named after the numbers of the traps in the semantics reference: ways in which an engine that looks right
// is wrong. Each fails when its rule is dropped.

func tumblingSum(s *streams.Stream[string, string]) *streams.WindowedTable[string, string] {
	return s.GroupByKey().Window(streams.Tumbling(ms(10))).Reduce(plus)
}

func TestTrap01OperatorsKeepTheirOwnTime(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(tumblingSum(from(b, "in").Filter(func(_, v string) bool { return v != "skip" })))
	})
	s.expect("in", "a:1@5", "a[0,10]:1@5")
	s.expect("in", "a:skip@100", "") // moves the task's time, not that of the window below the filter
	s.expect("in", "a:2@6", "a[0,10]:1+2@6")
}

func TestTrap02LowestTimestampFirst(t *testing.T) {
	topo := built(t, func(b *streams.Builder) { toOut(streams.FromTopics(b, []string{"x", "y"}, serde.String, serde.String)) })
	var got []string
	task := newTask(t, topo, func(o *engine.Output) { got = append(got, string(o.Value)) })
	add := func(topic string, values ...string) {
		var in []engine.Input
		for i, v := range values {
			name, at, _ := strings.Cut(v, "@")
			in = append(in, engine.Input{Topic: topic, Offset: int64(i), Timestamp: int64(len(at)), Key: []byte("k"), Value: []byte(name)})
		}
		if err := task.Add(topic, 0, in); err != nil {
			t.Fatal(err)
		}
	}
	// A timestamp is written as that many dots.
	add("x", "x1@..", "x2@.....", "x3@.") // x3 is out of order and waits behind x2
	add("y", "y1@.", "y2@...", "y3@......")
	if n, err := task.ProcessAll(10); n != 6 || err != nil {
		t.Fatal(n, err)
	}
	if want := "y1 x1 y2 x2 x3 y3"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func newTask(t *testing.T, topo *streams.Topology, send func(*engine.Output)) *engine.Task {
	t.Helper()
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "test", Collector: sender(send), Now: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(nil); err != nil {
		t.Fatal(err)
	}
	return task
}

type sender func(*engine.Output)

func (s sender) Send(o *engine.Output) error { s(o); return nil }

func TestTrap03TimesSurviveARestart(t *testing.T) {
	s := play(t, func(b *streams.Builder) { windowsToOut(tumblingSum(from(b, "in"))) })
	s.expect("in", "a:1@5", "a[0,10]:1@5")
	s.expect("in", "b:1@25", "b[20,30]:1@25")
	s.expect("in", "~:1@100", "") // no key: neither time nor store moves
	s.expect("in", "b:2@33", "b[30,40]:2@33")
	s.d.Commit()
	s.d.Crash()
	s.expect("in", "a:late@6", "")
	s.expect("in", "b:late@29", "")
	s.expect("in", "b:3@31", "b[30,40]:2+3@33")
	s.dropped("late", 2)
}

func TestTrap04NegativeTimestampFails(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "in")) })
	err := s.d.Input("in", serde.String, serde.String).TryPipe("k", "v", time.UnixMilli(-1))
	var re *engine.RecordError
	if !errors.Is(err, engine.ErrInvalidTimestamp) || !errors.As(err, &re) || re.Topic != "in" || re.Offset != 0 {
		t.Errorf("got %v", err)
	}
}

func TestTrap04ResultTimes(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "in").GroupByKey().Reduce(plus).ToStream()) })
	s.expect("in", "a:1@10", "a:1@10")
	s.expect("in", "a:2@5", "a:1+2@10") // the aggregate's own time does not fall
	s.expect("in", "b:1@5", "b:1@5")    // and is per key
}

func TestTrap05TableResultsGoBackInTime(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(tableFrom(b, "in").ToStream()) })
	s.expect("in", "a:1@10", "a:1@10")
	s.expect("in", "a:2@5", "a:2@5")
}

func TestTrap06HoppingLateForOneWindowOnly(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().Window(streams.Hopping(ms(10), ms(5)).Grace(ms(2))).Reduce(plus))
	})
	s.expect("in", "a:1@17", "a[10,20]:1@17 a[15,25]:1@17")
	s.expect("in", "a:2@13", "a[10,20]:1+2@17") // [5, 15) is closed: 15 <= 17 - 2
	s.expect("in", "a:3@4", "")
	s.dropped("late", 2) // [5, 15) for 2, [0, 10) for 3
}

func TestTrap07SlidingWindowsAreInclusive(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().Window(streams.Sliding(ms(10)).Grace(ms(100))).Reduce(plus))
	})
	s.expect("in", "a:1@20", "a[10,20]:1@20")
	s.expect("in", "a:2@30", "a[21,31]:2@30 a[20,30]:1+2@30") // exactly the difference apart: one window
	s.expect("in", "a:3@42", "a[32,42]:3@42")                 // one more: none
	s.expect("in", "b:1@3", "b[0,10]:1@3")                    // earlier than the difference
	s.expect("in", "b:~@4", "")
}

func TestTrap08Sessions(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().SessionWindow(streams.Session(ms(5)).Grace(ms(2))).Reduce(plus))
	})
	s.expect("in", "a:1@10", "a[10,10]:1@10")
	s.expect("in", "a:2@10", "a[10,10]:1+2@10") // exactly on a one-point session: no tombstone
	s.expect("in", "a:3@16", "a[16,16]:3@16")
	s.expect("in", "a:4@13", "a[10,10]:~@10 a[16,16]:~@16 a[10,16]:1+2+3+4@16")
	s.expect("in", "b:1@30", "b[30,30]:1@30")
	s.expect("in", "a:5@22", "")                                // 22 < 30 - 2 - 5
	s.expect("in", "b:2@25", "b[30,30]:~@30 b[25,30]:1+2@30")   // merges
	s.expect("in", "b:3@20", "b[25,30]:~@30 b[20,30]:1+2+3@30") // late alone, alive by merging
	s.dropped("late", 1)
}

func TestTrap09JoinWindowsAreRelative(t *testing.T) {
	build := func(b *streams.Builder) {
		toOut(from(b, "l").Join(from(b, "r"), plus, streams.Between(ms(2), ms(6)).Grace(ms(100))))
	}
	s := play(t, build)
	s.expect("r", "a:r@10", "")
	s.expect("l", "a:early@3", "")
	s.expect("l", "a:first@4", "a:first+r@10")
	s.expect("l", "a:last@12", "a:last+r@12")
	s.expect("l", "a:late@13", "")

	s = play(t, func(b *streams.Builder) { toOut(from(b, "l").Join(from(b, "r"), plus, streams.Within(0))) })
	s.expect("l", "a:l@10", "")
	s.expect("r", "a:r@10", "a:l+r@10")
	s.expect("r", "a:r@11", "")

	b := streams.NewBuilder()
	toOut(from(b, "l").Join(from(b, "r"), plus, streams.Between(ms(2), ms(-3))))
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "ends before it starts") {
		t.Errorf("a window that ends before it starts: got %v", err)
	}
}

func outerJoin(b *streams.Builder) {
	toOut(from(b, "l").OuterJoin(from(b, "r"), func(l, r *string) string { return deref(l) + "|" + deref(r) },
		streams.Between(ms(2), ms(6)).Grace(ms(3))))
}

func TestTrap10UnmatchedResultsWaitForTheirWindow(t *testing.T) {
	s := play(t, outerJoin)
	s.expect("l", "a:1@10", "")
	s.expect("r", "b:2@10", "")
	s.expect("l", "c:x@15", "")                  // right closes when 10 + 2 + 3 < time
	s.expect("r", "c:y@16", "b:~|2@10 c:x|y@16") // left when 10 + 6 + 3 < time
	s.expect("l", "d:0@12", "")                  // not the highest time so far: releases nothing
	s.expect("l", "c:z@19", "")
	s.expect("r", "c:w@20", "a:1|~@10 c:x|w@20 c:z|w@20")
}

func TestTrap11OwnWindowAlreadyOver(t *testing.T) {
	s := play(t, outerJoin)
	s.expect("l", "a:1@30", "")
	s.expect("l", "b:2@23", "b:2|~@23") // 23 + 6 < 30: at once, though grace is not over
	s.expect("l", "b:3@24", "")
	s.expect("r", "b:4@27", "b:2|4@27 b:3|4@27")
	s.expect("r", "c:5@27", "c:~|5@27")
}

func TestTrap12Nulls(t *testing.T) {
	s := play(t, outerJoin)
	s.expect("l", "~:1@10", "~:1|~@10")
	s.expect("r", "~:2@10", "~:~|2@10")
	s.expect("l", "a:~@50", "") // dropped, but moves time
	s.expect("l", "a:1@20", "a:1|~@20")
	s.dropped("null-value", 1)

	s = play(t, func(b *streams.Builder) { toOut(from(b, "l").Join(from(b, "r"), plus, streams.Within(ms(5)))) })
	s.expect("l", "~:1@10", "")
	s.dropped("null-key", 1)

	s = play(t, func(b *streams.Builder) { toOut(from(b, "l").LeftJoinTable(tableFrom(b, "r"), orNone)) })
	s.expect("l", "~:1@10", "~:1|~@10")
	s.expect("l", "a:~@10", "")

	s = play(t, func(b *streams.Builder) {
		g := streams.GlobalTableFrom(b, "g", serde.String, serde.String)
		toOut(from(b, "l").LeftJoinGlobal(g, func(_, v string) string { return v[:1] }, orNone))
	})
	s.expect("g", "x:hit@1", "")
	s.expect("l", "~:x1@10", "~:x1|hit@10") // the selector still runs
	s.expect("l", "~:y1@10", "~:y1|~@10")
}

func TestTrap13SuppressNeedsResultsToMoveOn(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		windowsToOut(from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10)).Grace(ms(5))).Reduce(plus).
			Suppress(streams.UntilWindowCloses()))
	})
	s.expect("in", "a:1@1", "")
	s.expect("in", "b:1@9", "")
	s.expect("in", "~:1@99", "")
	s.expect("in", "a:2@14", "")
	s.expect("in", "a:3@15", "a[0,10]:1@1 b[0,10]:1@9")
}

func TestTrap15RetentionMustCoverGrace(t *testing.T) {
	b := streams.NewBuilder()
	from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10)).Grace(ms(5))).Count(streams.Retention(ms(14)))
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "late records need at least 15ms") {
		t.Errorf("got %v", err)
	}
}
