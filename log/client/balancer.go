package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Balancer decides, on the member that leads the group, who reads what. All members of a group must name the same protocol.
// Its methods are called on the library's goroutines, one after the other.
type Balancer interface {
	// Protocol is the name under which members find each other, as "millrace-streams".
	Protocol() string
	// Cooperative says that members keep reading through a rebalance what they need not give up (KIP-429). The group then takes
	// two rounds to move a partition: Assign may name the new owner at once, the move is held back until the old one has let go.
	Cooperative() bool
	// Subscription is this member's user data, asked for before each join.
	Subscription() UserData
	// Assign shares out the partitions: it gets every member, ordered by instance id, then member id, and the number of
	// partitions of each topic any member subscribes to (a topic that does not exist is missing), and returns the shares by
	// member id. A member left out gets nothing. A partition shared twice, or that does not exist, fails the rebalance.
	Assign(members []Member, partitions map[string]int32) (map[string]Share, error)
}

// Member is a member of a group as its leader sees it.
type Member struct {
	ID         string
	InstanceID string // "" for a dynamic member
	Topics     []string
	Owned      []TopicPartition // what it says it holds; trust it only if Generation is the highest among those who claim it
	Generation int32            // the one Owned is from; -1 when unknown
	UserData   UserData
}

// Share is what a member gets.
type Share struct {
	Partitions []TopicPartition
	UserData   UserData
}

// UserData is what a balancer says beside Kafka's own fields. On the wire: the version as a big-endian int16, then the bytes;
// the zero UserData is an empty field, as members of other libraries send it.
type UserData struct {
	Version int16
	Bytes   []byte
}

const userDataHead = 2

func (u UserData) encode() []byte {
	if u.Version == 0 && len(u.Bytes) == 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, userDataHead+len(u.Bytes)), uint16(u.Version)), u.Bytes...)
}

func decodeUserData(b []byte) (UserData, error) {
	if len(b) == 0 {
		return UserData{}, nil
	}
	if len(b) < userDataHead {
		return UserData{}, errors.New("cannot read user data: shorter than its version")
	}
	u := UserData{Version: int16(binary.BigEndian.Uint16(b))}
	if len(b) > userDataHead {
		u.Bytes = b[userDataHead:]
	}
	return u, nil
}

// memberMetadataVersion has owned partitions, their generation and the rack (KIP-429, 792, 881).
const memberMetadataVersion = 3

// balancerAdapter speaks Kafka's "consumer" embedded protocol for a Balancer.
type balancerAdapter struct {
	Balancer
	mu       sync.Mutex
	userData UserData // of the last assignment
}

var _ kgo.GroupBalancer = (*balancerAdapter)(nil)

func (a *balancerAdapter) ProtocolName() string { return a.Protocol() }
func (a *balancerAdapter) IsCooperative() bool  { return a.Cooperative() }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (a *balancerAdapter) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = memberMetadataVersion
	meta.Topics = topics
	meta.UserData = a.Subscription().encode()
	meta.Generation = generation
	if a.Cooperative() {
		for _, topic := range slices.Sorted(maps.Keys(owned)) {
			o := kmsg.NewConsumerMemberMetadataOwnedPartition()
			o.Topic, o.Partitions = topic, owned[topic]
			meta.OwnedPartitions = append(meta.OwnedPartitions, o)
		}
	}
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer. Nothing of the answer is used if it is malformed.
func (a *balancerAdapter) ParseSyncAssignment(b []byte) (map[string][]int32, error) {
	share, err := decodeShare(b)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.userData = share.UserData
	return byTopic(share.Partitions), nil
}

func (a *balancerAdapter) lastUserData() UserData {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.userData
}

// MemberBalancer implements kgo.GroupBalancer.
func (a *balancerAdapter) MemberBalancer(joined []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(nil, joined)
	if err != nil {
		return nil, nil, err
	}
	r := &round{balancer: a.Balancer, kafka: cb}
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		var member Member
		member, err = decodeMember(m, meta, err)
		r.members = append(r.members, member)
	})
	if err != nil {
		return nil, nil, err
	}
	return r, cb.MemberTopics(), nil
}

func decodeMember(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata, err error) (Member, error) {
	member := Member{ID: m.MemberID, Topics: meta.Topics, Generation: meta.Generation}
	if m.InstanceID != nil {
		member.InstanceID = *m.InstanceID
	}
	for _, o := range meta.OwnedPartitions {
		for _, p := range o.Partitions {
			member.Owned = append(member.Owned, TopicPartition{o.Topic, p})
		}
	}
	slices.SortFunc(member.Owned, TopicPartition.Compare)
	userData, userErr := decodeUserData(meta.UserData)
	member.UserData = userData
	if err == nil && userErr != nil {
		err = fmt.Errorf("member %s: %w", m.MemberID, userErr)
	}
	return member, err
}

// round is one rebalance on the leader.
type round struct {
	balancer Balancer
	kafka    *kgo.ConsumerBalancer
	members  []Member
}

// Balance implements kgo.GroupMemberBalancer; the library prefers BalanceOrError.
func (r *round) Balance(map[string]int32) kgo.IntoSyncAssignment {
	panic("BUG: Balance called beside BalanceOrError")
}

// BalanceOrError implements kgo.GroupMemberBalancerOrError.
func (r *round) BalanceOrError(partitions map[string]int32) (kgo.IntoSyncAssignment, error) {
	for topic, n := range partitions {
		if n <= 0 {
			delete(partitions, topic) // the library counts a topic it does not know as one without partitions
		}
	}
	shares, err := r.balancer.Assign(slices.Clone(r.members), partitions)
	if err == nil {
		err = checkShares(r.members, partitions, shares)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot balance group with %s: %w", r.balancer.Protocol(), err)
	}
	plan := r.kafka.NewPlan()
	byMember := plan.AsMemberIDMap()
	for id, share := range shares {
		for topic, ps := range byTopic(share.Partitions) {
			byMember[id][topic] = ps
		}
	}
	if r.balancer.Cooperative() {
		plan.AdjustCooperative(r.kafka)
	}
	out := make(assignments, 0, len(r.members))
	for _, m := range r.members {
		out = append(out, assignment{m.ID, Share{Partitions: flatten(byMember[m.ID]), UserData: shares[m.ID].UserData}})
	}
	return out, nil
}

// checkShares guards the group against a balancer's mistake: two owners of one partition would both write its results.
func checkShares(members []Member, partitions map[string]int32, shares map[string]Share) error {
	subscribed := make(map[string][]string)
	for _, m := range members {
		subscribed[m.ID] = m.Topics
	}
	owner := make(map[TopicPartition]string)
	for id, share := range shares {
		topics, ok := subscribed[id]
		if !ok {
			return fmt.Errorf("share for %q, who is not in the group", id)
		}
		for _, tp := range share.Partitions {
			if other, taken := owner[tp]; taken {
				return fmt.Errorf("%s shared to both %s and %s", tp, other, id)
			}
			if tp.Partition < 0 || tp.Partition >= partitions[tp.Topic] {
				return fmt.Errorf("%s shared to %s does not exist", tp, id)
			}
			if !slices.Contains(topics, tp.Topic) {
				return fmt.Errorf("%s shared to %s, who does not subscribe to it", tp, id)
			}
			owner[tp] = id
		}
	}
	return nil
}

type assignment struct {
	member string
	share  Share
}

type assignments []assignment

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (as assignments) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(as))
	for _, a := range as {
		s := kmsg.NewSyncGroupRequestGroupAssignment()
		s.MemberID, s.MemberAssignment = a.member, a.share.encode()
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b kmsg.SyncGroupRequestGroupAssignment) int { return strings.Compare(a.MemberID, b.MemberID) })
	return out
}

func (s Share) encode() []byte {
	a := kmsg.NewConsumerMemberAssignment()
	a.UserData = s.UserData.encode()
	parts := byTopic(s.Partitions)
	for _, topic := range slices.Sorted(maps.Keys(parts)) {
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic, t.Partitions = topic, parts[topic]
		a.Topics = append(a.Topics, t)
	}
	return a.AppendTo(nil)
}

func decodeShare(b []byte) (Share, error) {
	a := kmsg.NewConsumerMemberAssignment()
	if err := a.ReadFrom(b); err != nil {
		return Share{}, fmt.Errorf("cannot read assignment: %w", err)
	}
	userData, err := decodeUserData(a.UserData)
	if err != nil {
		return Share{}, fmt.Errorf("cannot read assignment: %w", err)
	}
	share := Share{UserData: userData}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			share.Partitions = append(share.Partitions, TopicPartition{t.Topic, p})
		}
	}
	slices.SortFunc(share.Partitions, TopicPartition.Compare)
	return share, nil
}
