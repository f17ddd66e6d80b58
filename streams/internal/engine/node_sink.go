package engine

import (
	"errors"
	"fmt"
)

// Sink describes a node that writes to a topic.
type Sink[K, V any] struct {
	Node
	Topic    string // without the application id
	Internal bool   // Topic is one of the program's own

	Key     *Coder[K] // of the edge
	Value   *Coder[V]
	KeyTo   *Coder[K] // of the topic; the same as Key when bytes may pass undecoded
	ValueTo *Coder[V]

	// Choose names the topic per record instead of Topic; "" drops the record.
	Choose func(k K, v V) string
	// Partition chooses among so many partitions; below zero, and nil, leave it to the key's bytes.
	Partition func(k K, v V, partitions int32) int32
	// KeyPart cuts out the part of the key's bytes that chooses the partition; nil takes all of them.
	KeyPart func(key []byte) []byte
}

// AddSink adds a sink below a port.
func AddSink[K, V any](p *Port[Record[K, V]], s Sink[K, V]) {
	p.To(s.Name, func(b *Build) Next[Record[K, V]] {
		n := &sink[K, V]{Sink: s, Site: b.site(s.Node), topic: s.Topic}
		if s.Partition != nil {
			counter, ok := b.task.cfg.Collector.(PartitionCounter)
			if !ok && b.err == nil {
				b.err = fmt.Errorf("cannot make sink %s: its partitioner needs a collector that counts partitions", s.Name)
			}
			n.counter = counter
		}
		if s.Internal {
			n.topic = b.task.cfg.ApplicationID + "-" + s.Topic
		}
		return n.take
	})
}

type sink[K, V any] struct {
	Sink[K, V]
	*Site
	topic   string
	counter PartitionCounter // if Partition is set
}

// PartitionCounter is a Collector that knows how many partitions a topic has. Programs with partitioners need one.
type PartitionCounter interface {
	Collector
	// Partitions is the number of partitions of a topic, by its full name.
	Partitions(topic string) (int32, error)
}

func (n *sink[K, V]) take(r *Record[K, V]) error {
	n.here()
	key, stage, err := recoded(n.Key, n.KeyTo, &r.Key, n.scratch())
	if err != nil {
		return n.failed(stage, err)
	}
	value, stage, err := recoded(n.Value, n.ValueTo, &r.Value, n.scratch())
	if err != nil {
		return n.failed(stage, err)
	}
	out := &n.task.out
	out.Topic, out.Partition = n.topic, AnyPartition
	out.Key, out.Value, out.Timestamp, out.Headers = key, value, r.Time, n.task.headers
	out.PartitionKey = key
	if n.KeyPart != nil && key != nil {
		out.PartitionKey = n.KeyPart(key)
	}
	if n.Choose != nil || n.Partition != nil {
		if drop, err := n.choose(r, out); err != nil || drop {
			return err
		}
	}
	return n.task.cfg.Collector.Send(out)
}

// choose fills in what depends on the decoded record. It reports true when the record is dropped, or handled as an error.
func (n *sink[K, V]) choose(r *Record[K, V], out *Output) (bool, error) {
	k, err := n.Key.Get(&r.Key)
	if err != nil {
		return true, n.failed(Decoding, err)
	}
	v, err := n.Value.Get(&r.Value)
	if err != nil {
		return true, n.failed(Decoding, err)
	}
	if n.Choose != nil {
		if out.Topic = n.Choose(k, v); out.Topic == "" {
			n.drop(DropNoTopic)
			return true, nil
		}
	}
	if n.Partition == nil {
		return false, nil
	}
	partitions, err := n.counter.Partitions(out.Topic)
	if err != nil {
		return true, err
	}
	chosen := n.Partition(k, v, partitions)
	if chosen >= partitions {
		return true, n.failed(Processing, fmt.Errorf("%w: %d of %d of topic %s", ErrNoSuchPartition, chosen, partitions, out.Topic))
	}
	if chosen >= 0 {
		out.Partition = chosen
	}
	return false, nil
}

// ErrNoSuchPartition is a partitioner's choice that the topic does not have.
var ErrNoSuchPartition = errors.New("the partitioner chose a partition that does not exist")

// recoded gives the field's bytes in the codec to: nil for null. When both codecs are the same, bytes pass undecoded.
func recoded[T any](from, to *Coder[T], f *Field[T], s *Scratch) ([]byte, Stage, error) {
	if from == to || f.IsNull() {
		b, err := from.Bytes(f, s)
		return b, Encoding, err
	}
	v, err := from.Get(f)
	if err != nil {
		return nil, Decoding, err
	}
	b, err := to.Encode(v, s)
	return b, Encoding, err
}
