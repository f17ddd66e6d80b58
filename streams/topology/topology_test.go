package topology_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams/topology"
)

func must(t *testing.T, _ *topology.Node, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSubtopologiesAreJoinedByStoresNotByTopics(t *testing.T) {
	g := topology.New()
	add := func(n *topology.Node, err error) { t.Helper(); must(t, n, err) }
	add(g.AddSource("b-source", topology.Source{Topics: []string{"b"}}))
	add(g.AddSource("a-source", topology.Source{Topics: []string{"a"}}))
	add(g.AddSource("c-source", topology.Source{Topics: []string{"c"}}))
	add(g.AddProcessor("b-proc", "b-source"))
	add(g.AddProcessor("c-proc", "c-source"))
	add(g.AddSink("a-sink", topology.Sink{Topic: "c"}, "a-source"))
	if err := g.AddStore(topology.Store{Name: "shared", Logged: true}, "b-proc", "c-proc"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, sub := range g.Subtopologies() {
		var names []string
		for _, n := range sub.Nodes {
			names = append(names, n.Name)
		}
		got = append(got, fmt.Sprint(sub.ID, names, sub.SourceTopics(), len(sub.Stores)))
	}
	want := []string{"0 [b-source c-source b-proc c-proc] [b c] 1", "1 [a-source a-sink] [a] 0"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusals(t *testing.T) {
	g := topology.New()
	_, err := g.AddSource("s", topology.Source{Topics: []string{"t"}})
	must(t, nil, err)
	_, err = g.AddSink("sink", topology.Sink{Topic: "t"}, "s")
	must(t, nil, err)
	for name, call := range map[string]func() error{
		"no topic":             func() error { _, err := g.AddSource("x", topology.Source{}); return err },
		"topic without name":   func() error { _, err := g.AddSource("x", topology.Source{Topics: []string{""}}); return err },
		"topic read twice":     func() error { _, err := g.AddSource("x", topology.Source{Topics: []string{"t"}}); return err },
		"name used twice":      func() error { _, err := g.AddProcessor("s", "s"); return err },
		"no name":              func() error { _, err := g.AddProcessor("", "s"); return err },
		"no such parent":       func() error { _, err := g.AddProcessor("x", "y"); return err },
		"below a sink":         func() error { _, err := g.AddProcessor("x", "sink"); return err },
		"sink without a topic": func() error { _, err := g.AddSink("x", topology.Sink{}, "s"); return err },
		"store without a name": func() error { return g.AddStore(topology.Store{}) },
		"no such store":        func() error { return g.Connect("s", "store") },
		"no such node":         func() error { return g.Connect("x", "store") },
	} {
		if call() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if len(g.Nodes()) != 2 {
		t.Errorf("refused nodes were added: %d", len(g.Nodes()))
	}
}

func TestInternalTopics(t *testing.T) {
	g := topology.New()
	_, err := g.AddSource("s", topology.Source{Topics: []string{"t"}})
	must(t, nil, err)
	_, err = g.AddProcessor("p", "s")
	must(t, nil, err)
	g.AddRepartition("r-repartition", 3)
	for _, s := range []topology.Store{
		{Name: "kv", Logged: true},
		{Name: "w", Kind: topology.Window, Logged: true, Retention: time.Hour},
		{Name: "private"},
	} {
		if err := g.AddStore(s, "p"); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.AddStore(topology.Store{Name: "unused", Logged: true}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, topic := range g.InternalTopics() {
		var configs []string
		for k, v := range topic.Configs {
			configs = append(configs, k+"="+v)
		}
		slices.Sort(configs)
		got = append(got, fmt.Sprintf("%s %d %v", topic.Name, topic.Partitions, configs))
	}
	want := []string{
		"r-repartition 3 [cleanup.policy=delete retention.ms=-1 segment.bytes=52428800]",
		"kv-changelog 0 [cleanup.policy=compact]",
		"w-changelog 0 [cleanup.policy=compact,delete retention.ms=90000000]",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCopartitionGroupsMerge(t *testing.T) {
	g := topology.New()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, err := g.AddSource(name, topology.Source{Topics: []string{name + "-topic"}})
		must(t, nil, err)
	}
	g.Copartition([]string{"a", "b"})
	g.Copartition([]string{"c", "d"})
	g.Copartition([]string{"e"})
	g.Copartition([]string{"b", "c"})
	want := [][]string{{"a-topic", "b-topic", "c-topic", "d-topic"}}
	if got := g.CopartitionGroups(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestJavaOrder compares with the order in which java.util.HashSet iterates: by the hash's bucket, which for these strings
// is neither that of insertion nor that of the alphabet.
func TestJavaOrder(t *testing.T) {
	g := topology.New()
	_, err := g.AddSource("s", topology.Source{Topics: []string{"b", "Aa", "a", "q"}})
	must(t, nil, err)
	// hashCode: a 97, b 98, q 113, Aa 2112; in 16 buckets: a 1, q 1, b 2, Aa 0.
	if got := g.Describe(); !strings.Contains(got, "(topics: [Aa, a, q, b])") {
		t.Errorf("got %s", got)
	}
}
