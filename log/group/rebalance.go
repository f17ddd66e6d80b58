package group

import "math"

// rebalance takes up that a member came, changed or left.
func (m *Machine) rebalance(g *group) {
	if g.state == PreparingRebalance {
		m.maybeCompleteJoin(g)
		return
	}
	for _, mem := range g.sorted() {
		m.refuseParkedSync(mem, rebalanceInProgress)
	}
	m.timers.stop(g.syncTimer)
	g.initial = g.state == Empty
	m.enter(g, PreparingRebalance)
	switch {
	case !g.initial:
		if !m.maybeCompleteJoin(g) {
			m.timers.arm(g.joinTimer, m.now+g.rebalanceTimeout())
		}
	case m.cfg.InitialRebalanceDelay > 0:
		g.arrived = false
		g.delayLeft = max(g.rebalanceTimeout()-m.cfg.InitialRebalanceDelay, 0)
		m.timers.arm(g.joinTimer, m.now+m.cfg.InitialRebalanceDelay)
	default:
		m.completeJoin(g)
	}
}

func (m *Machine) enter(g *group, s State) {
	g.state, g.since = s, m.wallMillis()
}

// maybeCompleteJoin ends the join phase once nobody is missing, neither a member nor somebody who was given a member id.
func (m *Machine) maybeCompleteJoin(g *group) bool {
	if g.state != PreparingRebalance || g.initial || len(g.pending) > 0 || !g.allJoined() {
		return false
	}
	m.completeJoin(g)
	return true
}

// joinTimeout ends the join phase, or extends the initial delay as long as members keep coming.
func (m *Machine) joinTimeout(g *group) {
	if g.initial && g.arrived && g.delayLeft > 0 {
		wait := min(m.cfg.InitialRebalanceDelay, g.delayLeft)
		g.arrived = false
		g.delayLeft -= wait
		m.timers.arm(g.joinTimer, m.now+wait)
		return
	}
	m.completeJoin(g)
}

// completeJoin begins a new generation with the members that joined. Static members that did not stay in: their session decides (KIP-345).
func (m *Machine) completeJoin(g *group) {
	var late []*member
	joined := 0
	for _, mem := range g.sorted() {
		switch {
		case mem.join != nil:
			joined++
		case mem.instance == nil:
			late = append(late, mem)
		}
	}
	if len(late) == len(g.members) {
		m.empty(g)
		m.timers.arm(g.joinTimer, m.now+retryDelay) // the record stops it
		return
	}
	for _, mem := range late {
		m.remove(mem)
	}
	if joined == 0 { // wait for the sessions of the static members to end
		m.timers.arm(g.joinTimer, m.now+g.rebalanceTimeout())
		return
	}
	members := g.sorted()
	m.electJoined(g, members)
	m.timers.stop(g.joinTimer)
	g.initial = false
	g.generation = nextGeneration(g.generation)
	g.protocol = g.vote()
	m.enter(g, CompletingRebalance)
	for _, mem := range members {
		mem.isNew, mem.synced = false, false
	}
	for _, mem := range members {
		if join := mem.join; join != nil {
			m.fillJoin(join.response, mem)
			m.reply(join.token, join.response)
			m.unpark(mem, join.token)
		}
		m.touch(mem)
	}
	m.timers.arm(g.syncTimer, m.now+g.rebalanceTimeout())
}

// electJoined makes sure that the leader is there to assign.
func (m *Machine) electJoined(g *group, members []*member) {
	if leader, ok := g.members[g.leader]; ok && leader.join != nil {
		return
	}
	for _, mem := range members {
		if mem.join != nil {
			g.leader = mem.id
			return
		}
	}
}

func nextGeneration(n int32) int32 {
	if n == math.MaxInt32 {
		return 1
	}
	return n + 1
}

// empty stores that the group has no members any more. They stay in it till the record is applied, so that nothing is lost if it cannot be appended.
func (m *Machine) empty(g *group) {
	m.append(metadataRecord(g, nextGeneration(g.generation), "", m.wallMillis(), nil))
}

// syncTimeout throws out the members that joined this generation and never asked for their assignment (KAFKA-12890).
func (m *Machine) syncTimeout(g *group) {
	var late []*member
	for _, mem := range g.sorted() {
		if !mem.synced {
			late = append(late, mem)
		}
	}
	if len(late) > 0 {
		m.timers.arm(g.syncTimer, m.now+retryDelay) // both ways out stop it
		m.removeAll(g, late)
	}
}

// sessionTimeout throws out a member that was not heard of.
func (m *Machine) sessionTimeout(mem *member) {
	m.timers.arm(mem.session, m.now+retryDelay) // whatever removes it stops it
	m.removeAll(mem.group, []*member{mem})
}

// removeAll takes members out, tells their parked requests and rebalances the rest. If nobody is left, the record will take them out.
func (m *Machine) removeAll(g *group, members []*member) {
	for _, mem := range members {
		m.refuseParkedJoin(mem, unknownMemberID)
		m.refuseParkedSync(mem, unknownMemberID)
	}
	if len(members) == len(g.members) {
		m.empty(g)
		return
	}
	for _, mem := range members {
		m.remove(mem)
	}
	m.rebalance(g)
}

// remove takes a member out whose requests are answered. Somebody else becomes leader; who, is decided again when they have joined.
func (m *Machine) remove(mem *member) {
	g := mem.group
	m.forget(mem)
	delete(g.members, mem.id)
	if mem.instance != nil && g.instances[*mem.instance] == mem.id {
		delete(g.instances, *mem.instance)
	}
	if g.leader != mem.id {
		return
	}
	g.leader = ""
	if rest := g.sorted(); len(rest) > 0 {
		g.leader = rest[0].id
	}
}

// forget drops what would lead back to a member: its tokens and its timer.
func (m *Machine) forget(mem *member) {
	if mem.join != nil {
		m.unpark(mem, mem.join.token)
	}
	if mem.sync != nil {
		m.unpark(mem, mem.sync.token)
	}
	m.timers.stop(mem.session)
}

// fence answers the parked requests of a static member's old incarnation.
func (m *Machine) fence(mem *member) {
	m.refuseParkedJoin(mem, fencedInstanceID)
	m.refuseParkedSync(mem, fencedInstanceID)
}

// dropPending forgets a member id that was given out.
func (m *Machine) dropPending(g *group, id string) {
	m.timers.stop(g.pending[id])
	delete(g.pending, id)
}

func (m *Machine) pendingTimeout(g *group, id string) {
	m.dropPending(g, id)
	m.maybeCompleteJoin(g)
	m.dropIfUnused(g)
}
