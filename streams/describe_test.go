package streams_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

func built(t testing.TB, build func(*streams.Builder)) *streams.Topology {
	t.Helper()
	b := streams.NewBuilder()
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func wordCount(b *streams.Builder) {
	streams.From(b, "lines", serde.String, serde.String).
		FlatMapValues(strings.Fields).
		GroupBy(func(_, word string) string { return word }, serde.String).
		Count(streams.As("counts")).
		ToStream().
		To("word-counts", serde.String, serde.Int64)
}

func TestDescribeWordCount(t *testing.T) {
	const want = `Topologies:
   Sub-topology: 0
    Source: KSTREAM-SOURCE-0000000000 (topics: [lines])
      --> KSTREAM-FLATMAPVALUES-0000000001
    Processor: KSTREAM-FLATMAPVALUES-0000000001 (stores: [])
      --> KSTREAM-KEY-SELECT-0000000002
      <-- KSTREAM-SOURCE-0000000000
    Processor: KSTREAM-KEY-SELECT-0000000002 (stores: [])
      --> counts-repartition-filter
      <-- KSTREAM-FLATMAPVALUES-0000000001
    Processor: counts-repartition-filter (stores: [])
      --> counts-repartition-sink
      <-- KSTREAM-KEY-SELECT-0000000002
    Sink: counts-repartition-sink (topic: counts-repartition)
      <-- counts-repartition-filter

  Sub-topology: 1
    Source: counts-repartition-source (topics: [counts-repartition])
      --> KSTREAM-AGGREGATE-0000000003
    Processor: KSTREAM-AGGREGATE-0000000003 (stores: [counts])
      --> KTABLE-TOSTREAM-0000000007
      <-- counts-repartition-source
    Processor: KTABLE-TOSTREAM-0000000007 (stores: [])
      --> KSTREAM-SINK-0000000008
      <-- KSTREAM-AGGREGATE-0000000003
    Sink: KSTREAM-SINK-0000000008 (topic: word-counts)
      <-- KTABLE-TOSTREAM-0000000007

`
	if got := built(t, wordCount).Describe(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each file below testdata/describe is what Kafka prints for the same program; the order of neighbours shows that it sorts them while it counts.
func TestDescribe(t *testing.T) {
	first := func(_, v string) string { return v[:1] }
	for name, build := range map[string]func(*streams.Builder){
		"join-of-streams": func(b *streams.Builder) {
			left, right := from(b, "topic"), from(b, "other-topic")
			left.Join(right, plus, streams.Within(ms(5000))).
				Filter(func(string, string) bool { return true }).
				MapValues(strings.ToUpper).
				To("output-topic", serde.String, serde.String)
		},
		"two-table-joins-behind-one-repartition": func(b *streams.Builder) {
			s := from(b, "topic")
			t2, t3 := tableFrom(b, "topic2"), tableFrom(b, "topic3")
			re := s.Map(func(k, v string) (string, string) { return v, k }, serde.String)
			re.JoinTable(t2, plus).To("out-one", serde.String, serde.String)
			re.JoinTable(t3, plus).To("out-two", serde.String, serde.String)
		},
		"merges": func(b *streams.Builder) {
			s := from(b, "input_topic").SelectKey(first, serde.String)
			a, c, d := s.MapValues(strings.ToUpper), s.MapValues(strings.ToLower), s.MapValues(strings.TrimSpace)
			a.Merge(c).Merge(d).To("output_topic", serde.String, serde.String)
		},
		"table-that-is-not-kept": func(b *streams.Builder) {
			from(b, "input").ToTable().ToStream().To("output", serde.String, serde.String)
		},
		"global-table": func(b *streams.Builder) {
			g := streams.GlobalTableFrom(b, "g", serde.String, serde.String)
			toOut(from(b, "in").JoinGlobal(g, first, plus))
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", "describe", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			if got := built(t, build).Describe(); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
