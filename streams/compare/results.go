package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/log/client"
)

// readTimeout bounds the reading of the results.
const readTimeout = 2 * time.Minute

// results reads the output topic and returns the digest of what it says: the sum of the digests of the last count of each word,
// or of all joined records. The order of the records does not change it.
func results(ctx context.Context, log *client.Client, kind, topic string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	consumer, err := log.NewConsumer(client.ConsumerConfig{})
	if err != nil {
		return 0, err
	}
	defer consumer.Close()
	ends, err := endOffsets(ctx, log, topic)
	if err != nil {
		return 0, err
	}
	left := int64(0)
	from := make(map[client.TopicPartition]int64)
	for tp, end := range ends {
		from[tp] = client.Earliest
		left += end
	}
	if err := consumer.Assign(from); err != nil {
		return 0, err
	}
	var sum uint64
	counts := make(map[string]int64)
	for left > 0 {
		fetched, err := consumer.Poll(ctx)
		if err != nil {
			return 0, err
		}
		for _, f := range fetched {
			if f.Err != nil {
				return 0, f.Err
			}
			left -= int64(len(f.Records))
			for _, r := range f.Records {
				switch {
				case kind == "join":
					sum += digestOf(string(r.Key), string(r.Value))
				case len(r.Value) == 8:
					counts[string(r.Key)] = int64(binary.BigEndian.Uint64(r.Value))
				default:
					return 0, fmt.Errorf("cannot read count at %s offset %d: %d bytes", f.TopicPartition, r.Offset, len(r.Value))
				}
			}
		}
	}
	for word, count := range counts {
		sum += digestOf(word, strconv.FormatInt(count, 10))
	}
	return sum, nil
}

// endOffsets are the ends of all partitions of the topics.
func endOffsets(ctx context.Context, log *client.Client, topics ...string) (map[client.TopicPartition]int64, error) {
	ask := make(map[client.TopicPartition]int64)
	for _, t := range topics {
		for p := range int32(partitions) {
			ask[client.TopicPartition{Topic: t, Partition: p}] = client.Latest
		}
	}
	ends := make(map[client.TopicPartition]int64, len(ask))
	for tp, listed := range log.Admin().ListOffsets(ctx, client.ReadUncommitted, ask) {
		if listed.Err != nil {
			return nil, fmt.Errorf("cannot find end of %s: %w", tp, listed.Err)
		}
		ends[tp] = listed.Offset
	}
	return ends, nil
}
