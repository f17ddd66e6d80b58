package worker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// ErrNotCopartitioned is an operator whose inputs have different numbers of partitions.
var ErrNotCopartitioned = errors.New("inputs are not co-partitioned")

// plan is the topology measured against the log: how many partitions and tasks there are. It is read-only once made.
type plan struct {
	subs       []subPlan        // those that make tasks
	partitions map[string]int32 // by full name: every topic that is read, written by name, or made
	internal   []client.TopicSpec
	globals    []string // topics of global tables
}

// subPlan is one part of the topology.
type subPlan struct {
	id         int
	topics     []string // full names, in the topology's order
	partitions []int32  // of topics
	tasks      int32    // the most of partitions
}

// names is the topology in full topic names.
type names struct {
	graph *topology.Graph
	app   string
}

// full is a topic's name on the log: internal ones carry the application id.
func (n names) full(topic string) string {
	if n.graph.Repartition(topic) != nil {
		return n.app + "-" + topic
	}
	return topic
}

// external are the topics that somebody else must have made: those that are read and those that are written, sorted.
func (n names) external() []string {
	found := make(map[string]bool)
	for _, node := range n.graph.Nodes() {
		topics := node.Topics
		if node.Kind == topology.KindSink && node.Topic != "" {
			topics = []string{node.Topic}
		}
		for _, t := range topics {
			if n.graph.Repartition(t) == nil {
				found[t] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// newPlan works out the partition counts of internal topics from those of external ones, checks co-partitioning and counts
// the tasks.
func newPlan(g *topology.Graph, app string, external map[string]int32) (*plan, error) {
	n := names{g, app}
	known := maps.Clone(external) // by name without the application id
	for _, t := range g.InternalTopics() {
		if t.Kind == topology.Repartition && t.Partitions > 0 {
			known[t.Name] = int32(t.Partitions)
		}
	}
	groups := g.CopartitionGroups()
	for spread(g, groups, known) {
	}
	for _, t := range g.InternalTopics() {
		if t.Kind == topology.Repartition && known[t.Name] == 0 {
			return nil, fmt.Errorf("cannot tell how many partitions topic %s-%s needs: set Partitions", app, t.Name)
		}
	}
	if err := checkCopartitions(n, groups, known); err != nil {
		return nil, err
	}
	p := &plan{partitions: make(map[string]int32)}
	for topic, count := range known {
		p.partitions[n.full(topic)] = count
	}
	p.cut(n)
	p.listInternal(n, known)
	return p, nil
}

// spread finds counts of repartition topics that follow from known ones, and reports whether it found any. A topic that must
// match others takes their count; else it has as many partitions as the largest input of those who write it.
func spread(g *topology.Graph, groups [][]string, known map[string]int32) bool {
	for _, group := range groups {
		if count := first(group, known); count > 0 && assign(group, known, count) {
			return true
		}
	}
	for _, t := range g.InternalTopics() {
		if t.Kind != topology.Repartition || known[t.Name] > 0 {
			continue
		}
		group := []string{t.Name}
		for _, other := range groups {
			if slices.Contains(other, t.Name) {
				group = other
			}
		}
		if count := upstream(g, group, known); count > 0 && assign(group, known, count) {
			return true
		}
	}
	return false
}

func first(group []string, known map[string]int32) int32 {
	for _, t := range group {
		if known[t] > 0 {
			return known[t]
		}
	}
	return 0
}

func assign(group []string, known map[string]int32, count int32) (changed bool) {
	for _, t := range group {
		if known[t] == 0 {
			known[t], changed = count, true
		}
	}
	return changed
}

// upstream is the most partitions among the inputs of the parts that write topics of the group; 0 while one is unknown.
func upstream(g *topology.Graph, group []string, known map[string]int32) int32 {
	var most int32
	for _, sub := range g.Subtopologies() {
		if !slices.ContainsFunc(sub.Nodes, func(n *topology.Node) bool { return slices.Contains(group, n.Topic) }) {
			continue
		}
		for _, t := range sub.SourceTopics() {
			if known[t] == 0 {
				return 0
			}
			most = max(most, known[t])
		}
	}
	return most
}

func checkCopartitions(n names, groups [][]string, known map[string]int32) error {
	var errs []error
	for _, group := range groups {
		var counts []string
		same := true
		for _, t := range group {
			counts = append(counts, fmt.Sprintf("%s has %d", n.full(t), known[t]))
			same = same && known[t] == known[group[0]]
		}
		if !same {
			errs = append(errs, fmt.Errorf("%w: %s partitions", ErrNotCopartitioned, strings.Join(counts, ", ")))
		}
	}
	return errors.Join(errs...)
}

// cut lists the parts that make tasks, and the topics of global tables.
func (p *plan) cut(n names) {
	for _, sub := range n.graph.Subtopologies() {
		if sub.Global {
			p.globals = append(p.globals, sub.SourceTopics()...)
			continue
		}
		part := subPlan{id: sub.ID}
		for _, t := range sub.SourceTopics() {
			full := n.full(t)
			part.topics = append(part.topics, full)
			part.partitions = append(part.partitions, p.partitions[full])
			part.tasks = max(part.tasks, p.partitions[full])
		}
		p.subs = append(p.subs, part)
	}
}

// listInternal lists the topics to make: changelogs have a partition per task that keeps the store.
func (p *plan) listInternal(n names, known map[string]int32) {
	keeper := make(map[string]int32)
	for _, sub := range n.graph.Subtopologies() {
		for _, part := range p.subs {
			if part.id == sub.ID {
				for _, s := range sub.Stores {
					keeper[s.Name] = part.tasks
				}
			}
		}
	}
	for _, t := range n.graph.InternalTopics() {
		count := known[t.Name]
		if t.Kind == topology.Changelog {
			if count = keeper[t.Store]; count == 0 {
				continue // of a global store, which is its own topic
			}
		}
		spec := client.TopicSpec{Name: n.app + "-" + t.Name, Partitions: count, Configs: maps.Clone(t.Configs)}
		p.internal = append(p.internal, spec)
		p.partitions[spec.Name] = count
	}
}

// topics are the full names of all topics that tasks read, sorted.
func (p *plan) topics() []string {
	var topics []string
	for _, sub := range p.subs {
		topics = append(topics, sub.topics...)
	}
	slices.Sort(topics)
	return topics
}

// inputs are the partitions that a task reads.
func (s *subPlan) inputs(partition int32) []client.TopicPartition {
	var tps []client.TopicPartition
	for i, t := range s.topics {
		if partition < s.partitions[i] {
			tps = append(tps, client.TopicPartition{Topic: t, Partition: partition})
		}
	}
	return tps
}

// sub finds a part by its id.
func (p *plan) sub(id int) *subPlan {
	for i := range p.subs {
		if p.subs[i].id == id {
			return &p.subs[i]
		}
	}
	panic(fmt.Sprintf("BUG: the plan has no part %d", id))
}

// taskOf finds the task that reads a partition.
func (p *plan) taskOf(tp client.TopicPartition) (engine.TaskID, bool) {
	for _, sub := range p.subs {
		if slices.Contains(sub.topics, tp.Topic) {
			return engine.TaskID{Subtopology: sub.id, Partition: tp.Partition}, true
		}
	}
	return engine.TaskID{}, false
}
