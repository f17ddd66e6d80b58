package streams_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

func TestEventTimeSkipsInvalid(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "in", streams.EventTime(streams.SkipInvalidTime()))) })
	s.expect("in", "a:1@5", "a:1@5")
	s.expect("in", "a:2@-1", "")
	s.dropped(streams.DroppedInvalidTime, 1)
	s.d.Commit()
	s.d.Crash()
	if got := s.read(); got != "" {
		t.Errorf("the position of a skipped record was not committed: %q came again", got)
	}
	s.expect("in", "a:3@6", "a:3@6")
}

func TestEventTimeFromThePartition(t *testing.T) {
	build := func(b *streams.Builder) { toOut(from(b, "in", streams.EventTime(streams.PartitionTimeIfInvalid()))) }
	s := play(t, build)
	s.expect("in", "a:1@7", "a:1@7")
	s.expect("in", "a:2@3", "a:2@3")
	s.expect("in", "a:3@-5", "a:3@7")
	s.d.Commit()
	s.d.Crash()
	s.expect("in", "a:4@-5", "a:4@7") // partition time survives

	s = play(t, build)
	err := s.d.Input("in", serde.String, serde.String).TryPipe("a", "1", time.UnixMilli(-1))
	var re *streams.RecordError
	if !errors.Is(err, streams.ErrInvalidTimestamp) || !errors.As(err, &re) || re.Topic != "in" || re.Node != "KSTREAM-SOURCE-0000000000" {
		t.Errorf("got %v", err)
	}
}

func TestEventTimeOfTheWallClock(t *testing.T) {
	s := play(t, func(b *streams.Builder) { toOut(from(b, "in", streams.EventTime(streams.WallClockTime()))) })
	s.expect("in", "a:1@-7", "a:1@0")
	s.d.Advance(ms(40))
	s.expect("in", "a:2@7", "a:2@40")
}

// stamped reads the time from the value: a number, "skip" or "panic".
func stamped(_, v string, o streams.Origin) (time.Time, error) {
	var at int64
	switch {
	case v == "skip":
		return time.UnixMilli(-1), nil
	case v == "panic":
		panic("no time")
	case v == "own":
		return o.Time, nil
	}
	if _, err := fmt.Sscan(v, &at); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(at), nil
}

func TestEventTimeOfAFunction(t *testing.T) {
	build := func(opts ...streams.Option) func(*streams.Builder) {
		return func(b *streams.Builder) {
			toOut(from(b, "in", append(opts, streams.EventTime(streams.TimeOf(stamped)))...))
		}
	}
	s := play(t, build(streams.OnError(streams.DeadLetter("dead"))))
	s.expect("in", "a:30@1", "a:30@30")
	s.expect("in", "a:own@2", "a:own@2")
	s.expect("in", "a:skip@2", "")
	s.expect("in", "a:what@2", "")
	s.expect("in", "a:panic@2", "")
	s.dropped(streams.DroppedInvalidTime, 1)
	s.dropped(streams.DroppedProcess, 2)
	if dead := s.d.Output("dead", serde.String, serde.String).All(); len(dead) != 2 || dead[0].Value != "what" || dead[1].Value != "panic" {
		t.Errorf("dead letters: %+v", dead)
	}
	for _, bad := range []string{"what", "panic"} {
		s = play(t, build())
		err := s.d.Input("in", serde.String, serde.String).TryPipe("a", bad, time.UnixMilli(2))
		if err == nil || !strings.Contains(err.Error(), "in-0@0") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

// TestEventTimeDecidesTheOrder shows that not the records' own timestamps order the partitions.
func TestEventTimeDecidesTheOrder(t *testing.T) {
	topo := built(t, func(b *streams.Builder) {
		toOut(from(b, "x", streams.EventTime(streams.TimeOf(stamped))).Merge(from(b, "y")))
	})
	var got []string
	task := newTask(t, topo, func(o *engine.Output) { got = append(got, fmt.Sprintf("%s@%d", o.Value, o.Timestamp)) })
	for topic, in := range map[string]engine.Input{"x": {Timestamp: 1, Value: []byte("30")}, "y": {Timestamp: 20, Value: []byte("y")}} {
		in.Topic, in.Key = topic, []byte("k")
		if err := task.Add(topic, 0, []engine.Input{in}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := task.ProcessAll(10); err != nil {
		t.Fatal(err)
	}
	if want := "y@20 30@30"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestReadFrom(t *testing.T) {
	topo := built(t, func(b *streams.Builder) {
		from(b, "a", streams.ReadFrom(streams.Latest()))
		tableFrom(b, "b", streams.ReadFrom(streams.Back(time.Hour)))
		from(b, "c", streams.ReadFrom(streams.Committed()))
		from(b, "d")
	})
	for topic, want := range map[string]topology.Start{
		"a": {Policy: topology.StartLatest}, "b": {Policy: topology.StartBack, Back: time.Hour}, "c": {Policy: topology.StartCommitted}, "d": {},
	} {
		if got := topo.Graph().SourceOf(topic).Start; got != want {
			t.Errorf("%s: got %+v, want %+v", topic, got, want)
		}
	}
	b := streams.NewBuilder()
	streams.GlobalTableFrom(b, "g", serde.String, serde.String, streams.ReadFrom(streams.Latest()))
	from(b, "h", streams.ReadFrom(streams.Back(-time.Hour)))
	from(b, "i", streams.EventTime(streams.TimeOf(func(int, string, streams.Origin) (time.Time, error) { return time.Time{}, nil })))
	_, err := b.Build()
	for _, want := range []string{"global table: it is always read whole", "in the future", "other types than string and string"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
