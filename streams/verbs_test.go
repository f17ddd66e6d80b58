package streams_test

import (
	"bytes"
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

func keyed(k, l, r string) string              { return k + "=" + l + r }
func keyedRight(k, l string, r *string) string { return k + "=" + l + deref(r) }

func TestJoinersThatSeeTheKey(t *testing.T) {
	w := streams.Within(ms(5))
	for name, test := range map[string]struct {
		build   func(b *streams.Builder)
		records []string // "topic key:value@ms"
		want    string
	}{
		"stream": {
			build:   func(b *streams.Builder) { toOut(from(b, "l").JoinWithKey(from(b, "r"), keyed, w)) },
			records: []string{"l a:1@1", "r a:2@2"}, want: "a:a=12@2",
		},
		"left stream": {
			build:   func(b *streams.Builder) { toOut(from(b, "l").LeftJoinWithKey(from(b, "r"), keyedRight, w)) },
			records: []string{"l a:1@1", "r a:2@2", "l b:1@3", "l c:1@100", "l ~:1@100"}, want: "a:a=12@2 b:b=1~@3 ~:=1~@100",
		},
		"outer stream": {
			build: func(b *streams.Builder) {
				toOut(from(b, "l").OuterJoinWithKey(from(b, "r"), func(k string, l, r *string) string { return k + "=" + deref(l) + deref(r) }, w))
			},
			records: []string{"r a:2@2", "l c:1@100"}, want: "a:a=~2@2",
		},
		"table": {
			build:   func(b *streams.Builder) { toOut(from(b, "l").JoinTableWithKey(tableFrom(b, "r"), keyed)) },
			records: []string{"r a:2@1", "l a:1@2"}, want: "a:a=12@2",
		},
		"left table": {
			build:   func(b *streams.Builder) { toOut(from(b, "l").LeftJoinTableWithKey(tableFrom(b, "r"), keyedRight)) },
			records: []string{"l a:1@2", "l ~:1@3"}, want: "a:a=1~@2 ~:=1~@3",
		},
		"global": {
			build: func(b *streams.Builder) {
				g := streams.GlobalTableFrom(b, "r", serde.String, serde.String)
				toOut(from(b, "l").JoinGlobalWithKey(g, func(_, v string) string { return "g" + v },
					func(k, picked, v, row string) string { return k + "," + picked + "=" + v + row }))
			},
			records: []string{"r g1:2@1", "l a:1@2"}, want: "a:a,g1=12@2",
		},
		"left global": {
			build: func(b *streams.Builder) {
				g := streams.GlobalTableFrom(b, "r", serde.String, serde.String)
				toOut(from(b, "l").LeftJoinGlobalWithKey(g, func(_, v string) string { return "g" + v },
					func(k, picked, v string, row *string) string { return k + "," + picked + "=" + v + deref(row) }))
			},
			records: []string{"l a:1@2"}, want: "a:a,g1=1~@2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, test.build)
			var got []string
			for _, r := range test.records {
				topic, record, _ := strings.Cut(r, " ")
				if out := s.pipe(topic, record); out != "" {
					got = append(got, out)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPartitioner(t *testing.T) {
	byLength := streams.Partitioner(func(_, v string, partitions int32) int32 {
		switch v {
		case "default":
			return -1
		case "beyond":
			return partitions
		}
		return int32(len(v)) % partitions
	})
	s := play(t, func(b *streams.Builder) {
		in := from(b, "in")
		in.To("plain", serde.String, serde.String, byLength, streams.As("plain"), streams.OnError(streams.Continue()))
		in.ToChosen(func(k, _ string) string { return k }, serde.String, serde.String, byLength, streams.OnError(streams.Continue()))
		in.Repartition(streams.As("again"), byLength, streams.OnError(streams.Continue()))
	})
	s.d.SetPartitions("plain", 4)
	s.d.SetPartitions("chosen", 3)
	for _, v := range []string{"12345", "default", "beyond"} {
		s.pipe("in", "chosen:"+v+"@1")
	}
	for topic, want := range map[string]string{"plain": "[1 -1]", "chosen": "[2 -1]", "test-again-repartition": "[0 -1]"} {
		var got []int32
		for _, r := range s.d.Output(topic, serde.String, serde.String).All() {
			got = append(got, r.Partition)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", topic, got, want)
		}
	}
	if got := s.d.DroppedBy("plain")[streams.DroppedProcess]; got != 1 {
		t.Errorf("dropped: %d", got)
	}
	s = play(t, func(b *streams.Builder) { from(b, "in").To("plain", serde.String, serde.String, byLength) })
	if err := s.d.Input("in", serde.String, serde.String).TryPipe("a", "beyond", time.UnixMilli(1)); !errors.Is(err, streams.ErrNoSuchPartition) {
		t.Errorf("got %v", err)
	}
	topo := built(t, func(b *streams.Builder) { from(b, "in").To("plain", serde.String, serde.String, byLength) })
	_, err := engine.NewTask(topo.Program(), engine.TaskConfig{ID: engine.TaskID{Subtopology: engine.WholeTopology}, Collector: sender(nil)})
	if err == nil || !strings.Contains(err.Error(), "counts partitions") {
		t.Errorf("a collector that cannot count: %v", err)
	}
}

// router forwards as the value says.
type router struct {
	ctx *streams.Context[string, string]
}

func (p *router) Init(ctx *streams.Context[string, string]) error { p.ctx = ctx; return nil }
func (p *router) Close() error                                    { return nil }
func (p *router) Process(r streams.Record[string, string]) error {
	switch r.Value {
	case "all":
		return p.ctx.Forward(r)
	case "rename":
		r.Key = "other"
		return p.ctx.Forward(r)
	}
	return p.ctx.ForwardTo(r.Value, r)
}

func newRouter() streams.Processor[string, string, string, string] { return new(router) }

func TestForwardTo(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		p := from(b, "in").Process(newRouter, serde.String, serde.String)
		suffix := func(x string) func(string) string { return func(v string) string { return v + x } }
		toOut(p.MapValues(suffix("/1"), streams.As("one")).Merge(p.MapValues(suffix("/2"), streams.As("two"))))
		p.Peek(func(string, string) {}, streams.As("three"))
		p.To("copies", serde.String, serde.String, streams.As("copy"))
		p.GroupByKey(streams.As("group")).Count()
	})
	s.expect("in", "k:all@1", "k:all/1@1 k:all/2@1")
	s.expect("in", "k:one@1", "k:one/1@1")
	s.expect("in", "k:two@1", "k:two/2@1")
	s.expect("in", "k:three@1", "")
	s.expect("in", "k:copy@1", "")
	s.expect("in", "k:group-repartition-filter@1", "")
	if n := len(s.d.Output("copies", serde.String, serde.String).All()); n != 2 {
		t.Errorf("%d copies", n)
	}
	if n := len(s.d.Output("test-group-repartition", serde.String, serde.String).All()); n != 2 {
		t.Errorf("%d repartitioned", n)
	}
	err := s.d.Input("in", serde.String, serde.String).TryPipe("k", "four", time.UnixMilli(1))
	if !errors.Is(err, streams.ErrUnknownChild) || !strings.Contains(err.Error(), "one") {
		t.Errorf("got %v", err)
	}
}

func TestProcessValuesKeepsTheKey(t *testing.T) {
	build := func(b *streams.Builder) {
		toOut(from(b, "in").ProcessValues(newRouter, serde.String, streams.As("p")).GroupByKey().Count().ToStream().MapValues(decimal))
	}
	if text := built(t, build).Describe(); strings.Contains(text, "repartition") {
		t.Errorf("it repartitions:\n%s", text)
	}
	s := play(t, build)
	s.expect("in", "k:all@1", "k:1@1")
	s.expect("in", "~:all@1", "")
	err := s.d.Input("in", serde.String, serde.String).TryPipe("k", "rename", time.UnixMilli(1))
	var re *streams.RecordError
	if !errors.Is(err, streams.ErrKeyChanged) || !errors.As(err, &re) || re.Node != "p" {
		t.Errorf("got %v", err)
	}
	unnamed := built(t, func(b *streams.Builder) { from(b, "in").ProcessValues(newRouter, serde.String) })
	if !strings.Contains(unnamed.Describe(), "KSTREAM-PROCESSVALUES-0000000001") {
		t.Errorf("got\n%s", unnamed.Describe())
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	s := play(t, func(b *streams.Builder) {
		streams.From(b, "in", nullable, nullable).Print(&out)
		in := from(b, "words")
		in.Print(&out, streams.As("words"), streams.Named("printer"))
		in.GroupByKey().Window(streams.Tumbling(ms(10))).Count().ToStream().Print(&out, streams.As("counts"))
		in.Print(broken{}, streams.Named("broken"), streams.OnError(streams.Continue()))
	})
	s.expect("in", "~:~@1", "")
	s.expect("words", "a:1@15", "")
	want := "[KSTREAM-SOURCE-0000000000]: null, null\n[words]: a, 1\n[counts]: a@10/20, 1\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if got := s.d.DroppedBy("broken")[streams.DroppedProcess]; got != 1 {
		t.Errorf("dropped: %d", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestDropsAreCountedByNode(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		in := from(b, "in")
		grouped := in.GroupByKey()
		grouped.Window(streams.Tumbling(ms(10))).Count(streams.Named("strict"))
		grouped.Window(streams.Tumbling(ms(10)).Grace(ms(100))).Count(streams.Named("patient"))
		grouped.Window(streams.Sliding(ms(10))).Count(streams.Named("sliding"))
		grouped.SessionWindow(streams.Session(ms(10))).Count(streams.Named("sessions"))
		in.Join(from(b, "other"), plus, streams.Within(ms(5)), streams.As("join"))
	})
	s.expect("in", "a:1@50", "")
	s.expect("in", "a:2@5", "")
	s.d.Commit()
	s.d.Crash()
	s.expect("in", "a:3@6", "")
	for node, want := range map[string]map[string]int64{
		"strict":         {streams.DroppedLate: 2},
		"patient":        {},
		"sliding":        {streams.DroppedLate: 2},
		"sessions":       {streams.DroppedLate: 2},
		"join-this-join": {streams.DroppedExpired: 2},
	} {
		if diff := cmp.Diff(want, s.d.DroppedBy(node)); diff != "" {
			t.Errorf("%s: %s", node, diff)
		}
	}
	s.dropped(streams.DroppedLate, 6)
}

func TestWindowedVerbs(t *testing.T) {
	atLeast2 := func(_ streams.Windowed[string], n int64) bool { return n >= 2 }
	show := func(k streams.Windowed[string], n int64) string { return fmt.Sprintf("%s %d", k, n) }
	tryShow := func(_ context.Context, k streams.Windowed[string], n int64) (string, error) {
		if n > 2 {
			return "", errors.New("too many")
		}
		return show(k, n), nil
	}
	plain := func(k streams.Windowed[string], _ string) string { return k.Key }
	counts := func(b *streams.Builder) *streams.WindowedTable[string, int64] {
		return from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10))).Count()
	}
	carryOn := streams.OnError(streams.Continue())
	for name, test := range map[string]struct {
		build func(b *streams.Builder)
		want  [3]string // of three records of one window
	}{
		"table FilterNot": {
			build: func(b *streams.Builder) {
				toOut(counts(b).FilterNot(atLeast2).MapValuesWithKey(show).ToStream().SelectKey(plain, serde.String))
			},
			want: [3]string{"a:a@0/10 1@1", "a:~@1", "a:~@1"},
		},
		"table TryMapValues": {
			build: func(b *streams.Builder) {
				toOut(counts(b).TryMapValues(tryShow, carryOn).ToStream().SelectKey(plain, serde.String))
			},
			want: [3]string{"a:a@0/10 1@1", "a:a@0/10 2@1", ""},
		},
		"stream FilterNot": {
			build: func(b *streams.Builder) {
				toOut(counts(b).ToStream().FilterNot(atLeast2).MapValuesWithKey(show).SelectKey(plain, serde.String))
			},
			want: [3]string{"a:a@0/10 1@1", "", ""},
		},
		"stream TryMapValues": {
			build: func(b *streams.Builder) {
				toOut(counts(b).ToStream().TryMapValues(tryShow, carryOn).SelectKey(plain, serde.String))
			},
			want: [3]string{"a:a@0/10 1@1", "a:a@0/10 2@1", ""},
		},
		"TryAggregate": {
			build: func(b *streams.Builder) {
				windowsToOut(from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10))).TryAggregate(func() string { return "" }, tryJoin, carryOn))
			},
			want: [3]string{"a[0,10]:x@1", "a[0,10]:xx@1", ""},
		},
		"session TryAggregate": {
			build: func(b *streams.Builder) {
				windowsToOut(from(b, "in").GroupByKey().SessionWindow(streams.Session(ms(10))).TryAggregate(func() string { return "" }, tryJoin,
					func(_, a, b string) string { return a + b }, carryOn))
			},
			want: [3]string{"a[1,1]:x@1", "a[1,1]:xx@1", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, test.build)
			for _, want := range test.want {
				s.expect("in", "a:x@1", want)
			}
		})
	}
}

func tryJoin(_ context.Context, _, v, sum string) (string, error) {
	if len(sum) == 2 {
		return "", errors.New("long enough")
	}
	return sum + v, nil
}

func TestTryForEachOfWindows(t *testing.T) {
	var seen []string
	s := play(t, func(b *streams.Builder) {
		from(b, "in").GroupByKey().Window(streams.Tumbling(ms(10))).Count().ToStream().TryForEach(
			func(_ context.Context, k streams.Windowed[string], n int64) error {
				seen = append(seen, fmt.Sprint(k, n))
				return errors.New("no")
			}, streams.OnError(streams.Continue()))
	})
	s.expect("in", "a:x@1", "")
	if len(seen) != 1 || seen[0] != "a@0/10 1" {
		t.Errorf("seen %q", seen)
	}
	s.dropped(streams.DroppedProcess, 1)
}
