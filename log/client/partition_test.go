package client

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The vectors are those of Kafka's UtilsTest.testMurmur2.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestPartitionFor(t *testing.T) {
	for key, want := range map[string]int32{
		"21":     (-973932308 & 0x7fffffff) % 10,
		"foobar": (-790332482 & 0x7fffffff) % 10,
		"abc":    479470107 % 10,
	} {
		if got := PartitionFor([]byte(key), 10); got != want {
			t.Errorf("%q goes to %d, want %d", key, got, want)
		}
	}
}

func TestPartitioner(t *testing.T) {
	p := newPartitioner().ForTopic("t")
	record := func(partition int32, key []byte) *kgo.Record { return &kgo.Record{Partition: partition, Key: key} }
	if got := p.Partition(record(4, []byte("foobar")), 10); got != 4 {
		t.Errorf("an explicit partition became %d", got)
	}
	if got, want := p.Partition(record(AnyPartition, []byte("foobar")), 10), int(PartitionFor([]byte("foobar"), 10)); got != want {
		t.Errorf("a key went to %d, want %d", got, want)
	}
	if !p.RequiresConsistency(record(4, nil)) || !p.RequiresConsistency(record(AnyPartition, []byte{})) || p.RequiresConsistency(record(AnyPartition, nil)) {
		t.Error("only a record without partition and key may go anywhere")
	}
	seen := make(map[int]bool)
	for range 100 {
		p.(kgo.TopicPartitionerOnNewBatch).OnNewBatch()
		first := p.Partition(record(AnyPartition, nil), 10)
		seen[first] = true
		if second := p.Partition(record(AnyPartition, nil), 10); second != first {
			t.Fatal("a record without a key left its batch")
		}
	}
	if len(seen) < 2 {
		t.Error("records without a key never change their partition")
	}
}
