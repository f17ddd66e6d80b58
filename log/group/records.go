package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of Kafka's formats in __consumer_offsets. Keys of 0 and 1 are offsets, 2 is a classic group; the others are of group types that this
// machine does not know.
const (
	offsetKeyVersion  int16 = 1
	offsetValueByName int16 = 3 // written when the topic's id is not known
	offsetValueWithID int16 = 4 // Kafka 4.1
	groupKeyVersion   int16 = 2
	groupValueVersion int16 = 3
)

func offsetKey(group string, key topicPartition) []byte {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: key.topic, Partition: key.partition}
	return k.AppendTo(nil)
}

func offsetTombstone(group string, key topicPartition) Record {
	return Record{Key: offsetKey(group, key)}
}

func offsetRecord(group string, key topicPartition, o offset) Record {
	v := kmsg.OffsetCommitValue{
		Version: offsetValueByName,
		Offset:  o.offset, LeaderEpoch: o.leaderEpoch, Metadata: o.metadata, CommitTimestamp: o.committed,
	}
	if o.topicID != (uuid.UUID{}) {
		v.Version, v.TopicID = offsetValueWithID, o.topicID
	}
	return Record{Key: offsetKey(group, key), Value: v.AppendTo(nil)}
}

func metadataKey(group string) []byte {
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return k.AppendTo(nil)
}

func metadataTombstone(group string) Record { return Record{Key: metadataKey(group)} }

// metadataRecord is the group as it is to be from the record on: Stable with these members, or Empty without.
func metadataRecord(g *group, generation int32, leader string, since int64, members []*member) Record {
	v := kmsg.GroupMetadataValue{
		Version:               groupValueVersion,
		ProtocolType:          g.protocolType,
		Generation:            generation,
		CurrentStateTimestamp: since,
	}
	if len(members) > 0 {
		protocol := g.protocol
		v.Protocol, v.Leader = &protocol, &leader
	}
	for _, mem := range members {
		metadata, _ := mem.metadata(g.protocol)
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: mem.id, InstanceID: mem.instance,
			ClientID: mem.clientID, ClientHost: mem.clientHost,
			RebalanceTimeoutMillis: int32(mem.rebalanceTimeout.Milliseconds()),
			SessionTimeoutMillis:   int32(mem.sessionTimeout.Milliseconds()),
			Subscription:           metadata,
			Assignment:             mem.assignment,
		})
	}
	return Record{Key: metadataKey(g.name), Value: v.AppendTo(nil)}
}

// Apply takes a record of the offsets topic into the state, live or while loading: there is no other way in. Records of a group may come in any order,
// a tombstone for what is not there changes nothing, and records of other group types are passed over.
func (m *Machine) Apply(r Record, recordOffset int64) error {
	if len(r.Key) < 2 {
		return fmt.Errorf("cannot decode a record: its key has %d bytes", len(r.Key))
	}
	switch version := int16(binary.BigEndian.Uint16(r.Key)); version {
	case 0, offsetKeyVersion:
		return m.applyOffset(r, recordOffset)
	case groupKeyVersion:
		return m.applyMetadata(r)
	}
	return nil
}

func (m *Machine) applyOffset(r Record, recordOffset int64) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("cannot decode the key of an offset: %w", err)
	}
	key := topicPartition{k.Topic, k.Partition}
	g := m.groups[k.Group]
	if r.Value == nil {
		if g == nil {
			return nil
		}
		if o, ok := g.offsets[key]; ok && o.record < recordOffset {
			delete(g.offsets, key)
		}
		m.dropIfUnused(g)
		return nil
	}
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("cannot decode an offset of group %q: %w", k.Group, err)
	}
	if g == nil {
		g = m.insert(k.Group)
	}
	if o, ok := g.offsets[key]; ok && o.record > recordOffset {
		return nil
	}
	if v.Version < offsetValueByName {
		v.LeaderEpoch = -1 // it had no such field
	}
	g.offsets[key] = offset{
		offset: v.Offset, leaderEpoch: v.LeaderEpoch, metadata: v.Metadata,
		committed: v.CommitTimestamp, topicID: v.TopicID, record: recordOffset,
	}
	return nil
}

func (m *Machine) applyMetadata(r Record) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("cannot decode the key of a group: %w", err)
	}
	g := m.groups[k.Group]
	if r.Value == nil {
		if g != nil {
			m.settle(g, &kmsg.GroupMetadataValue{Generation: g.generation, CurrentStateTimestamp: -1})
			g.stored = false
			m.dropIfUnused(g)
		}
		return nil
	}
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("cannot decode group %q: %w", k.Group, err)
	}
	if g == nil {
		g = m.insert(k.Group)
	}
	m.settle(g, &v)
	return nil
}

// settle makes the group what the record says: Stable, or Empty without members. Of members that were there before, what a record does not hold
// (all their protocols, their timers) stays.
func (m *Machine) settle(g *group, v *kmsg.GroupMetadataValue) {
	before := g.members
	g.members = make(map[string]*member, len(v.Members))
	g.instances = map[string]string{}
	g.stored = true
	g.protocolType, g.generation, g.since = v.ProtocolType, v.Generation, v.CurrentStateTimestamp
	g.protocol, g.leader = "", ""
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	for i := range v.Members {
		m.settleMember(g, before, &v.Members[i])
	}
	for id, mem := range before {
		if g.members[id] != mem {
			m.forget(mem)
		}
	}
	g.staged = nil
	g.initial = false
	m.timers.stop(g.joinTimer)
	g.state = Stable
	if len(g.members) == 0 {
		g.state = Empty
	}
	if g.allSynced() {
		m.timers.stop(g.syncTimer)
	}
}

func (m *Machine) settleMember(g *group, before map[string]*member, v *kmsg.GroupMetadataValueMember) {
	mem := before[v.MemberID]
	if mem == nil && g.staged != nil && g.staged.id == v.MemberID {
		mem = g.staged
	}
	if mem == nil {
		mem = &member{group: g, id: v.MemberID, synced: true}
		mem.session = newTimer(func() { m.sessionTimeout(mem) })
	}
	if metadata, ok := mem.metadata(g.protocol); !ok || !bytes.Equal(metadata, v.Subscription) {
		mem.protocols = []protocol{{name: g.protocol, metadata: v.Subscription}} // while loading: the member joined again since the last record
	}
	g.joined++
	mem.order = g.joined
	mem.instance, mem.clientID, mem.clientHost = v.InstanceID, v.ClientID, v.ClientHost
	mem.rebalanceTimeout = time.Duration(v.RebalanceTimeoutMillis) * time.Millisecond
	mem.sessionTimeout = time.Duration(v.SessionTimeoutMillis) * time.Millisecond
	mem.assignment = v.Assignment
	mem.isNew = false
	g.members[mem.id] = mem
	if mem.instance != nil {
		g.instances[*mem.instance] = mem.id
	}
	parked := mem.join != nil || mem.sync != nil // answered along with the record
	if mem.join != nil {
		m.unpark(mem, mem.join.token)
	}
	if mem.sync != nil {
		m.unpark(mem, mem.sync.token)
	}
	if parked || !mem.session.set() {
		m.touch(mem)
	}
}
