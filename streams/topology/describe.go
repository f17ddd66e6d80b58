package topology

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Describe prints the graph as Kafka's TopologyDescription does, byte for byte: nodes ordered by the size of the tree below
// them, largest first, then by name; the first part indented by three blanks, the others by two.
func (g *Graph) Describe() string {
	var b strings.Builder
	b.WriteString("Topologies:\n ")
	for _, sub := range g.Subtopologies() {
		b.WriteString("  ")
		describe(&b, sub)
	}
	return b.String()
}

// described is a node with what its place in the tree adds.
type described struct {
	*Node
	size         int // of the tree below, the node included
	predecessors []*described
	successors   []*described
}

func describe(b *strings.Builder, sub Subtopology) {
	nodes := connect(sub)
	if sub.Global {
		fmt.Fprintf(b, "Sub-topology: %d for global store (will not generate tasks)\n", sub.ID)
	} else {
		fmt.Fprintf(b, "Sub-topology: %d\n", sub.ID)
	}
	for _, n := range nodes {
		n.print(b)
	}
	if !sub.Global {
		b.WriteString("\n")
	}
}

// connect links the nodes. Kafka walks them in the order of a Java HashMap and puts each into its neighbours' sorted sets
// while the sizes still grow, so a neighbour's place depends on the sizes of that moment: we walk and insert alike.
func connect(sub Subtopology) []*described {
	byName := make(map[string]*described)
	var nodes []*described
	for _, n := range sub.Nodes {
		d := &described{Node: n, size: 1}
		byName[n.Name] = d
		nodes = append(nodes, d)
	}
	buckets := javaBucketsMin
	for len(nodes)*javaLoadNumerator > buckets*javaLoadDenominator {
		buckets *= 2
	}
	slices.SortStableFunc(nodes, func(a, b *described) int { return bucket(a.Name, buckets) - bucket(b.Name, buckets) })
	for _, n := range nodes {
		for _, p := range n.Parents {
			parent := byName[p]
			n.predecessors = insert(n.predecessors, parent)
			parent.successors = insert(parent.successors, n)
			parent.grow(n.size)
		}
	}
	slices.SortFunc(nodes, compare)
	return nodes
}

func insert(set []*described, n *described) []*described {
	i := 0
	for i < len(set) && compare(set[i], n) < 0 {
		i++
	}
	return slices.Insert(set, i, n)
}

// grow adds to the size of the node and of all above it. A node that can be reached on two ways counts twice, as in Kafka.
func (d *described) grow(by int) {
	d.size += by
	for _, p := range d.predecessors {
		p.grow(by)
	}
}

func compare(a, b *described) int {
	if a.size != b.size {
		return b.size - a.size
	}
	return strings.Compare(a.Name, b.Name)
}

func (d *described) print(b *strings.Builder) {
	switch d.Kind {
	case KindSource:
		fmt.Fprintf(b, "    Source: %s (topics: [%s])\n", d.Name, javaSet(d.Topics))
		fmt.Fprintf(b, "      --> %s\n", names(d.successors))
	case KindProcessor:
		fmt.Fprintf(b, "    Processor: %s (stores: [%s])\n", d.Name, javaSet(d.Stores))
		fmt.Fprintf(b, "      --> %s\n", names(d.successors))
		fmt.Fprintf(b, "      <-- %s\n", names(d.predecessors))
	case KindSink:
		if d.Topic != "" {
			fmt.Fprintf(b, "    Sink: %s (topic: %s)\n", d.Name, d.Topic)
		} else {
			fmt.Fprintf(b, "    Sink: %s (extractor class: %s)\n", d.Name, d.Chooser)
		}
		fmt.Fprintf(b, "      <-- %s\n", names(d.predecessors))
	}
}

func names(nodes []*described) string {
	if len(nodes) == 0 {
		return "none"
	}
	var list []string
	for _, n := range nodes {
		list = append(list, n.Name)
	}
	return strings.Join(list, ", ")
}

const (
	javaBucketsMin      = 16
	javaLoadNumerator   = 4 // a HashSet made from n elements has room for n / 0.75 + 1
	javaLoadDenominator = 3
)

// javaSet joins names in the order in which Java's HashSet holds them, which is the order Kafka prints.
func javaSet(set []string) string {
	buckets := javaBucketsMin
	for buckets < len(set)*javaLoadNumerator/javaLoadDenominator+1 {
		buckets *= 2
	}
	ordered := slices.Clone(set)
	slices.SortStableFunc(ordered, func(a, b string) int { return bucket(a, buckets) - bucket(b, buckets) })
	return strings.Join(ordered, ", ")
}

// bucket is the place of a string in a Java hash table; buckets is a power of two.
func bucket(s string, buckets int) int { return int(javaHash(s) & uint32(buckets-1)) }

// javaHash is String.hashCode, spread as HashMap spreads it.
func javaHash(s string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(unit)
	}
	return h ^ h>>16
}
