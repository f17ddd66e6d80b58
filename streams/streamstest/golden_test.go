package streamstest_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// The golden vectors are what Apache Kafka Streams' TopologyTestDriver answers to random inputs: a line per seed, each on a
// fresh topology.
type goldenLine struct {
	Scenario string       `json:"scenario"`
	Seed     uint64       `json:"seed"`
	Steps    []goldenStep `json:"steps"`
}

type goldenStep struct {
	In  [4]any   `json:"in"`  // topic, key, value, timestamp
	Out [][3]any `json:"out"` // key, value, timestamp
}

var nullable = serde.Nullable(serde.String)

func TestGolden(t *testing.T) {
	forEachScenario(t, func(t *testing.T, topo *streams.Topology, lines []goldenLine) {
		for _, line := range lines {
			runGolden(t, topo, line, func(*streamstest.Driver) {})
		}
	})
}

// TestGoldenWithCrashes commits and crashes between random steps: the outputs must not change.
func TestGoldenWithCrashes(t *testing.T) {
	forEachScenario(t, func(t *testing.T, topo *streams.Topology, lines []goldenLine) {
		for _, line := range lines {
			random := rand.New(rand.NewPCG(line.Seed, 7))
			runGolden(t, topo, line, func(d *streamstest.Driver) {
				switch random.IntN(3) {
				case 0:
					d.Commit()
				case 1:
					d.Commit()
					d.Crash()
				}
			})
		}
	})
}

func forEachScenario(t *testing.T, run func(t *testing.T, topo *streams.Topology, lines []goldenLine)) {
	dir := filepath.Join("testdata", "golden")
	if other := os.Getenv("MILLRACE_GOLDEN_DIR"); other != "" {
		dir = other
	}
	for name, build := range scenarios() {
		t.Run(name, func(t *testing.T) {
			b := streams.NewBuilder()
			build(b)
			topo, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			lines := readGolden(t, filepath.Join(dir, name+".jsonl.gz"))
			if len(lines) == 0 {
				t.Fatal("no seeds")
			}
			run(t, topo, lines)
		})
	}
}

func readGolden(t *testing.T, path string) []goldenLine {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []goldenLine
	scan := bufio.NewScanner(z)
	scan.Buffer(nil, 4<<20)
	for scan.Scan() {
		var l goldenLine
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func runGolden(t *testing.T, topo *streams.Topology, line goldenLine, between func(*streamstest.Driver)) {
	t.Helper()
	d := streamstest.New(t, topo)
	out := d.Output("out", nullable, nullable)
	for i, step := range line.Steps {
		in := d.Input(step.In[0].(string), nullable, nullable)
		in.Pipe(text(step.In[1]), text(step.In[2]), time.UnixMilli(int64(step.In[3].(float64))))
		got := [][3]any{}
		for _, r := range out.All() {
			got = append(got, [3]any{plain(r.Key), plain(r.Value), float64(r.Time.UnixMilli())})
		}
		if !reflect.DeepEqual(step.Out, got) {
			t.Fatalf("seed %d, step %d, in %v:\nwant %v\ngot  %v", line.Seed, i, step.In, step.Out, got)
		}
		between(d)
	}
}

func text(v any) *string {
	if v == nil {
		return nil
	}
	return new(v.(string))
}

func plain(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}

// show prints an absent side as the golden vectors do.
func show(p *string) string {
	if p == nil {
		return "null"
	}
	return *p
}

func first(s string) string { return s[:1] }

func pair(l, r *string) string { return show(l) + "|" + show(r) }

func rightPair(l string, r *string) string { return pair(&l, r) }

func bothPair(l, r string) string { return l + "|" + r }

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// concat is the vectors' usual aggregator: nulls are visible.
func concat(_ string, v *string, a string) string { return a + "+" + show(v) }

func empty() string { return "" }

func windowName(w streams.Windowed[string], _ string) string {
	return fmt.Sprintf("%s@%d/%d", w.Key, w.Window.StartMillis, w.Window.EndMillis)
}

func texts(b *streams.Builder, topic string) *streams.Stream[string, string] {
	return streams.From(b, topic, serde.String, serde.String)
}

func nulls(b *streams.Builder) *streams.Stream[string, *string] {
	return streams.From(b, "left", serde.String, nullable)
}

func table(b *streams.Builder, topic, store string) *streams.Table[string, string] {
	return streams.TableFrom(b, topic, serde.String, serde.String, streams.As(store))
}

func windowsOut(t *streams.WindowedTable[string, string]) {
	t.ToStream().SelectKey(windowName, serde.String).To("out", serde.String, serde.String)
}

func out(s *streams.Stream[string, string]) { s.To("out", serde.String, serde.String) }

func scenarios() map[string]func(*streams.Builder) {
	all := joinScenarios()
	maps.Copy(all, aggregateScenarios())
	return all
}

func joinScenarios() map[string]func(*streams.Builder) {
	joinWindow := streams.Between(ms(2), ms(6)).Grace(ms(3))
	return map[string]func(*streams.Builder){
		"ss-inner": func(b *streams.Builder) {
			out(texts(b, "left").Join(texts(b, "right"), bothPair, joinWindow))
		},
		"ss-left": func(b *streams.Builder) {
			out(texts(b, "left").LeftJoin(texts(b, "right"), rightPair, joinWindow))
		},
		"ss-outer": func(b *streams.Builder) {
			out(texts(b, "left").OuterJoin(texts(b, "right"), pair, joinWindow))
		},
		"st-inner": func(b *streams.Builder) {
			out(texts(b, "left").JoinTable(table(b, "right", "t"), bothPair))
		},
		"st-left": func(b *streams.Builder) {
			out(texts(b, "left").LeftJoinTable(table(b, "right", "t"), rightPair))
		},
		"gkt-left": func(b *streams.Builder) {
			g := streams.GlobalTableFrom(b, "right", serde.String, serde.String)
			out(texts(b, "left").LeftJoinGlobal(g, func(_, v string) string { return first(v) }, rightPair))
		},
		"tt-inner": func(b *streams.Builder) {
			out(table(b, "left", "a").Join(table(b, "right", "b"), bothPair, streams.Stored("j")).ToStream())
		},
		"tt-left": func(b *streams.Builder) {
			out(table(b, "left", "a").LeftJoin(table(b, "right", "b"), rightPair, streams.Stored("j")).ToStream())
		},
		"tt-outer": func(b *streams.Builder) {
			out(table(b, "left", "a").OuterJoin(table(b, "right", "b"), pair, streams.Stored("j")).ToStream())
		},
		"table-filter": func(b *streams.Builder) {
			out(table(b, "left", "t").Filter(func(_, v string) bool { return first(v) < "c" }, streams.Stored("f")).ToStream())
		},
		"totable-mapvalues": func(b *streams.Builder) {
			out(texts(b, "left").ToTable(streams.As("t")).MapValues(strings.ToUpper, streams.Stored("m")).ToStream())
		},
	}
}

func aggregateScenarios() map[string]func(*streams.Builder) {
	tumbling := func(b *streams.Builder) *streams.WindowedTable[string, string] {
		return nulls(b).GroupByKey().Window(streams.Tumbling(ms(10)).Grace(ms(5))).
			Aggregate(empty, concat, streams.Retention(ms(60)))
	}
	session := func(b *streams.Builder) *streams.WindowedTable[string, string] {
		return nulls(b).GroupByKey().SessionWindow(streams.Session(ms(6)).Grace(ms(5))).
			Aggregate(empty, concat, func(_, a, b string) string { return a + b }, streams.Retention(ms(60)))
	}
	return map[string]func(*streams.Builder){
		"win-tumbling": func(b *streams.Builder) { windowsOut(tumbling(b)) },
		"win-hopping": func(b *streams.Builder) {
			windowsOut(nulls(b).GroupByKey().Window(streams.Hopping(ms(10), ms(4)).Grace(ms(5))).
				Aggregate(empty, concat, streams.Retention(ms(60))))
		},
		"win-sliding": func(b *streams.Builder) {
			windowsOut(nulls(b).GroupByKey().Window(streams.Sliding(ms(10)).Grace(ms(5))).
				Aggregate(empty, concat, streams.Retention(ms(60))))
		},
		"win-session":           func(b *streams.Builder) { windowsOut(session(b)) },
		"win-tumbling-suppress": func(b *streams.Builder) { windowsOut(tumbling(b).Suppress(streams.UntilWindowCloses())) },
		"win-session-suppress":  func(b *streams.Builder) { windowsOut(session(b).Suppress(streams.UntilWindowCloses())) },
		"table-groupby": func(b *streams.Builder) {
			out(table(b, "left", "t").
				GroupBy(func(_, v string) (string, string) { return first(v), v }, serde.String).
				Aggregate(empty,
					func(_, v, a string) string { return a + "+" + v },
					func(_, v, a string) string { return a + "-" + v }).
				ToStream())
		},
		"stream-aggregate": func(b *streams.Builder) {
			out(nulls(b).GroupByKey().Aggregate(empty, concat).ToStream())
		},
		"stream-reduce": func(b *streams.Builder) {
			out(texts(b, "left").GroupByKey().Reduce(func(a, v string) string { return a + "+" + v }).ToStream())
		},
		"groupby-count": func(b *streams.Builder) {
			texts(b, "left").
				Filter(func(_, v string) bool { return true }).
				GroupBy(func(_, v string) string { return first(v) }, serde.String).
				Count().
				MapValues(func(n int64) string { return fmt.Sprint(n) }).
				ToStream().To("out", serde.String, serde.String)
		},
	}
}
