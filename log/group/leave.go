package group

import "github.com/twmb/franz-go/pkg/kmsg"

// batchLeaveVersion is the first LeaveGroup version with a list of members (KIP-345).
const batchLeaveVersion = 3

func (m *Machine) leaveGroup(token uint64, req *kmsg.LeaveGroupRequest) {
	response := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	g := m.groups[req.Group]
	switch {
	case req.Group == "":
		response.ErrorCode = invalidGroupID
	case req.Version < batchLeaveVersion:
		response.ErrorCode = m.leave(g, []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}})[0]
	default:
		codes := m.leave(g, req.Members)
		for i, asked := range req.Members {
			answer := kmsg.NewLeaveGroupResponseMember()
			answer.MemberID, answer.InstanceID, answer.ErrorCode = asked.MemberID, asked.InstanceID, codes[i]
			response.Members = append(response.Members, answer)
		}
	}
	m.reply(token, response)
}

// leave takes members out, all at once, and tells of each how it went. An admin may name static members without their member id.
func (m *Machine) leave(g *group, asked []kmsg.LeaveGroupRequestMember) []int16 {
	codes := make([]int16, len(asked))
	if g == nil {
		for i := range codes {
			codes[i] = unknownMemberID
		}
		return codes
	}
	var leaving []*member
	taken := map[string]bool{}
	for i, a := range asked {
		id := a.MemberID
		if a.InstanceID != nil && id == "" {
			id = g.instances[*a.InstanceID]
		}
		_, pending := g.pending[id]
		switch {
		case pending && a.InstanceID == nil:
			m.dropPending(g, id)
		case taken[id]:
			codes[i] = unknownMemberID
		default:
			if codes[i] = g.check(id, a.InstanceID); codes[i] == noError {
				taken[id] = true
				leaving = append(leaving, g.members[id])
			}
		}
	}
	if len(leaving) > 0 {
		m.removeAll(g, leaving)
	} else {
		m.maybeCompleteJoin(g) // it may have waited for one that is no longer pending
	}
	m.dropIfUnused(g)
	return codes
}
