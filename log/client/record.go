package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// AnyPartition in Record.Partition leaves the choice to the producer's partitioner.
	AnyPartition int32 = -1
	// TimestampNow in Record.Timestamp is the wall clock when the record is handed to Produce.
	TimestampNow int64 = -1
)

// Record is one record of a log, written or read.
type Record struct {
	Topic       string
	Partition   int32 // to produce: the partition, or AnyPartition
	LeaderEpoch int32 // read only; -1 when unknown
	Offset      int64 // set by the log
	Timestamp   int64 // ms since 1970; to produce: any time ≥ 0 is sent as it is (0 is 1970), TimestampNow
	Key         []byte
	Value       []byte // a nil Key or Value is null, which is not the same as empty
	Headers     []Header
}

// Header is one header of a record. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// NewRecord returns a record to produce whose partition is chosen by its key and whose time is now. It keeps the slices.
func NewRecord(topic string, key, value []byte) *Record {
	return &Record{Topic: topic, Partition: AnyPartition, Timestamp: TimestampNow, LeaderEpoch: -1, Key: key, Value: value}
}

// TopicPartition names one partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns topic-partition, as Kafka prints it.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Compare orders by topic, then partition.
func (tp TopicPartition) Compare(other TopicPartition) int {
	if c := strings.Compare(tp.Topic, other.Topic); c != 0 {
		return c
	}
	return int(tp.Partition) - int(other.Partition)
}

// OffsetAndMetadata is what a group commits for a partition.
type OffsetAndMetadata struct {
	Offset      int64  // the next offset to read
	LeaderEpoch int32  // of the last record read; -1 when unknown (KIP-320)
	Metadata    string // the committer's own note
}

// flatten returns the partitions of a franz-go map, sorted.
func flatten(m map[string][]int32) []TopicPartition {
	var tps []TopicPartition
	for topic, partitions := range m {
		for _, p := range partitions {
			tps = append(tps, TopicPartition{topic, p})
		}
	}
	slices.SortFunc(tps, TopicPartition.Compare)
	return tps
}

// byTopic is the inverse of flatten.
func byTopic(tps []TopicPartition) map[string][]int32 {
	m := make(map[string][]int32)
	for _, tp := range tps {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}

// fromKafka copies the fields of r, not the bytes they point to. The headers go into slab, which must have room for them.
func fromKafka(r *kgo.Record, slab []Header) (Record, []Header) {
	out := Record{
		Topic: r.Topic, Partition: r.Partition, LeaderEpoch: r.LeaderEpoch,
		Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value,
	}
	if n := len(r.Headers); n > 0 {
		start := len(slab)
		for _, h := range r.Headers {
			slab = append(slab, Header{h.Key, h.Value})
		}
		out.Headers = slab[start : start+n : start+n]
	}
	return out, slab
}

// toKafka fills k from r, reusing k's header slice. It copies no bytes.
func (r *Record) toKafka(k *kgo.Record) {
	headers := k.Headers[:0]
	for _, h := range r.Headers {
		headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	*k = kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: headers, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch}
	if r.Timestamp >= 0 {
		k.Timestamp = time.UnixMilli(r.Timestamp)
	}
}
