package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// CreateTopics (19), v2 to v7.
//
//	v4 -1 as partition count and replication factor · v5 configs in the reply (KIP-525) · v7 topic ids
//
// The reply waits until this node has applied the change and synced the new directories. A name that comes twice in a request is refused, and so is
// the offsets topic, which is made with the partitions that the coordinators have.

var (
	errTwice    = fmt.Errorf("%w: the topic stands twice in the request", kerr.InvalidRequest)
	errReserved = fmt.Errorf("%w: the topic is made by the broker itself", kerr.InvalidTopicException)
)

func (b *Broker) createTopics(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.CreateTopicsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		ctx, cancel := context.WithTimeout(ctx, adminTimeout(req.TimeoutMillis))
		defer cancel()
		return ready(b.createRequested(ctx, req))
	}}, nil
}

// adminTimeout is the client's timeout, bounded.
func adminTimeout(millis int32) time.Duration {
	if millis <= 0 {
		return maxAdminWait
	}
	return min(time.Duration(millis)*time.Millisecond, maxAdminWait)
}

func (b *Broker) createRequested(ctx context.Context, req *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	times := make(map[string]int, len(req.Topics))
	for _, t := range req.Topics {
		times[t.Topic]++
	}
	var specs []metadata.TopicSpec
	var at []int // the place in the response of each spec
	for _, t := range req.Topics {
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.NumPartitions, out.ReplicationFactor = t.Topic, -1, -1
		switch err := b.mayMake(t.Topic, times[t.Topic]); err {
		case nil:
			at = append(at, len(resp.Topics))
			specs = append(specs, topicSpec(t))
		default:
			out.ErrorCode, out.ErrorMessage = code(err), message(err)
		}
		resp.Topics = append(resp.Topics, out)
	}
	for i, result := range b.cfg.Quorum.CreateTopics(ctx, specs, req.ValidateOnly) {
		if result.Err == nil && !req.ValidateOnly {
			result.Err = b.leaders.madeHere(result.Topic)
		}
		b.fillCreated(&resp.Topics[at[i]], result)
	}
	return resp
}

// mayMake says what speaks against making a topic before the quorum is asked; times is how often it stands in the request.
func (b *Broker) mayMake(name string, times int) error {
	switch {
	case times > 1:
		return errTwice
	case name == offsetsTopic:
		return errReserved
	case b.cfg.Directory.Stats().Full:
		return partition.ErrNoSpace
	}
	return nil
}

func topicSpec(t kmsg.CreateTopicsRequestTopic) metadata.TopicSpec {
	spec := metadata.TopicSpec{Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor, Config: make(map[string]string, len(t.Configs))}
	for _, c := range t.Configs {
		if c.Value != nil {
			spec.Config[c.Name] = *c.Value
		}
	}
	for _, a := range t.ReplicaAssignment {
		spec.Assignments = append(spec.Assignments, metadata.Assignment{Partition: a.Partition, Replicas: a.Replicas})
	}
	return spec
}

func (b *Broker) fillCreated(out *kmsg.CreateTopicsResponseTopic, result metadata.TopicResult) {
	if result.Err != nil {
		out.ErrorCode, out.ErrorMessage = code(result.Err), message(result.Err)
		return
	}
	t := result.Topic
	out.TopicID, out.NumPartitions = t.ID, int32(len(t.Partitions))
	if len(t.Partitions) > 0 {
		out.ReplicationFactor = int16(len(t.Partitions[0].Replicas))
	}
	entries, err := b.cfg.Quorum.DescribeConfigs(b.cfg.Quorum.Image(), metadata.Resource{Type: metadata.TopicResource, Name: t.Name}, nil)
	if err != nil {
		return // deleted at once, or only validated: there is nothing to describe
	}
	for _, c := range entries {
		out.Configs = append(out.Configs, kmsg.CreateTopicsResponseTopicConfig{Name: c.Name, Value: c.Value, ReadOnly: c.ReadOnly, Source: int8(c.Source)})
	}
}
