package group

import (
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Machine) fetchOffsets(token uint64, req *kmsg.OffsetFetchRequest) {
	response := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for i := range req.Groups {
			response.Groups = append(response.Groups, m.fetchGroup(req.Version, &req.Groups[i]))
		}
		m.reply(token, response)
		return
	}
	// The old form is the same with one group.
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = req.Group
	if req.Topics != nil || req.Version < 2 {
		group.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic.Topic, topic.Partitions
		group.Topics = append(group.Topics, t)
	}
	for _, topic := range m.fetchGroup(req.Version, &group).Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = partition.Partition, partition.Offset, partition.LeaderEpoch
			p.Metadata, p.ErrorCode = partition.Metadata, partition.ErrorCode
			t.Partitions = append(t.Partitions, p)
		}
		response.Topics = append(response.Topics, t)
	}
	m.reply(token, response)
}

// fetchGroup answers for one group; null topics mean all that it has. There are no transactional commits, so every offset is stable.
func (m *Machine) fetchGroup(version int16, req *kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	response := kmsg.NewOffsetFetchResponseGroup()
	response.Group = req.Group
	g := m.groups[req.Group]
	if req.Topics == nil {
		if g != nil {
			response.Topics = m.fetchAll(version, g)
		}
		return response
	}
	for i := range req.Topics {
		topic := &req.Topics[i]
		resolved, code := m.resolveFetch(version, topic)
		t := kmsg.NewOffsetFetchResponseGroupTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := noOffset(partition)
			p.ErrorCode = code
			if g != nil && code == noError {
				key := topicPartition{resolved.name, partition}
				if o, ok := g.offsets[key]; ok && o.belongsTo(resolved.id) {
					p = foundOffset(partition, o)
				}
			}
			t.Partitions = append(t.Partitions, p)
		}
		response.Topics = append(response.Topics, t)
	}
	return response
}

// fetchAll lists every offset of the group by topic and partition, except those of a former topic with a name that is now another's.
func (m *Machine) fetchAll(version int16, g *group) []kmsg.OffsetFetchResponseGroupTopic {
	var topics []kmsg.OffsetFetchResponseGroupTopic
	for _, key := range g.sortedOffsets() {
		o, id := g.offsets[key], m.currentID(key.topic)
		if !o.belongsTo(id) || version >= topicIDVersion && id == (uuid.UUID{}) {
			continue
		}
		if len(topics) == 0 || topics[len(topics)-1].Topic != key.topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic, t.TopicID = key.topic, id
			topics = append(topics, t)
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, foundOffset(key.partition, o))
	}
	return topics
}

// currentID is the id of the topic that has the name now, zero if it is not known.
func (m *Machine) currentID(name string) uuid.UUID {
	if m.cfg.Topics == nil {
		return uuid.UUID{}
	}
	id, _, _ := m.cfg.Topics.TopicByName(name)
	return id
}

func (m *Machine) resolveFetch(version int16, topic *kmsg.OffsetFetchRequestGroupTopic) (resolvedTopic, int16) {
	if version < topicIDVersion {
		return resolvedTopic{name: topic.Topic, id: m.currentID(topic.Topic)}, noError
	}
	if m.cfg.Topics == nil {
		return resolvedTopic{}, unknownTopicID
	}
	name, ok := m.cfg.Topics.TopicName(topic.TopicID)
	if !ok {
		return resolvedTopic{}, unknownTopicID
	}
	return resolvedTopic{name: name, id: topic.TopicID}, noError
}

// belongsTo tells whether the offset was committed for this topic, as far as is known: not for a former one of the same name.
func (o offset) belongsTo(id uuid.UUID) bool {
	return o.topicID == id || o.topicID == uuid.UUID{} || id == uuid.UUID{}
}

func noOffset(partition int32) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, -1, -1, new(string)
	return p
}

func foundOffset(partition int32, o offset) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := noOffset(partition)
	p.Offset, p.LeaderEpoch, *p.Metadata = o.offset, o.leaderEpoch, o.metadata
	return p
}
