package topology

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind says what a node does.
type Kind uint8

const (
	KindSource Kind = iota
	KindProcessor
	KindSink
)

// Node is one step of the graph.
type Node struct {
	Name    string
	Kind    Kind
	Topics  []string // of a source
	Topic   string   // of a sink; empty when it chooses a topic per record
	Chooser string   // of such a sink: how Describe names the function
	Stores  []string // of a processor, in order of connection
	Parents []string // in order of connection
	Global  bool     // source or processor of a global table: runs in no task
	Start   Start    // of a source: where reading begins without committed offsets
}

// StartPolicy says where reading begins in a topic that nothing is committed for.
type StartPolicy uint8

const (
	StartDefault   StartPolicy = iota // as the application is configured
	StartEarliest                     // at the first record there is
	StartLatest                       // after the last one
	StartCommitted                    // nowhere: committed offsets must exist
	StartBack                         // at the first record that is at most Start.Back old
)

// Start is a StartPolicy with its parameter. Whoever runs the graph finds it at the source of a topic: Graph.SourceOf. Internal
// topics have StartDefault and must be read from the earliest record.
type Start struct {
	Policy StartPolicy
	Back   time.Duration // of StartBack, by the wall clock at the time of asking
}

// Source, Sink describe the ends of the graph for AddSource and AddSink.
type (
	Source struct {
		Topics []string
		Global bool
		Start  Start
	}
	Sink struct {
		Topic   string
		Chooser string
	}
)

// StoreKind says what a store is.
type StoreKind uint8

const (
	KeyValue StoreKind = iota
	Window
	Session
	Duplicates // window store that keeps several values per key and time: one side of a stream-stream join
	Buffer     // private to one operator: suppressed results, or unmatched sides of an outer join
)

// Store is a state store.
type Store struct {
	Name       string
	Kind       StoreKind
	Retention  time.Duration // of windows
	WindowSize time.Duration // of windows
	Logged     bool          // has a changelog topic
	Global     bool
}

// InternalTopicKind says what a topic made by the program itself is for.
type InternalTopicKind uint8

const (
	Repartition InternalTopicKind = iota
	Changelog
)

// InternalTopic is a topic that the program needs and creates itself.
type InternalTopic struct {
	Name       string // without the application id
	Kind       InternalTopicKind
	Partitions int // 0: as many as the subtopology that writes or keeps it
	Configs    map[string]string
	Store      string // of a changelog
}

// Graph is a program's nodes and stores. Nodes keep the order in which they were added.
type Graph struct {
	nodes        []*Node
	byName       map[string]*Node
	stores       []*Store
	storesByName map[string]*Store
	repartitions []*InternalTopic
	copartitions [][]string // names of sources whose topics must have the same number of partitions
}

// New is an empty graph.
func New() *Graph {
	return &Graph{byName: make(map[string]*Node), storesByName: make(map[string]*Store)}
}

// AddSource adds a node that reads topics.
func (g *Graph) AddSource(name string, s Source) (*Node, error) {
	if len(s.Topics) == 0 {
		return nil, fmt.Errorf("cannot add source %s: it has no topic", name)
	}
	for _, t := range s.Topics {
		if t == "" {
			return nil, fmt.Errorf("cannot add source %s: a topic name is empty", name)
		}
		if by := g.SourceOf(t); by != nil {
			return nil, fmt.Errorf("cannot add source %s: topic %s is already read by %s", name, t, by.Name)
		}
	}
	return g.add(&Node{Name: name, Kind: KindSource, Topics: slices.Clone(s.Topics), Global: s.Global, Start: s.Start})
}

// AddProcessor adds a node below parents.
func (g *Graph) AddProcessor(name string, parents ...string) (*Node, error) {
	return g.add(&Node{Name: name, Kind: KindProcessor, Parents: slices.Clone(parents)})
}

// AddSink adds a node that writes records to a topic.
func (g *Graph) AddSink(name string, s Sink, parents ...string) (*Node, error) {
	if s.Topic == "" && s.Chooser == "" {
		return nil, fmt.Errorf("cannot add sink %s: it has no topic", name)
	}
	return g.add(&Node{Name: name, Kind: KindSink, Topic: s.Topic, Chooser: s.Chooser, Parents: slices.Clone(parents)})
}

func (g *Graph) add(n *Node) (*Node, error) {
	if n.Name == "" {
		return nil, errors.New("cannot add node: its name is empty")
	}
	if g.byName[n.Name] != nil {
		return nil, fmt.Errorf("cannot add node %s: there is one of that name", n.Name)
	}
	for _, p := range n.Parents {
		parent := g.byName[p]
		switch {
		case parent == nil:
			return nil, fmt.Errorf("cannot add node %s: there is no parent %s", n.Name, p)
		case parent.Kind == KindSink:
			return nil, fmt.Errorf("cannot add node %s: parent %s is a sink", n.Name, p)
		}
		n.Global = n.Global || parent.Global
	}
	g.nodes = append(g.nodes, n)
	g.byName[n.Name] = n
	return n, nil
}

// AddStore adds a store and connects it with the named nodes.
func (g *Graph) AddStore(s Store, nodes ...string) error {
	if s.Name == "" {
		return errors.New("cannot add store: its name is empty")
	}
	if g.storesByName[s.Name] != nil {
		return fmt.Errorf("cannot add store %s: there is one of that name", s.Name)
	}
	g.stores = append(g.stores, &s)
	g.storesByName[s.Name] = &s
	for _, n := range nodes {
		if err := g.Connect(n, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// Connect lets a processor use stores.
func (g *Graph) Connect(node string, stores ...string) error {
	n := g.byName[node]
	if n == nil {
		return fmt.Errorf("cannot connect stores with node %s: there is no such node", node)
	}
	for _, s := range stores {
		store := g.storesByName[s]
		if store == nil {
			return fmt.Errorf("cannot connect store %s with node %s: there is no such store", s, node)
		}
		if store.Global && !n.Global {
			continue // every task may read a global store; it is not part of the subtopology
		}
		if !slices.Contains(n.Stores, s) {
			n.Stores = append(n.Stores, s)
		}
	}
	return nil
}

// AddRepartition declares a repartition topic of a number of partitions, 0 for as many as its readers need.
func (g *Graph) AddRepartition(topic string, partitions int) {
	if t := g.Repartition(topic); t != nil {
		t.Partitions = max(t.Partitions, partitions)
		return
	}
	g.repartitions = append(g.repartitions, &InternalTopic{
		Name: topic, Kind: Repartition, Partitions: partitions, Configs: repartitionConfigs(),
	})
}

// Copartition demands that the topics of the named sources have the same number of partitions.
func (g *Graph) Copartition(sources []string) {
	if len(sources) > 1 {
		g.copartitions = append(g.copartitions, slices.Clone(sources))
	}
}

// Node returns a node by name, or nil.
func (g *Graph) Node(name string) *Node { return g.byName[name] }

// Nodes returns all nodes in the order in which they were added. The slice belongs to the graph.
func (g *Graph) Nodes() []*Node { return g.nodes }

// Store returns a store by name, or nil.
func (g *Graph) Store(name string) *Store { return g.storesByName[name] }

// Stores returns all stores in the order in which they were added. The slice belongs to the graph.
func (g *Graph) Stores() []*Store { return g.stores }

// Repartition returns the repartition topic of that name (without the application id), or nil.
func (g *Graph) Repartition(topic string) *InternalTopic {
	for _, t := range g.repartitions {
		if t.Name == topic {
			return t
		}
	}
	return nil
}

// SourceOf returns the source that reads topic, or nil.
func (g *Graph) SourceOf(topic string) *Node {
	for _, n := range g.nodes {
		if n.Kind == KindSource && slices.Contains(n.Topics, topic) {
			return n
		}
	}
	return nil
}
