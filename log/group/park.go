package group

// touch starts the session of a member anew. A parked member has none, but its first join may not be parked for ever.
func (m *Machine) touch(mem *member) {
	switch {
	case !m.started:
	case mem.join != nil && mem.isNew:
		m.timers.arm(mem.session, m.now+newMemberJoinTimeout)
	case mem.join != nil || mem.sync != nil:
		m.timers.stop(mem.session)
	default:
		m.timers.arm(mem.session, m.now+mem.sessionTimeout)
	}
}

// parkJoin keeps a join till the generation begins. An older one of the same member, on a connection that the client has left, is sent away.
func (m *Machine) parkJoin(mem *member, j *joining) {
	m.refuseParkedJoin(mem, rebalanceInProgress)
	m.refuseParkedSync(mem, rebalanceInProgress)
	mem.join = &parkedJoin{token: j.token, response: j.response}
	m.parked[j.token] = mem
	m.touch(mem)
}

func (m *Machine) parkSync(mem *member, p *parkedSync) {
	m.refuseParkedSync(mem, rebalanceInProgress)
	mem.sync = p
	m.parked[p.token] = mem
	m.touch(mem)
}

// unpark forgets a token without answering it.
func (m *Machine) unpark(mem *member, token uint64) {
	delete(m.parked, token)
	if mem.join != nil && mem.join.token == token {
		mem.join = nil
	}
	if mem.sync != nil && mem.sync.token == token {
		mem.sync = nil
	}
}

// refuseParkedJoin answers the member's parked join, if there is one, with an error. The session runs again.
func (m *Machine) refuseParkedJoin(mem *member, code int16) {
	join := mem.join
	if join == nil {
		return
	}
	join.response.ErrorCode, join.response.Generation, join.response.MemberID = code, -1, mem.id
	m.reply(join.token, join.response)
	m.unpark(mem, join.token)
	m.touch(mem)
}

func (m *Machine) refuseParkedSync(mem *member, code int16) {
	sync := mem.sync
	if sync == nil {
		return
	}
	sync.response.ErrorCode, sync.response.MemberAssignment = code, []byte{}
	m.reply(sync.token, sync.response)
	m.unpark(mem, sync.token)
	m.touch(mem)
}
