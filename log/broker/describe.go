package broker

import (
	"strconv"

	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// PartitionStats are the figures of one partition of this node.
type PartitionStats struct {
	Topic         string
	Index         int32
	Online        bool
	HighWatermark int64 // -1 when offline
	Stats         partition.Stats
}

// Partitions are the figures of this node's partitions, by topic and index.
func (b *Broker) Partitions() []PartitionStats {
	var all []PartitionStats
	for t := range b.cfg.Quorum.Image().Topics() {
		for _, p := range t.Partitions {
			if p.Leader != b.cfg.NodeID {
				continue
			}
			one := PartitionStats{Topic: t.Name, Index: p.Index, HighWatermark: -1}
			if leader, err := b.leaders.get(partition.ID{Topic: t.ID, Partition: p.Index}); err == nil {
				one.Online, one.HighWatermark, one.Stats = leader.Log().Err() == nil, leader.HighWatermark(), leader.Log().Stats()
			}
			all = append(all, one)
		}
	}
	return all
}

// Versions are the ranges that wire lets through to Serve.
func (b *Broker) Versions() map[int16]wire.VersionRange {
	ranges := make(map[int16]wire.VersionRange, len(b.table))
	for key, a := range b.table {
		ranges[key] = wire.VersionRange{Min: a.advertised, Max: a.max}
	}
	return ranges
}

// APIName is Kafka's name of an API key, or its number where it is not served.
func APIName(key int16) string {
	if a, ok := apiTable()[key]; ok {
		return a.name
	}
	return strconv.Itoa(int(key))
}
