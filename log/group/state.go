package group

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is where a classic group stands between two generations.
type State int

const (
	Empty               State = iota // no members; offsets perhaps
	PreparingRebalance               // members are to join; those that did are parked
	CompletingRebalance              // the new generation is known, its leader's assignment is not
	Stable                           // every member has its assignment
)

// stateDead is what a group that does not exist is described as.
const stateDead = "Dead"

// String is Kafka's name of the state.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	default:
		return "Stable"
	}
}

// consumerProtocolType is the protocol type of consumers: the only one whose metadata the machine looks into.
const consumerProtocolType = "consumer"

// group is one classic group with its offsets.
//
// Durable, changed by Apply only: stored, offsets, and for Empty and Stable all of generation, protocol, leader, members and assignments.
// Volatile: whatever is different while a rebalance is under way, pending members, parked requests, timers. After a restart the group stands at its last
// Empty or Stable state.
type group struct {
	name   string
	state  State
	since  int64 // wall clock in ms when state began, as stored
	stored bool  // the log has a metadata record of it

	protocolType string // "" if it never had members
	generation   int32  // never falls while the group exists
	protocol     string // chosen for this generation; "" in Empty
	leader       string // "" only without members

	members   map[string]*member // len(members) == 0 exactly in Empty
	instances map[string]string  // instance id → member id; each a member
	pending   map[string]*timer  // member ids that were given out and have not joined yet (KIP-394)
	joined    uint64             // how many members were ever added: their order
	staged    *member            // a static member's new incarnation till its record is applied

	offsets map[topicPartition]offset

	joinTimer *timer        // set in PreparingRebalance only: members that did not join by then are out
	syncTimer *timer        // set while members have joined but not synced
	initial   bool          // this rebalance began in Empty and runs on the initial delay
	arrived   bool          // a member came since the last part of the initial delay began
	delayLeft time.Duration // by how much the initial delay may still be extended
}

type topicPartition struct {
	topic     string
	partition int32
}

// offset is a committed offset.
type offset struct {
	offset      int64
	leaderEpoch int32
	metadata    string
	committed   int64     // wall clock in ms
	topicID     uuid.UUID // zero: unknown
	record      int64     // offset of the record in the offsets topic: the highest one counts
}

type member struct {
	group      *group
	id         string
	instance   *string // static member (KIP-345)
	clientID   string
	clientHost string
	order      uint64

	rebalanceTimeout time.Duration
	sessionTimeout   time.Duration
	protocols        []protocol // by preference; after a restart only the chosen one
	assignment       []byte     // of the last generation that became Stable

	isNew   bool        // has not finished its first join
	synced  bool        // has asked for this generation's assignment
	join    *parkedJoin // at most one of join and sync is set
	sync    *parkedSync
	session *timer // not set while parked: its connection shows that it lives
}

type protocol struct {
	name     string
	metadata []byte
}

type parkedJoin struct {
	token    uint64
	response *kmsg.JoinGroupResponse
}

type parkedSync struct {
	token    uint64
	response *kmsg.SyncGroupResponse
}

func newGroup(name string) *group {
	return &group{
		name:      name,
		members:   map[string]*member{},
		instances: map[string]string{},
		pending:   map[string]*timer{},
		offsets:   map[topicPartition]offset{},
	}
}

// sorted lists the members in the order in which they came.
func (g *group) sorted() []*member {
	members := make([]*member, 0, len(g.members))
	for _, mem := range g.members {
		members = append(members, mem)
	}
	slices.SortFunc(members, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	return members
}

func (g *group) sortedOffsets() []topicPartition {
	keys := make([]topicPartition, 0, len(g.offsets))
	for key := range g.offsets {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, topicPartition.compare)
	return keys
}

func (a topicPartition) compare(b topicPartition) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// rebalanceTimeout is how long members have to join: as long as the most patient one allows.
func (g *group) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, mem := range g.members {
		longest = max(longest, mem.rebalanceTimeout)
	}
	return longest
}

func (g *group) allJoined() bool {
	for _, mem := range g.members {
		if mem.join == nil {
			return false
		}
	}
	return true
}

func (g *group) allSynced() bool {
	for _, mem := range g.members {
		if !mem.synced {
			return false
		}
	}
	return true
}

// check is the error for a request in the name of a member: fenced if its instance id now belongs to another one.
func (g *group) check(id string, instance *string) int16 {
	if instance != nil {
		current, ok := g.instances[*instance]
		switch {
		case !ok:
			return unknownMemberID
		case current != id:
			return fencedInstanceID
		}
		return noError
	}
	if _, ok := g.members[id]; !ok {
		return unknownMemberID
	}
	return noError
}

// metadata is what the member says under a protocol; nil if it does not speak it.
func (mem *member) metadata(name string) ([]byte, bool) {
	for _, p := range mem.protocols {
		if p.name == name {
			return p.metadata, true
		}
	}
	return nil, false
}

// sameProtocols tells whether the member joins with what it joined with before.
func (mem *member) sameProtocols(protocols []protocol) bool {
	return slices.EqualFunc(mem.protocols, protocols, func(a, b protocol) bool {
		return a.name == b.name && string(a.metadata) == string(b.metadata)
	})
}
