package chaos

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/millrace/millrace/log/client"
)

const (
	produceTopic      = "kills"
	producePartitions = 3
	// acksPerLife is how many records must be acked between a start and the next kill: a run without progress proves nothing.
	acksPerLife = 2000
)

// ledger is what the producer was told.
type ledger struct {
	mu     sync.Mutex
	sent   [producePartitions]uint64           // next sequence number
	acked  [producePartitions]map[int64]uint64 // offset → sequence number
	count  int
	failed error
}

// TestKillNodeUnderProduce kills the node again and again under an idempotent producer with acks=all. Every acked record must be there after the
// last restart: at the offset it was acked with, in order, once.
func TestKillNodeUnderProduce(t *testing.T) {
	node, addr := startNode(t, t.TempDir())
	c := connect(t, addr)
	ctx := t.Context()
	eventually(t, "the topic", func() bool {
		errs, err := c.Admin().CreateTopics(ctx, client.TopicSpec{Name: produceTopic, Partitions: producePartitions})
		return err == nil && errs[0] == nil
	})
	l := &ledger{}
	for i := range l.acked {
		l.acked[i] = make(map[int64]uint64)
	}
	stop := produceUntil(t, c, l)
	for kill := range times(3, 20) {
		want := l.acks() + acksPerLife
		eventually(t, "acks", func() bool { return l.acks() >= want })
		node.kill()
		node.start()
		t.Logf("kill %d after %d acks", kill+1, l.acks())
	}
	want := l.acks() + acksPerLife
	eventually(t, "acks after the last restart", func() bool { return l.acks() >= want })
	stop()
	verify(t, c, l)
}

func (l *ledger) acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// produceUntil writes numbered records to every partition until the returned function is called, which also waits for the last acks.
func produceUntil(t *testing.T, c *client.Client, l *ledger) (stop func()) {
	t.Helper()
	p, err := c.NewProducer(client.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			l.send(t.Context(), p, int32(i%producePartitions))
		}
	}()
	return func() {
		cancel()
		<-done
		if err := p.Flush(t.Context()); err != nil {
			t.Errorf("cannot flush: %v", err)
		}
		p.Close()
	}
}

func (l *ledger) send(ctx context.Context, p *client.Producer, partition int32) {
	l.mu.Lock()
	sequence := l.sent[partition]
	l.sent[partition]++
	l.mu.Unlock()
	r := client.NewRecord(produceTopic, nil, binary.BigEndian.AppendUint64(make([]byte, 0, 200), sequence)[:200])
	r.Partition = partition
	p.Produce(ctx, r, func(r *client.Record, err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.failed = err
			return
		}
		l.acked[partition][r.Offset] = sequence
		l.count++
	})
}

// verify reads every partition from the start.
func verify(t *testing.T, c *client.Client, l *ledger) {
	t.Helper()
	if l.failed != nil {
		t.Errorf("a record failed: %v", l.failed)
	}
	for partition := range int32(producePartitions) {
		stored := readAll(t, c, client.TopicPartition{Topic: produceTopic, Partition: partition})
		seen := make(map[uint64]int64, len(stored))
		last := int64(-1)
		for _, r := range stored {
			sequence := binary.BigEndian.Uint64(r.Value)
			if first, again := seen[sequence]; again {
				t.Errorf("partition %d: record %d stands at offset %d and again at %d", partition, sequence, first, r.Offset)
			}
			seen[sequence] = r.Offset
			if int64(sequence) <= last {
				t.Errorf("partition %d: record %d at offset %d comes after record %d", partition, sequence, r.Offset, last)
			}
			last = int64(sequence)
		}
		for offset, sequence := range l.acked[partition] {
			if at, ok := seen[sequence]; !ok {
				t.Errorf("partition %d: record %d was acked with offset %d and is lost", partition, sequence, offset)
			} else if at != offset {
				t.Errorf("partition %d: record %d was acked with offset %d and stands at %d", partition, sequence, offset, at)
			}
		}
		t.Logf("partition %d: %d records, %d acked", partition, len(stored), len(l.acked[partition]))
	}
}

// readAll reads a partition from its start to the end it has now.
func readAll(t *testing.T, c *client.Client, tp client.TopicPartition) []client.Record {
	t.Helper()
	ends := c.Admin().ListOffsets(t.Context(), client.ReadUncommitted, map[client.TopicPartition]int64{tp: client.Latest})
	if err := ends[tp].Err; err != nil {
		t.Fatal(err)
	}
	consumer, err := c.NewConsumer(client.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	if err := consumer.Assign(map[client.TopicPartition]int64{tp: client.Earliest}); err != nil {
		t.Fatal(err)
	}
	var all []client.Record
	for ends[tp].Offset > 0 {
		batch, err := consumer.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range batch {
			if f.Err != nil {
				t.Fatal(f.Err)
			}
			all = append(all, f.Records...)
		}
		if at, ok := consumer.Position(tp); ok && at >= ends[tp].Offset {
			break
		}
	}
	return all
}
