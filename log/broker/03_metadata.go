package broker

import (
	"cmp"
	"context"
	"math"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// Metadata (3), v0 to v13.
//
//	v0: an empty topic list means all; from v1 null means all, empty none · v4 auto-creation only when asked · v10 topic ids · v12 by id with a
//	null name · v13 a top-level error, never set
//
// Authorized operations are never computed: math.MinInt32, as when they are not asked for.
func (b *Broker) metadata(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.MetadataRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	if b.mayCreate(req) {
		// The creation waits for the quorum's disk, so it must not hold up the reading side of the connection.
		return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
			b.createNamed(ctx, req)
			b.fillMetadata(r, req, resp)
			return ready(resp)
		}}, nil
	}
	b.fillMetadata(r, req, resp)
	return ready(resp)
}

// mayCreate says whether a topic that the request names is missing and may be made.
func (b *Broker) mayCreate(req *kmsg.MetadataRequest) bool {
	image := b.cfg.Quorum.Image()
	if req.Version >= 4 && !req.AllowAutoTopicCreation || !b.cfg.Quorum.NodeConfig(image).AutoCreateTopics {
		return false
	}
	for _, t := range req.Topics {
		if t.Topic != nil && t.TopicID == noTopicID {
			if _, ok := image.Topic(*t.Topic); !ok {
				return true
			}
		}
	}
	return false
}

// createNamed makes the missing topics; what fails shows in the reply as an unknown or invalid topic.
func (b *Broker) createNamed(ctx context.Context, req *kmsg.MetadataRequest) {
	image := b.cfg.Quorum.Image()
	var specs []metadata.TopicSpec
	seen := make(map[string]bool)
	for _, t := range req.Topics {
		if t.Topic == nil || t.TopicID != noTopicID || seen[*t.Topic] || len(specs) == metadata.MaxTopicsPerRequest {
			continue
		}
		seen[*t.Topic] = true
		if _, ok := image.Topic(*t.Topic); !ok && b.mayMake(*t.Topic, 1) == nil {
			specs = append(specs, metadata.TopicSpec{Name: *t.Topic, Partitions: metadata.UseDefault, ReplicationFactor: metadata.UseDefault})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, maxAdminWait)
	defer cancel()
	failed, first := 0, error(nil)
	for _, result := range b.cfg.Quorum.CreateTopics(ctx, specs, false) {
		if result.Err != nil {
			failed, first = failed+1, cmp.Or(first, result.Err)
		}
	}
	if failed > 0 { // one line, whatever the client has made up
		b.log.Warn("cannot create topics on request", "failed", failed, "asked", len(specs), "err", first)
	}
}

func (b *Broker) fillMetadata(r *wire.Request, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	image := b.cfg.Quorum.Image()
	cluster := image.ClusterID()
	resp.ClusterID, resp.ControllerID, resp.AuthorizedOperations = &cluster, image.Controller(), math.MinInt32
	for _, broker := range image.Brokers() {
		if broker.Fenced {
			continue
		}
		out := kmsg.NewMetadataResponseBroker()
		out.NodeID = broker.ID
		out.Host, out.Port = advertised(r, broker)
		resp.Brokers = append(resp.Brokers, out)
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for t := range image.Topics() {
			resp.Topics = append(resp.Topics, b.topicMetadata(t))
		}
		return
	}
	// A topic that is named again is passed over, as in Kafka: the answer for one of many partitions is some thousand times as long as its name.
	seen := make(map[topicRef]bool, len(req.Topics))
	for _, in := range req.Topics {
		ref := topicRef{id: in.TopicID}
		if in.Topic != nil {
			ref.name = *in.Topic
		}
		if !seen[ref] {
			seen[ref] = true
			resp.Topics = append(resp.Topics, b.namedTopic(image, in))
		}
	}
}

// namedTopic answers for one topic of the request, by id or by name.
func (b *Broker) namedTopic(image *metadata.Image, in kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.AuthorizedOperations = math.MinInt32
	id := uuid.UUID(in.TopicID)
	switch {
	case id != noTopicID:
		if t, ok := image.TopicByID(id); ok {
			return b.topicMetadata(t)
		}
		out.TopicID, out.ErrorCode = in.TopicID, kerr.UnknownTopicID.Code
	case in.Topic == nil:
		out.ErrorCode = kerr.InvalidRequest.Code
	default:
		if t, ok := image.Topic(*in.Topic); ok {
			return b.topicMetadata(t)
		}
		out.Topic, out.ErrorCode = in.Topic, kerr.UnknownTopicOrPartition.Code
		if metadata.CheckTopicName(*in.Topic) != nil {
			out.ErrorCode = kerr.InvalidTopicException.Code
		}
	}
	return out
}

func (b *Broker) topicMetadata(t *metadata.Topic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	name := t.Name
	out.Topic, out.TopicID, out.IsInternal, out.AuthorizedOperations = &name, t.ID, t.Internal, math.MinInt32
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		part := &out.Partitions[i]
		part.Default()
		part.Partition, part.Leader, part.LeaderEpoch = p.Index, p.Leader, p.LeaderEpoch
		part.Replicas, part.ISR = p.Replicas, p.ISR
		if p.Leader == b.cfg.NodeID && !b.leaders.online(partition.ID{Topic: t.ID, Partition: p.Index}) {
			part.Leader, part.OfflineReplicas, part.ErrorCode = -1, []int32{p.Leader}, kerr.LeaderNotAvailable.Code
		}
	}
	return out
}

// advertised is the address of a broker on the listener that the client came in by.
func advertised(r *wire.Request, broker metadata.Broker) (host string, port int32) {
	for _, e := range broker.Endpoints {
		if e.Name == r.Conn.Listener().Name {
			return e.Host, e.Port
		}
	}
	if len(broker.Endpoints) > 0 {
		return broker.Endpoints[0].Host, broker.Endpoints[0].Port
	}
	return "", -1
}
