package cli

import (
	"context"
	"maps"

	"github.com/millrace/millrace/log/client"
)

// readIntervals passes on the records of intervals until all of them end, each says stop, or ctx ends. polled (may be nil) runs after each poll.
func readIntervals(ctx context.Context, c *client.Client, cfg client.FetchConfig, intervals map[client.TopicPartition]interval,
	each func(*client.Record) (stop bool, err error), polled func() error) error {
	open := make(map[client.TopicPartition]interval)
	assign := make(map[client.TopicPartition]int64)
	for tp, i := range intervals {
		if i.to == noEnd || i.from < i.to {
			open[tp] = i
		}
	}
	if len(open) == 0 {
		return nil
	}
	topics := make(map[string]client.Topic)
	for tp := range open {
		t := topics[tp.Topic]
		t.Name, t.Partitions = tp.Topic, append(t.Partitions, client.Partition{Index: tp.Partition})
		topics[tp.Topic] = t
	}
	// An offset beyond the end cannot be asked for: start at the end, and drop what comes before.
	var list []client.Topic
	for t := range maps.Values(topics) {
		list = append(list, t)
	}
	for tp, b := range findBounds(ctx, c, list) {
		if b.err != nil {
			return b.err
		}
		assign[tp] = min(open[tp].from, b.end)
	}
	r, err := c.NewConsumer(client.ConsumerConfig{FetchConfig: cfg})
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Assign(assign); err != nil {
		return err
	}
	for len(open) > 0 {
		all, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		for i := range all {
			stop, err := passOn(&all[i], open, each)
			if err != nil || stop {
				return err
			}
			if _, ok := open[all[i].TopicPartition]; !ok {
				r.Unassign(all[i].TopicPartition)
			}
		}
		if polled != nil {
			if err := polled(); err != nil {
				return err
			}
		}
	}
	return nil
}

// passOn hands on the records of one partition that lie in its interval, and closes the interval when its end is reached.
func passOn(f *client.Fetched, open map[client.TopicPartition]interval, each func(*client.Record) (bool, error)) (stop bool, err error) {
	i, ok := open[f.TopicPartition]
	if !ok {
		return false, nil
	}
	for j := range f.Records {
		r := &f.Records[j]
		if r.Offset < i.from {
			continue
		}
		if i.to != noEnd && r.Offset >= i.to {
			break
		}
		if stop, err := each(r); stop || err != nil {
			return stop, err
		}
	}
	if i.to != noEnd && f.Next >= i.to {
		delete(open, f.TopicPartition)
	}
	return false, f.Err
}
