package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joining is one JoinGroup request on its way.
type joining struct {
	token     uint64
	client    Client
	req       *kmsg.JoinGroupRequest
	response  *kmsg.JoinGroupResponse
	protocols []protocol
}

// knownIDVersion is the first JoinGroup version whose clients come back with the member id they are given (KIP-394); skipAssignmentVersion the
// first whose leader understands that it must not assign again (KIP-814).
const (
	knownIDVersion        = 4
	skipAssignmentVersion = 9
)

func (m *Machine) joinGroup(token uint64, client Client, req *kmsg.JoinGroupRequest) {
	j := &joining{
		token: token, client: client, req: req,
		response:  req.ResponseKind().(*kmsg.JoinGroupResponse),
		protocols: protocolsOf(req),
	}
	if code := m.checkJoin(j); code != noError {
		m.refuseJoin(j, code, req.MemberID)
		return
	}
	g := m.groups[req.Group]
	if g == nil {
		if req.MemberID != "" {
			m.refuseJoin(j, unknownMemberID, req.MemberID)
			return
		}
		if g = m.create(req.Group); g == nil {
			m.refuseJoin(j, policyViolation, req.MemberID)
			return
		}
	}
	g.staged = nil
	m.joinIn(g, j)
	m.dropIfUnused(g)
}

func (m *Machine) checkJoin(j *joining) int16 {
	session := time.Duration(j.req.SessionTimeoutMillis) * time.Millisecond
	size := 0
	for _, p := range j.protocols {
		size += len(p.name) + len(p.metadata)
	}
	switch {
	case j.req.Group == "":
		return invalidGroupID
	case session < m.cfg.MinSessionTimeout || session > m.cfg.MaxSessionTimeout:
		return invalidSessionTimeout
	case size > m.cfg.MaxMemberMetadataBytes || len(j.protocols) > maxProtocols:
		return invalidRequest
	case j.req.InstanceID != nil && len(*j.req.InstanceID) > maxInstanceIDBytes:
		return invalidRequest
	}
	return noError
}

func (m *Machine) joinIn(g *group, j *joining) {
	id, instance := j.req.MemberID, j.req.InstanceID
	former := id // who this member was so far
	if instance != nil && id == "" {
		former = g.instances[*instance]
	}
	_, known := g.members[former]
	_, pending := g.pending[id]
	switch {
	case !known && !pending && len(g.members)+len(g.pending) >= m.cfg.MaxMembers:
		m.refuseJoin(j, groupMaxSizeReached, id)
	case !g.supports(j.req.ProtocolType, j.protocols, former):
		m.refuseJoin(j, inconsistentGroupProtocol, id)
	case id == "":
		m.joinNew(g, j, former)
	case pending && instance == nil:
		m.dropPending(g, id)
		m.addMember(g, id, j)
	default:
		m.joinAgain(g, j)
	}
}

// joinNew is a join without member id: of a static member that may have been here before, or of somebody new.
func (m *Machine) joinNew(g *group, j *joining, former string) {
	instance := j.req.InstanceID
	if instance != nil {
		id := m.cfg.NewMemberID(*instance)
		if old, ok := g.members[former]; ok {
			m.replaceStatic(g, old, id, j)
		} else {
			m.addMember(g, id, j)
		}
		return
	}
	id := m.cfg.NewMemberID(j.client.ID)
	if j.req.Version < knownIDVersion {
		m.addMember(g, id, j)
		return
	}
	// A client that gives up here would otherwise leave a member behind that delays the next rebalance (KIP-394).
	t := newTimer(func() { m.pendingTimeout(g, id) })
	g.pending[id] = t
	m.timers.arm(t, m.now+time.Duration(j.req.SessionTimeoutMillis)*time.Millisecond)
	m.refuseJoin(j, memberIDRequired, id)
}

// joinAgain is a join of somebody who claims to be a member.
func (m *Machine) joinAgain(g *group, j *joining) {
	id := j.req.MemberID
	if code := g.check(id, j.req.InstanceID); code != noError {
		m.refuseJoin(j, code, id)
		return
	}
	mem := g.members[id]
	same := mem.sameProtocols(j.protocols)
	switch {
	case g.state == CompletingRebalance && same:
		// It may not have got the answer to its join.
	case g.state == Stable && same && g.leader != id:
		// A follower has nothing to say that it did not say before; the leader rejoins when it wants a new assignment.
	default:
		m.updateMember(mem, j)
		m.parkJoin(mem, j)
		m.rebalance(g)
		return
	}
	m.fillJoin(j.response, mem)
	m.reply(j.token, j.response)
	m.touch(mem)
}

func (m *Machine) addMember(g *group, id string, j *joining) {
	g.joined++
	mem := &member{group: g, id: id, instance: j.req.InstanceID, order: g.joined, isNew: true}
	mem.session = newTimer(func() { m.sessionTimeout(mem) })
	m.updateMember(mem, j)
	if len(g.members) == 0 {
		g.protocolType = j.req.ProtocolType
	}
	g.members[id] = mem
	if mem.instance != nil {
		g.instances[*mem.instance] = id
	}
	if g.leader == "" {
		g.leader = id
	}
	g.arrived = true
	m.parkJoin(mem, j)
	m.rebalance(g)
}

func (m *Machine) updateMember(mem *member, j *joining) {
	mem.clientID, mem.clientHost = j.client.ID, j.client.Host
	mem.protocols = j.protocols
	mem.sessionTimeout = time.Duration(j.req.SessionTimeoutMillis) * time.Millisecond
	mem.rebalanceTimeout = time.Duration(j.req.RebalanceTimeoutMillis) * time.Millisecond
	if mem.rebalanceTimeout <= 0 { // v0 has none
		mem.rebalanceTimeout = mem.sessionTimeout
	}
}

// replaceStatic gives a static member that comes back a new id and fences the old one (KIP-345). In a Stable group it takes over the old one's
// place and assignment without a rebalance, unless it changes what the assignment rests on.
//
// Kafka looks only at the protocol's name here, so a member that comes back with other topics does not get them till the next rebalance. We
// look at the topics, too.
func (m *Machine) replaceStatic(g *group, old *member, id string, j *joining) {
	mem := &member{group: g, id: id, instance: old.instance, order: old.order, assignment: old.assignment, synced: old.synced}
	mem.session = newTimer(func() { m.sessionTimeout(mem) })
	m.updateMember(mem, j)
	wasLeader := g.leader == old.id
	metadata, _ := old.metadata(g.protocol)
	renewed, speaks := mem.metadata(g.protocol)
	quiet := g.state == Stable && speaks && g.sameWish(metadata, renewed)

	g.members[old.id] = mem // as if it had come, to see what the group would choose
	quiet = quiet && g.vote() == g.protocol
	g.members[old.id] = old
	if quiet {
		m.renameStatic(g, old, mem, j, wasLeader)
		return
	}
	m.fence(old)
	m.remove(old)
	g.members[id] = mem
	g.instances[*mem.instance] = id
	if wasLeader {
		g.leader = id
	}
	m.parkJoin(mem, j)
	m.rebalance(g)
}

// renameStatic stores the new id and answers with the generation that is. The old id stays a member till the record is applied.
func (m *Machine) renameStatic(g *group, old, mem *member, j *joining, wasLeader bool) {
	mem.synced = true // it needs no sync to keep the group, but may ask for its assignment
	g.staged = mem
	leader := g.leader
	if wasLeader {
		leader = mem.id
	}
	members := g.sorted()
	for i := range members {
		if members[i] == old {
			members[i] = mem
		}
	}
	m.append(metadataRecord(g, g.generation, leader, g.since, members))
	m.fence(old)

	m.fillHead(j.response, g, mem.id)
	j.response.LeaderID = leader
	if wasLeader {
		if j.req.Version >= skipAssignmentVersion {
			j.response.SkipAssignment = true
			j.response.Members = joinMembers(g, members)
		} else {
			j.response.LeaderID = old.id // so that it does not take itself for the leader and assign anew
		}
	}
	m.reply(j.token, j.response)
}

// fillJoin is the answer to a join once the generation is known. Only the leader learns of the others.
func (m *Machine) fillJoin(response *kmsg.JoinGroupResponse, mem *member) {
	g := mem.group
	m.fillHead(response, g, mem.id)
	if g.leader == mem.id {
		response.Members = joinMembers(g, g.sorted())
	}
}

func (m *Machine) fillHead(response *kmsg.JoinGroupResponse, g *group, id string) {
	protocolType, protocol := g.protocolType, g.protocol
	response.Generation = g.generation
	response.ProtocolType, response.Protocol = &protocolType, &protocol
	response.LeaderID, response.MemberID = g.leader, id
}

func joinMembers(g *group, members []*member) []kmsg.JoinGroupResponseMember {
	list := make([]kmsg.JoinGroupResponseMember, 0, len(members))
	for _, mem := range members {
		out := kmsg.NewJoinGroupResponseMember()
		out.MemberID, out.InstanceID = mem.id, mem.instance
		out.ProtocolMetadata, _ = mem.metadata(g.protocol)
		list = append(list, out)
	}
	return list
}

func (m *Machine) refuseJoin(j *joining, code int16, id string) {
	j.response.ErrorCode, j.response.Generation, j.response.MemberID = code, -1, id
	m.reply(j.token, j.response)
}
