package worker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/streams/topology"
)

// graphs are small topologies by hand.
type graphs struct {
	*testing.T
	*topology.Graph
}

func (g graphs) must(_ any, err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// chain is: source topics → processor with stores → sink to a topic.
func (g graphs) chain(name string, topics []string, store, to string) {
	g.Helper()
	g.must(g.AddSource(name+"-source", topology.Source{Topics: topics}))
	g.must(g.AddProcessor(name, name+"-source"))
	if store != "" {
		g.must(nil, g.AddStore(topology.Store{Name: store, Logged: true}, name))
	}
	if to != "" {
		g.must(g.AddSink(name+"-sink", topology.Sink{Topic: to}, name))
	}
}

func TestPlan(t *testing.T) {
	g := graphs{t, topology.New()}
	g.AddRepartition("r1", 0)
	g.AddRepartition("r2", 0)
	g.AddRepartition("fixed", 7)
	g.chain("first", []string{"a", "b"}, "", "r1")
	g.chain("second", []string{"r1"}, "s2", "r2")
	g.chain("third", []string{"r2"}, "", "fixed")
	g.chain("fourth", []string{"fixed"}, "s4", "out")
	p, err := newPlan(g.Graph, "app", map[string]int32{"a": 2, "b": 3, "out": 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.subs {
		got = append(got, fmt.Sprintf("%d:%d%v", s.id, s.tasks, s.topics))
	}
	if s := strings.Join(got, " "); s != "0:3[a b] 1:3[app-r1] 2:3[app-r2] 3:7[app-fixed]" {
		t.Errorf("parts %s", s)
	}
	got = nil
	for _, spec := range p.internal {
		got = append(got, fmt.Sprintf("%s:%d", spec.Name, spec.Partitions))
	}
	if s := strings.Join(got, " "); s != "app-r1:3 app-r2:3 app-fixed:7 app-s2-changelog:3 app-s4-changelog:7" {
		t.Errorf("internal topics %s", s)
	}
	if got := p.subs[0].inputs(2); len(got) != 1 || got[0].Topic != "b" {
		t.Errorf("task 0_2 reads %v", got)
	}
	if s := strings.Join((names{g.Graph, "app"}).external(), " "); s != "a b out" {
		t.Errorf("external topics %s", s)
	}
}

func TestPlanCopartitions(t *testing.T) {
	for _, c := range []struct {
		name     string
		fixed    int // partitions of the repartition topic, 0: free
		external int32
		want     int32 // 0: an error
	}{
		{"a free repartition topic takes the count of the topic it meets", 0, 5, 5},
		{"a fixed one may have the same count", 5, 5, 5},
		{"but no other", 4, 5, 0},
	} {
		g := graphs{t, topology.New()}
		g.AddRepartition("r", c.fixed)
		g.chain("up", []string{"in"}, "", "r")
		g.must(g.AddSource("left", topology.Source{Topics: []string{"r"}}))
		g.must(g.AddSource("right", topology.Source{Topics: []string{"table"}}))
		g.must(g.AddProcessor("join", "left", "right"))
		g.Copartition([]string{"left", "right"})
		p, err := newPlan(g.Graph, "app", map[string]int32{"in": 2, "table": c.external})
		if c.want == 0 {
			if !errors.Is(err, ErrNotCopartitioned) || !strings.Contains(err.Error(), "app-r has 4, table has 5") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || p.partitions["app-r"] != c.want {
			t.Errorf("%s: %d, %v", c.name, p.partitions["app-r"], err)
		}
	}
}
