package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// ListOffsets (2), v1 to v11.
//
//	-1 latest · -2 earliest · -3 max timestamp (v7) · -4 earliest local (v8): the earliest, nothing is tiered · -5 latest tiered (v9) and
//	-6 earliest pending upload (v11): none, -1 · v10 timeout: the answer never waits
//
// "Latest" is the high watermark in both isolation levels while there are no transactions. A timestamp later than all records: -1, -1.
const (
	timestampLatest        = -1
	timestampEarliest      = -2
	timestampMax           = -3
	timestampEarliestLocal = -4
	timestampLatestTiered  = -5
	timestampEarliestLater = -6
)

var errTimestampVersion = fmt.Errorf("%w: this timestamp needs a later version of ListOffsets", kerr.UnsupportedVersion)

func (b *Broker) listOffsets(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.ListOffsetsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	image := b.cfg.Quorum.Image()
	for _, in := range req.Topics {
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = in.Topic
		t, unknown := topicRef{name: in.Topic}.resolve(image)
		for _, p := range in.Partitions {
			part := kmsg.NewListOffsetsResponseTopicPartition()
			part.Partition, part.Timestamp, part.Offset, part.LeaderEpoch = p.Partition, -1, -1, -1
			err := unknown
			if err == nil {
				err = b.listOffset(t, req.Version, p, &part)
			}
			part.ErrorCode = code(err)
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return ready(resp)
}

func (b *Broker) listOffset(t *metadata.Topic, version int16, in kmsg.ListOffsetsRequestTopicPartition, out *kmsg.ListOffsetsResponseTopicPartition) error {
	leader, err := b.leader(t, in.Partition)
	if err != nil {
		return err
	}
	if version >= 4 {
		if err := checkEpoch(in.CurrentLeaderEpoch, leader.Epoch()); err != nil {
			return err
		}
	}
	log, limit := leader.Log(), leader.LastStable()
	switch {
	case in.Timestamp == timestampLatest:
		out.Offset, out.LeaderEpoch = limit, leader.Epoch()
	case in.Timestamp == timestampEarliest, in.Timestamp == timestampEarliestLocal && version >= 8:
		out.Offset = log.Start()
		out.LeaderEpoch = log.EpochAt(out.Offset)
	case in.Timestamp == timestampMax && version >= 7:
		found, ok, err := log.MaxTimestamp(limit)
		if err != nil || !ok {
			return err
		}
		out.Offset, out.Timestamp, out.LeaderEpoch = found.Offset, found.Timestamp, found.Epoch
	case in.Timestamp == timestampLatestTiered && version >= 9, in.Timestamp == timestampEarliestLater && version >= 11:
		// nothing is tiered: -1
	case in.Timestamp < 0:
		return errTimestampVersion
	default:
		found, ok, err := log.OffsetForTime(in.Timestamp, limit)
		if err != nil || !ok {
			return err
		}
		out.Offset, out.Timestamp, out.LeaderEpoch = found.Offset, found.Timestamp, found.Epoch
	}
	return nil
}
