package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// DeleteRecords (21), v0 to v2. Offset -1 is the high watermark; beyond it: OFFSET_OUT_OF_RANGE. Refused on internal topics.
func (b *Broker) deleteRecords(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.DeleteRecordsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Later: func(context.Context) (wire.Reply, error) { // it syncs: not on the reading goroutine
		resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
		image := b.cfg.Quorum.Image()
		for _, in := range req.Topics {
			out := kmsg.NewDeleteRecordsResponseTopic()
			out.Topic = in.Topic
			t, unknown := topicRef{name: in.Topic}.resolve(image)
			for _, p := range in.Partitions {
				part := kmsg.NewDeleteRecordsResponseTopicPartition()
				part.Partition, part.LowWatermark = p.Partition, -1
				err := unknown
				if err == nil {
					part.LowWatermark, err = b.deleteBefore(t, p)
				}
				part.ErrorCode = code(err)
				out.Partitions = append(out.Partitions, part)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return ready(resp)
	}}, nil
}

func (b *Broker) deleteBefore(t *metadata.Topic, p kmsg.DeleteRecordsRequestTopicPartition) (int64, error) {
	if t.Internal {
		return -1, errInternal
	}
	leader, err := b.leader(t, p.Partition)
	if err != nil {
		return -1, err
	}
	hw, offset := leader.HighWatermark(), p.Offset
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return -1, &partition.RangeError{Start: leader.Log().Start(), End: hw}
	}
	return leader.Log().DeleteBefore(offset)
}
