package topology

import (
	"slices"
	"strconv"
	"time"
)

// Subtopology is a part of the graph that runs as one task per partition. Its nodes are connected by edges or by stores;
// topics alone do not connect.
type Subtopology struct {
	ID     int
	Global bool     // feeds a global store and makes no tasks
	Nodes  []*Node  // in order of addition
	Stores []*Store // in order of addition
}

// Subtopologies cuts the graph. Ids count up in the order of each part's first node, as Kafka numbers them.
func (g *Graph) Subtopologies() []Subtopology {
	group := g.group()
	var subs []Subtopology
	idOf := make(map[string]int)
	for _, n := range g.nodes {
		root := group.root(n.Name)
		id, ok := idOf[root]
		if !ok {
			id = len(subs)
			idOf[root] = id
			subs = append(subs, Subtopology{ID: id, Global: n.Global})
		}
		subs[id].Nodes = append(subs[id].Nodes, n)
	}
	for i := range subs {
		sub := &subs[i]
		for _, s := range g.stores {
			if slices.ContainsFunc(sub.Nodes, func(n *Node) bool { return slices.Contains(n.Stores, s.Name) }) {
				sub.Stores = append(sub.Stores, s)
			}
		}
	}
	return subs
}

// SourceTopics are the topics the subtopology reads, in order of addition, without the application id.
func (s Subtopology) SourceTopics() []string {
	var topics []string
	for _, n := range s.Nodes {
		topics = append(topics, n.Topics...)
	}
	return topics
}

// InternalTopics are the topics the program itself creates: repartition topics in order of declaration, then changelogs in
// order of the stores.
func (g *Graph) InternalTopics() []InternalTopic {
	var topics []InternalTopic
	for _, t := range g.repartitions {
		topics = append(topics, *t)
	}
	for _, s := range g.stores {
		if s.Logged && g.used(s.Name) {
			topics = append(topics, InternalTopic{
				Name: s.Name + changelogSuffix, Kind: Changelog, Configs: changelogConfigs(s), Store: s.Name,
			})
		}
	}
	return topics
}

// CopartitionGroups are the sets of topics, without the application id, that must have equally many partitions. Sets that
// share a topic are one set.
func (g *Graph) CopartitionGroups() [][]string {
	var groups [][]string
	for _, sources := range g.copartitions {
		var topics []string
		for _, s := range sources {
			if n := g.byName[s]; n != nil {
				topics = append(topics, n.Topics...)
			}
		}
		rest := groups[:0:0]
		for _, other := range groups {
			if slices.ContainsFunc(other, func(t string) bool { return slices.Contains(topics, t) }) {
				topics = append(other, topics...)
			} else {
				rest = append(rest, other)
			}
		}
		slices.Sort(topics)
		groups = append(rest, slices.Compact(topics))
	}
	return groups
}

func (g *Graph) used(store string) bool {
	return slices.ContainsFunc(g.nodes, func(n *Node) bool { return slices.Contains(n.Stores, store) })
}

const changelogSuffix = "-changelog"

// What a windowed or repartition topic keeps beyond the program's own needs.
const (
	changelogRetentionExtra     = 24 * time.Hour
	repartitionSegmentBytes     = 50 << 20
	repartitionRetentionForever = -1
)

func changelogConfigs(s *Store) map[string]string {
	if s.Kind == KeyValue || s.Kind == Buffer {
		return map[string]string{"cleanup.policy": "compact"}
	}
	return map[string]string{
		"cleanup.policy": "compact,delete",
		"retention.ms":   strconv.FormatInt((s.Retention + changelogRetentionExtra).Milliseconds(), 10),
	}
}

func repartitionConfigs() map[string]string {
	return map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   strconv.Itoa(repartitionRetentionForever),
		"segment.bytes":  strconv.Itoa(repartitionSegmentBytes),
	}
}

// grouper is a union of nodes and stores by name.
type grouper map[string]string

func (g *Graph) group() grouper {
	u := make(grouper)
	for _, n := range g.nodes {
		for _, p := range n.Parents {
			u.unite(n.Name, p)
		}
		for _, s := range n.Stores {
			u.unite(n.Name, "store:"+s) // a node's name cannot hold a colon
		}
	}
	return u
}

func (u grouper) root(name string) string {
	for {
		up, ok := u[name]
		if !ok {
			return name
		}
		name = up
	}
}

func (u grouper) unite(a, b string) {
	if ra, rb := u.root(a), u.root(b); ra != rb {
		u[ra] = rb
	}
}
