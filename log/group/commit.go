package group

import (
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicIDVersion is the first version of OffsetCommit and OffsetFetch that names topics by id.
const topicIDVersion = 10

func (m *Machine) commitOffsets(token uint64, req *kmsg.OffsetCommitRequest) {
	g := m.groups[req.Group]
	if code := m.checkCommit(g, req); code != noError {
		m.reply(token, ErrorResponse(req, code))
		return
	}
	if g != nil {
		if mem, ok := g.members[req.MemberID]; ok {
			m.touch(mem)
		}
	}
	response := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	now := m.wallMillis()
	fresh := 0 // partitions that the group has no offset of
	for i := range req.Topics {
		topic := &req.Topics[i]
		resolved, code := m.resolveCommit(req.Version, topic)
		answer := kmsg.NewOffsetCommitResponseTopic()
		answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			out := kmsg.NewOffsetCommitResponseTopicPartition()
			out.Partition = p.Partition
			out.ErrorCode = m.commitOffset(g, req.Group, resolved, code, p, now, &fresh)
			answer.Partitions = append(answer.Partitions, out)
		}
		response.Topics = append(response.Topics, answer)
	}
	m.reply(token, response)
}

// resolvedTopic is what the metadata says of a topic in a request.
type resolvedTopic struct {
	name       string
	id         uuid.UUID // zero: not known
	partitions int32     // -1: not known
}

func (m *Machine) resolveCommit(version int16, topic *kmsg.OffsetCommitRequestTopic) (resolvedTopic, int16) {
	name := topic.Topic
	if version >= topicIDVersion {
		if m.cfg.Topics == nil {
			return resolvedTopic{}, unknownTopicID
		}
		var ok bool
		if name, ok = m.cfg.Topics.TopicName(topic.TopicID); !ok {
			return resolvedTopic{}, unknownTopicID
		}
	}
	if m.cfg.Topics == nil {
		return resolvedTopic{name: name, partitions: -1}, noError
	}
	id, partitions, ok := m.cfg.Topics.TopicByName(name)
	if !ok {
		return resolvedTopic{}, unknownTopicOrPartition
	}
	return resolvedTopic{name: name, id: id, partitions: partitions}, noError
}

// commitOffset appends the record of one partition, or says why not.
func (m *Machine) commitOffset(g *group, name string, topic resolvedTopic, code int16, p *kmsg.OffsetCommitRequestTopicPartition, now int64, fresh *int) int16 {
	metadata := ""
	if p.Metadata != nil {
		metadata = *p.Metadata
	}
	switch {
	case code != noError:
		return code
	case p.Partition < 0 || topic.partitions >= 0 && p.Partition >= topic.partitions:
		return unknownTopicOrPartition
	case len(metadata) > m.cfg.MaxOffsetMetadataBytes:
		return offsetMetadataTooLarge
	}
	key := topicPartition{topic.name, p.Partition}
	have := 0
	known := false
	if g != nil {
		have = len(g.offsets)
		_, known = g.offsets[key]
	}
	if !known {
		if have+*fresh >= m.cfg.MaxOffsets {
			return policyViolation
		}
		*fresh++
	}
	m.append(offsetRecord(name, key, offset{
		offset: p.Offset, leaderEpoch: p.LeaderEpoch, metadata: metadata, committed: now, topicID: topic.id,
	}))
	return noError
}

// checkCommit tells whether the sender may commit. Members may while they own something: in Stable, and in PreparingRebalance, where they commit before they
// join. Others may, with generation -1, while the group has no members.
func (m *Machine) checkCommit(g *group, req *kmsg.OffsetCommitRequest) int16 {
	if g == nil {
		if req.Generation >= 0 {
			return illegalGeneration
		}
		if len(m.groups) >= m.cfg.MaxGroups {
			return policyViolation
		}
		return noError
	}
	if req.Generation < 0 && g.state == Empty {
		return noError
	}
	if code := g.check(req.MemberID, req.InstanceID); code != noError {
		return code
	}
	switch {
	case req.Generation != g.generation:
		return illegalGeneration
	case g.state == CompletingRebalance:
		return rebalanceInProgress
	}
	return noError
}

func (m *Machine) deleteOffsets(token uint64, req *kmsg.OffsetDeleteRequest) {
	response := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	g := m.groups[req.Group]
	switch {
	case g == nil:
		response.ErrorCode = groupIDNotFound
	case g.state != Empty && g.protocolType != consumerProtocolType:
		response.ErrorCode = nonEmptyGroup
	default:
		for i := range req.Topics {
			response.Topics = append(response.Topics, m.deleteTopicOffsets(g, &req.Topics[i]))
		}
	}
	m.reply(token, response)
}

func (m *Machine) deleteTopicOffsets(g *group, topic *kmsg.OffsetDeleteRequestTopic) kmsg.OffsetDeleteResponseTopic {
	answer := kmsg.NewOffsetDeleteResponseTopic()
	answer.Topic = topic.Topic
	subscribed := g.state != Empty && g.isSubscribed(topic.Topic)
	for _, p := range topic.Partitions {
		out := kmsg.NewOffsetDeleteResponseTopicPartition()
		out.Partition = p.Partition
		key := topicPartition{topic.Topic, p.Partition}
		if _, ok := g.offsets[key]; subscribed {
			out.ErrorCode = groupSubscribedToTopic
		} else if ok {
			m.append(offsetTombstone(g.name, key))
		}
		answer.Partitions = append(answer.Partitions, out)
	}
	return answer
}
