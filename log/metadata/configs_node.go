package metadata

import (
	"math"
	"slices"
	"strings"
)

// Of the node's own keys that this package reads itself.
const (
	keyAutoCreate        = "auto.create.topics.enable"
	keyNumPartitions     = "num.partitions"
	keyReplicationFactor = "default.replication.factor"
)

// NodeDefinitions are the keys of a node's configuration by name: its own, and the defaults it gives to topics. Those can be changed while it runs
// unless they are ReadOnly.
func NodeDefinitions() []Definition {
	definitions := slices.Concat(ownDefinitions(), groupDefinitions())
	for _, d := range TopicDefinitions() {
		for _, s := range d.Synonyms {
			n := d
			n.Name, n.Synonyms = s.Name, nil
			if s.Factor != 1 { // hours and minutes: of the file only, unset by default
				n.NoValue, n.Default, n.ReadOnly = true, "", true
				n.Min, n.Max = max(d.Min, -1), min(d.Max/s.Factor, math.MaxInt32)
				n.Type = Int
				n.Doc = d.Doc + " Of several, the one in the smallest unit counts."
			}
			definitions = append(definitions, n)
		}
	}
	slices.SortFunc(definitions, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return definitions
}

func ownDefinitions() []Definition {
	return []Definition{
		{
			Name: keyAutoCreate, Type: Boolean, Default: "true", ReadOnly: true,
			Doc: "Whether asking for a topic that is not there may create it.",
		},
		{
			Name: "broker.id", Type: Int, NoValue: true, ReadOnly: true, Max: math.MaxInt32,
			Doc: "The node's id, under its old name.",
		},
		{
			Name: "node.id", Type: Int, NoValue: true, ReadOnly: true, Max: math.MaxInt32,
			Doc: "The node's id.",
		},
		{
			Name: keyNumPartitions, Type: Int, Default: "1", Min: 1, Max: MaxPartitionsPerNode, ReadOnly: true,
			Doc: "Partitions of a topic created without saying how many.",
		},
		{
			Name: keyReplicationFactor, Type: Int, Default: "1", Min: 1, Max: math.MaxInt16, ReadOnly: true,
			Doc: "Replicas of a topic created without saying how many.",
		},
		{
			Name: "producer.id.expiration.ms", Type: Int, Default: "86400000", Min: 1, Max: math.MaxInt32, ReadOnly: true,
			Doc: "How long an idle producer's sequence numbers are remembered.",
		},
	}
}

func groupDefinitions() []Definition {
	return []Definition{
		{
			Name: "group.initial.rebalance.delay.ms", Type: Int, Default: "3000", Max: math.MaxInt32, ReadOnly: true,
			Doc: "How long the first rebalance of an empty group waits for more members.",
		},
		{
			Name: "group.max.session.timeout.ms", Type: Int, Default: "1800000", Min: 1, Max: math.MaxInt32, ReadOnly: true,
			Doc: "Longest session timeout a member may ask for.",
		},
		{
			Name: "group.max.size", Type: Int, Default: "5000", Min: 1, Max: math.MaxInt32, ReadOnly: true,
			Doc: "Members of one group.",
		},
		{
			Name: "group.min.session.timeout.ms", Type: Int, Default: "6000", Min: 1, Max: math.MaxInt32, ReadOnly: true,
			Doc: "Shortest session timeout a member may ask for.",
		},
		{
			Name: "offset.metadata.max.bytes", Type: Int, Default: "4096", Max: math.MaxInt32, ReadOnly: true,
			Doc: "Bytes of metadata with one committed offset.",
		},
		{
			Name: "offsets.retention.minutes", Type: Int, Default: "10080", Min: 1, Max: math.MaxInt32, ReadOnly: true,
			Doc: "How long the offsets of an empty group are kept.",
		},
		{
			Name: "offsets.topic.num.partitions", Type: Int, Default: "50", Min: 1, Max: MaxPartitionsPerNode, ReadOnly: true,
			Doc: "Partitions of __consumer_offsets; fixed once it is made.",
		},
	}
}
