package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Offsets by name, where an offset (Assign) or a time (ListOffsets) is asked for. The values are Kafka's.
const (
	Latest   int64 = -1 // after the last record that may be read
	Earliest int64 = -2 // the log start
	MaxTime  int64 = -3 // ListOffsets only: the record with the greatest timestamp (KIP-734)
)

var errNoAnswer = errors.New("the log did not answer for it")

// ListedOffset is the answer for one partition.
type ListedOffset struct {
	Offset      int64 // -1: there is no record at or after the time
	Timestamp   int64 // of the record, in ms; -1 for Earliest and Latest
	LeaderEpoch int32 // of the offset; -1 when unknown
	Err         error
}

// ListOffsets finds an offset per partition: of the first record whose timestamp is at or after a time in ms, or Earliest,
// Latest, MaxTime. With ReadCommitted, Latest is the last stable offset.
func (a *Admin) ListOffsets(ctx context.Context, isolation Isolation, times map[TopicPartition]int64) map[TopicPartition]ListedOffset {
	return listOffsets(ctx, a.cl, isolation, times)
}

func listOffsets(ctx context.Context, cl *kgo.Client, isolation Isolation, times map[TopicPartition]int64) map[TopicPartition]ListedOffset {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	if isolation == ReadCommitted {
		req.IsolationLevel = 1
	}
	index := make(map[string]int)
	for tp, at := range times {
		i, ok := index[tp.Topic]
		if !ok {
			i = len(req.Topics)
			index[tp.Topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = tp.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = tp.Partition, at
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	out := make(map[TopicPartition]ListedOffset, len(times))
	for tp := range times {
		out[tp] = ListedOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1, Err: listError(tp, errNoAnswer)}
	}
	if len(times) == 0 {
		return out
	}
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			for _, t := range shard.Req.(*kmsg.ListOffsetsRequest).Topics {
				for _, p := range t.Partitions {
					tp := TopicPartition{t.Topic, p.Partition}
					out[tp] = ListedOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1, Err: listError(tp, translate(shard.Err))}
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				tp := TopicPartition{t.Topic, p.Partition}
				out[tp] = ListedOffset{Offset: p.Offset, Timestamp: p.Timestamp, LeaderEpoch: p.LeaderEpoch, Err: listError(tp, fromCode(p.ErrorCode, nil))}
			}
		}
	}
	return out
}

func listError(tp TopicPartition, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot list offset of %s: %w", tp, err)
}

// EpochEnd is where a leader epoch ends (KIP-101).
type EpochEnd struct {
	LeaderEpoch int32 // the largest epoch that is not above the one asked for and has records; -1: the log knows none
	EndOffset   int64 // where it ends: the start of the next epoch, or the log end; -1 with no epoch
	Err         error
}

// EpochEnds asks per partition where a leader epoch ends. A reader that is at an offset above EndOffset, or whose epoch is not
// LeaderEpoch, has read records the log does not have any more.
func (a *Admin) EpochEnds(ctx context.Context, epochs map[TopicPartition]int32) (map[TopicPartition]EpochEnd, error) {
	req := make(kadm.OffsetForLeaderEpochRequest)
	for tp, epoch := range epochs {
		req.Add(tp.Topic, tp.Partition, epoch)
	}
	resp, err := a.adm.OffsetForLeaderEpoch(ctx, req)
	if err != nil && len(resp) == 0 {
		return nil, fmt.Errorf("cannot find ends of leader epochs: %w", translate(err))
	}
	out := make(map[TopicPartition]EpochEnd, len(epochs))
	for tp := range epochs {
		end := EpochEnd{LeaderEpoch: -1, EndOffset: -1, Err: errNoAnswer}
		if r, ok := resp[tp.Topic][tp.Partition]; ok {
			end = EpochEnd{LeaderEpoch: r.LeaderEpoch, EndOffset: r.EndOffset, Err: translate(r.Err)}
		}
		if end.Err != nil {
			end.Err = fmt.Errorf("cannot find end of leader epoch %d of %s: %w", epochs[tp], tp, end.Err)
		}
		out[tp] = end
	}
	return out, nil
}

// DeletedRecords is the answer for one partition.
type DeletedRecords struct {
	LogStart int64 // the log start now
	Err      error
}

// DeleteRecords deletes the records below an offset per partition; Latest stands for the high watermark.
func (a *Admin) DeleteRecords(ctx context.Context, below map[TopicPartition]int64) (map[TopicPartition]DeletedRecords, error) {
	offsets := make(kadm.Offsets)
	for tp, at := range below {
		offsets.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: at})
	}
	resp, err := a.adm.DeleteRecords(ctx, offsets)
	if err != nil && len(resp) == 0 {
		return nil, fmt.Errorf("cannot delete records: %w", translate(err))
	}
	out := make(map[TopicPartition]DeletedRecords, len(below))
	for tp := range below {
		d := DeletedRecords{LogStart: -1, Err: errNoAnswer}
		if r, ok := resp[tp.Topic][tp.Partition]; ok {
			d = DeletedRecords{LogStart: r.LowWatermark, Err: translate(r.Err)}
		}
		if d.Err != nil {
			d.Err = fmt.Errorf("cannot delete records of %s: %w", tp, d.Err)
		}
		out[tp] = d
	}
	return out, nil
}
