package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// OffsetForLeaderEpoch (23), v2 to v4: the largest known epoch at or below the asked one, and where it ends (KIP-101, KIP-279). The current
// epoch ends at the high watermark for consumers; of a later one nothing is known: -1, -1.
func (b *Broker) offsetForLeaderEpoch(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.OffsetForLeaderEpochRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	image := b.cfg.Quorum.Image()
	for _, in := range req.Topics {
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = in.Topic
		t, unknown := topicRef{name: in.Topic}.resolve(image)
		for _, p := range in.Partitions {
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition, part.LeaderEpoch, part.EndOffset = p.Partition, -1, -1
			err := unknown
			if err == nil {
				part.LeaderEpoch, part.EndOffset, err = b.epochEnd(t, p)
			}
			part.ErrorCode = code(err)
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return ready(resp)
}

func (b *Broker) epochEnd(t *metadata.Topic, p kmsg.OffsetForLeaderEpochRequestTopicPartition) (int32, int64, error) {
	leader, err := b.leader(t, p.Partition)
	if err != nil {
		return -1, -1, err
	}
	if err := checkEpoch(p.CurrentLeaderEpoch, leader.Epoch()); err != nil {
		return -1, -1, err
	}
	if err := leader.Log().Err(); err != nil {
		return -1, -1, err
	}
	switch {
	case p.LeaderEpoch == leader.Epoch():
		return p.LeaderEpoch, leader.HighWatermark(), nil
	case p.LeaderEpoch > leader.Epoch():
		return -1, -1, nil // not known yet: it has no end
	}
	epoch, end := leader.Log().EpochEnd(p.LeaderEpoch)
	return epoch, end, nil
}
