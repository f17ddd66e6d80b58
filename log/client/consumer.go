package client

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ConsumerConfig configures a consumer of assigned partitions; its zero value works.
type ConsumerConfig struct {
	FetchConfig
}

// Consumer reads the partitions it is told to, from the offsets it is told to. It belongs to one goroutine; Close may be called from another.
type Consumer struct {
	cl       *kgo.Client
	max      int
	assigned map[TopicPartition]*position
}

// position is where the reading of a partition stands.
type position struct {
	next    int64 // as given, or after what was returned last
	stopped bool  // an error stopped it; only Assign or Seek moves it on
}

// NewConsumer returns a consumer that reads nothing yet, with connections of its own.
func (c *Client) NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	cfg.setDefaults()
	// Never jump by itself: a reader that restores state must be told when the records it asked for are gone.
	opts := append(cfg.options(), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	cl, err := c.dial(opts...)
	if err != nil {
		return nil, fmt.Errorf("cannot create consumer: %w", err)
	}
	return &Consumer{cl: cl, max: cfg.MaxPollRecords, assigned: make(map[TopicPartition]*position)}, nil
}

// Assign adds partitions, each to be read from an offset, Earliest or Latest. A partition that is read already is moved there,
// and what was fetched of it but not returned is dropped; other partitions go on undisturbed. A partition that does not exist
// (yet) is waited for.
func (c *Consumer) Assign(offsets map[TopicPartition]int64) error {
	var moved, removed []TopicPartition
	added := make(map[string]map[int32]kgo.Offset)
	for tp, at := range offsets {
		if at < Earliest {
			return fmt.Errorf("cannot assign %s at offset %d: %w", tp, at, ErrOffsetOutOfRange)
		}
	}
	for tp, at := range offsets {
		was, ok := c.assigned[tp]
		c.assigned[tp] = &position{next: at}
		if ok && !was.stopped && at >= 0 {
			moved = append(moved, tp)
			continue
		}
		if ok {
			removed = append(removed, tp)
		}
		if added[tp.Topic] == nil {
			added[tp.Topic] = make(map[int32]kgo.Offset)
		}
		added[tp.Topic][tp.Partition] = kafkaOffset(at)
	}
	if len(removed) > 0 {
		c.cl.RemoveConsumePartitions(byTopic(removed))
	}
	if len(moved) > 0 {
		c.cl.SetOffsets(epochOffsets(moved, offsets))
	}
	if len(added) > 0 {
		c.cl.AddConsumePartitions(added)
	}
	return nil
}

func kafkaOffset(at int64) kgo.Offset {
	switch at {
	case Earliest:
		return kgo.NoResetOffset().AtStart()
	case Latest:
		return kgo.NoResetOffset().AtEnd()
	}
	return kgo.NoResetOffset().At(at)
}

func epochOffsets(tps []TopicPartition, offsets map[TopicPartition]int64) map[string]map[int32]kgo.EpochOffset {
	m := make(map[string]map[int32]kgo.EpochOffset)
	for _, tp := range tps {
		if m[tp.Topic] == nil {
			m[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		m[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offsets[tp]}
	}
	return m
}

// Unassign stops the reading of partitions and forgets them; what was fetched of them is dropped. A pause ends with it.
func (c *Consumer) Unassign(tps ...TopicPartition) {
	for _, tp := range tps {
		delete(c.assigned, tp)
	}
	c.cl.RemoveConsumePartitions(byTopic(tps))
	c.cl.ResumeFetchPartitions(byTopic(tps))
}

// Seek moves a partition that is read. ErrNotAssigned if it is not.
func (c *Consumer) Seek(tp TopicPartition, offset int64) error {
	if _, ok := c.assigned[tp]; !ok {
		return fmt.Errorf("cannot seek in %s: %w", tp, ErrNotAssigned)
	}
	return c.Assign(map[TopicPartition]int64{tp: offset})
}

// Position returns the offset that is read next, or what was assigned (Earliest and Latest too) while nothing was read.
func (c *Consumer) Position(tp TopicPartition) (offset int64, ok bool) {
	if p, ok := c.assigned[tp]; ok {
		return p.next, true
	}
	return -1, false
}

// Pause stops the fetching of partitions. What was fetched of them already is kept back.
func (c *Consumer) Pause(tps ...TopicPartition) { pause(c.cl, tps) }

// Resume ends a Pause.
func (c *Consumer) Resume(tps ...TopicPartition) { resume(c.cl, tps) }

func pause(cl *kgo.Client, tps []TopicPartition) {
	if len(tps) > 0 { // none would mean: list what is paused
		cl.PauseFetchPartitions(byTopic(tps))
	}
}

func resume(cl *kgo.Client, tps []TopicPartition) {
	if len(tps) > 0 {
		cl.ResumeFetchPartitions(byTopic(tps))
	}
}

// Poll waits for records, or errors, of the assigned partitions and returns at most MaxPollRecords of them, grouped by
// partition; a partition may appear more than once, in order. The error is ctx's when it ended first, ErrClosed, or what keeps
// the client from reading anything at all; an error of one partition is in its Fetched.
func (c *Consumer) Poll(ctx context.Context) ([]Fetched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := convert(poll(ctx, c.cl, c.max), c.isAssigned)
	findStarts(ctx, c.cl, all)
	for i := range all {
		at := c.assigned[all[i].TopicPartition]
		if all[i].Next >= 0 {
			at.next = all[i].Next
		}
		if all[i].Err != nil {
			at.stopped = true
		}
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("cannot poll: %w", err)
	}
	if len(all) > 0 && ctx.Err() != nil {
		err = nil // ctx says it again at the next Poll
	}
	return all, err
}

func (c *Consumer) isAssigned(tp TopicPartition) bool {
	_, ok := c.assigned[tp]
	return ok
}

// Close stops reading and waits for the consumer's goroutines. A Poll under way returns ErrClosed.
func (c *Consumer) Close() { c.cl.Close() }
