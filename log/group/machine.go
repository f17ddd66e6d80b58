package group

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Machine holds every group of one partition of the offsets topic. See doc.go.
type Machine struct {
	cfg     Config
	groups  map[string]*group
	parked  map[uint64]*member // by token; the member's join or sync has it
	timers  timers
	sweep   *timer // looks for expired offsets
	now     time.Duration
	started bool    // false while loading: timers count from the first call that knows the time
	out     Effects // of the call under way
}

// New returns a machine without groups, to be loaded with Apply.
func New(cfg Config) *Machine {
	m := &Machine{cfg: cfg.withDefaults(), groups: map[string]*group{}, parked: map[uint64]*member{}}
	m.sweep = newTimer(m.expireOffsets)
	return m
}

// Handle takes a request. The reply is in these effects or, for a join or a sync that has to wait, in those of a later call.
func (m *Machine) Handle(now time.Duration, token uint64, client Client, req kmsg.Request) Effects {
	m.begin(now)
	switch r := req.(type) {
	case *kmsg.JoinGroupRequest:
		m.joinGroup(token, client, r)
	case *kmsg.SyncGroupRequest:
		m.syncGroup(token, r)
	case *kmsg.HeartbeatRequest:
		m.heartbeat(token, r)
	case *kmsg.LeaveGroupRequest:
		m.leaveGroup(token, r)
	case *kmsg.OffsetCommitRequest:
		m.commitOffsets(token, r)
	case *kmsg.OffsetFetchRequest:
		m.fetchOffsets(token, r)
	case *kmsg.OffsetDeleteRequest:
		m.deleteOffsets(token, r)
	case *kmsg.DescribeGroupsRequest:
		m.describeGroups(token, r)
	case *kmsg.ListGroupsRequest:
		m.listGroups(token, r)
	case *kmsg.DeleteGroupsRequest:
		m.deleteGroups(token, r)
	default:
		panic("BUG: no group API: " + kmsg.NameForKey(req.Key()))
	}
	return m.end()
}

// Tick fires the timers that are due. It stops early once one wants records appended, since the next may depend on them; NextTick then says now.
func (m *Machine) Tick(now time.Duration) Effects {
	m.begin(now)
	for range maxFiredPerTick {
		if len(m.out.Records) > 0 {
			break
		}
		t := m.timers.due(now)
		if t == nil {
			break
		}
		t.fire()
	}
	return m.end()
}

// NextTick is when the next timer is due.
func (m *Machine) NextTick() (time.Duration, bool) { return m.timers.next() }

// Cancel forgets a parked join or sync, because the connection is gone or its reply went down with a failed append. The member stays: it has its
// session timeout to come back. A join that was cancelled does not count as joined.
func (m *Machine) Cancel(now time.Duration, token uint64) Effects {
	m.begin(now)
	if mem, ok := m.parked[token]; ok {
		if mem.sync != nil {
			mem.synced = false // it did not get its assignment
		}
		m.unpark(mem, token)
		m.touch(mem)
	}
	return m.end()
}

// TopicDeleted drops the offsets of a topic. Those of another topic that has or had the same name stay.
func (m *Machine) TopicDeleted(now time.Duration, id uuid.UUID, name string) Effects {
	m.begin(now)
	for _, g := range m.sortedGroups() {
		for _, key := range g.sortedOffsets() {
			stored := g.offsets[key].topicID
			if key.topic == name && (stored == id || stored == uuid.UUID{}) {
				m.append(offsetTombstone(g.name, key))
			}
		}
	}
	return m.end()
}

// Unload answers NOT_COORDINATOR to every parked join and sync. The machine is not to be used any more.
func (m *Machine) Unload() Effects {
	tokens := make([]uint64, 0, len(m.parked))
	for token := range m.parked {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		mem := m.parked[token]
		if mem.join != nil && mem.join.token == token {
			m.refuseParkedJoin(mem, notCoordinator)
		} else {
			m.refuseParkedSync(mem, notCoordinator)
		}
	}
	return m.end()
}

// begin notes the time. The first call ends the loading: sessions of loaded members start now.
func (m *Machine) begin(now time.Duration) {
	m.now = now
	if m.started {
		return
	}
	m.started = true
	for _, g := range m.sortedGroups() {
		for _, mem := range g.sorted() {
			m.touch(mem)
		}
	}
	m.timers.arm(m.sweep, now+m.cfg.RetentionCheck)
}

func (m *Machine) end() Effects {
	out := m.out
	m.out = Effects{}
	return out
}

func (m *Machine) append(r Record) { m.out.Records = append(m.out.Records, r) }

func (m *Machine) reply(token uint64, response kmsg.Response) {
	m.out.Replies = append(m.out.Replies, Reply{Token: token, Response: response})
}

// wallMillis is the wall clock in ms since 1970.
func (m *Machine) wallMillis() int64 {
	if m.cfg.Now == nil {
		return m.now.Milliseconds()
	}
	return m.cfg.Now().UnixMilli()
}

func (m *Machine) sortedGroups() []*group {
	groups := make([]*group, 0, len(m.groups))
	for _, g := range m.groups {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return groups
}

// create returns the group, new if need be; nil when there are too many.
func (m *Machine) create(name string) *group {
	if g, ok := m.groups[name]; ok {
		return g
	}
	if len(m.groups) >= m.cfg.MaxGroups {
		return nil
	}
	return m.insert(name)
}

func (m *Machine) insert(name string) *group {
	g := newGroup(name)
	g.joinTimer = newTimer(func() { m.joinTimeout(g) })
	g.syncTimer = newTimer(func() { m.syncTimeout(g) })
	m.groups[name] = g
	return g
}

// dropIfUnused forgets a group of which nothing is left.
func (m *Machine) dropIfUnused(g *group) {
	if g.stored || len(g.members) > 0 || len(g.pending) > 0 || len(g.offsets) > 0 {
		return
	}
	if g.joinTimer.set() || g.syncTimer.set() {
		panic(fmt.Sprintf("BUG: group %q has timers but no members", g.name))
	}
	delete(m.groups, g.name)
}
