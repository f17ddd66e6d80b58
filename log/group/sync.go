package group

import "github.com/twmb/franz-go/pkg/kmsg"

func (m *Machine) syncGroup(token uint64, req *kmsg.SyncGroupRequest) {
	p := &parkedSync{token: token, response: req.ResponseKind().(*kmsg.SyncGroupResponse)}
	g := m.groups[req.Group]
	if code := m.checkSync(g, req); code != noError {
		p.response.ErrorCode, p.response.MemberAssignment = code, []byte{}
		m.reply(token, p.response)
		return
	}
	mem := g.members[req.MemberID]
	mem.synced = true
	if g.allSynced() && g.state == Stable {
		m.timers.stop(g.syncTimer)
	}
	if g.state == Stable {
		fillSync(p.response, g, mem.assignment)
		m.reply(token, p.response)
		m.touch(mem)
		return
	}
	m.parkSync(mem, p)
	if g.leader == mem.id {
		m.assign(g, req.GroupAssignment)
	}
}

func (m *Machine) checkSync(g *group, req *kmsg.SyncGroupRequest) int16 {
	if req.Group == "" {
		return invalidGroupID
	}
	if g == nil {
		return unknownMemberID
	}
	if code := g.check(req.MemberID, req.InstanceID); code != noError {
		return code
	}
	switch {
	case req.Generation != g.generation:
		return illegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != g.protocolType,
		req.Protocol != nil && *req.Protocol != g.protocol:
		return inconsistentGroupProtocol
	case g.state == PreparingRebalance:
		return rebalanceInProgress
	}
	return noError
}

// assign stores what the leader decided. Whoever is parked gets its share with this; the group becomes Stable when the record is applied. If
// it cannot be appended, the leader and the others join again, find the generation unchanged and repeat this.
func (m *Machine) assign(g *group, assignments []kmsg.SyncGroupRequestGroupAssignment) {
	shares := make(map[string][]byte, len(assignments))
	for _, a := range assignments {
		shares[a.MemberID] = a.MemberAssignment
	}
	members := g.sorted()
	decided := make([]*member, 0, len(members))
	for _, mem := range members {
		will := *mem // the record's view; mem itself changes with the record
		will.assignment = shares[mem.id]
		decided = append(decided, &will)
		if mem.sync != nil {
			fillSync(mem.sync.response, g, will.assignment)
			m.reply(mem.sync.token, mem.sync.response)
		}
	}
	m.append(metadataRecord(g, g.generation, g.leader, m.wallMillis(), decided))
}

func fillSync(response *kmsg.SyncGroupResponse, g *group, assignment []byte) {
	protocolType, protocol := g.protocolType, g.protocol
	response.ProtocolType, response.Protocol = &protocolType, &protocol
	response.MemberAssignment = assignment
	if assignment == nil {
		response.MemberAssignment = []byte{}
	}
}

func (m *Machine) heartbeat(token uint64, req *kmsg.HeartbeatRequest) {
	response := req.ResponseKind().(*kmsg.HeartbeatResponse)
	response.ErrorCode = m.beat(m.groups[req.Group], req)
	m.reply(token, response)
}

func (m *Machine) beat(g *group, req *kmsg.HeartbeatRequest) int16 {
	if req.Group == "" {
		return invalidGroupID
	}
	if g == nil {
		return unknownMemberID
	}
	if code := g.check(req.MemberID, req.InstanceID); code != noError {
		return code
	}
	if req.Generation != g.generation {
		return illegalGeneration
	}
	m.touch(g.members[req.MemberID])
	if g.state == PreparingRebalance {
		return rebalanceInProgress
	}
	return noError
}
