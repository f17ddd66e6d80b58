package broker

import (
	"context"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// DeleteTopics (20), v1 to v6.
//
//	v6 by name or by id
//
// Names are turned into ids here, so that a topic made again meanwhile is never hit. Internal topics are refused.
func (b *Broker) deleteTopics(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.DeleteTopicsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		ctx, cancel := context.WithTimeout(ctx, adminTimeout(req.TimeoutMillis))
		defer cancel()
		return ready(b.deleteRequested(ctx, req))
	}}, nil
}

func (b *Broker) deleteRequested(ctx context.Context, req *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	for _, name := range req.TopicNames {
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic = &name
		resp.Topics = append(resp.Topics, out)
	}
	for _, t := range req.Topics {
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		resp.Topics = append(resp.Topics, out)
	}
	image := b.cfg.Quorum.Image()
	var ids []uuid.UUID
	var at []int
	for i := range resp.Topics {
		out := &resp.Topics[i]
		t, err := deletable(image, out)
		if err != nil {
			out.ErrorCode, out.ErrorMessage = code(err), message(err)
			continue
		}
		name := t.Name
		out.Topic, out.TopicID = &name, t.ID
		ids, at = append(ids, t.ID), append(at, i)
	}
	for i, err := range b.cfg.Quorum.DeleteTopics(ctx, ids) {
		resp.Topics[at[i]].ErrorCode, resp.Topics[at[i]].ErrorMessage = code(err), message(err)
	}
	return resp
}

func deletable(image *metadata.Image, out *kmsg.DeleteTopicsResponseTopic) (*metadata.Topic, error) {
	ref := topicRef{id: out.TopicID, byID: uuid.UUID(out.TopicID) != noTopicID}
	if !ref.byID {
		if out.Topic == nil {
			return nil, kerr.InvalidRequest
		}
		ref.name = *out.Topic
	}
	t, err := ref.resolve(image)
	if err != nil {
		return nil, err
	}
	if t.Internal {
		return nil, kerr.InvalidTopicException
	}
	return t, nil
}
