package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// classicType is the type of the groups that this machine knows, in ListGroups v5.
const classicType = "classic"

// notFoundVersion is the first DescribeGroups version with an error for a group that does not exist (KIP-1043).
const notFoundVersion = 6

func (m *Machine) describeGroups(token uint64, req *kmsg.DescribeGroupsRequest) {
	response := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, name := range req.Groups {
		response.Groups = append(response.Groups, m.describe(name, req.Version))
	}
	m.reply(token, response)
}

func (m *Machine) describe(name string, version int16) kmsg.DescribeGroupsResponseGroup {
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.Group = name
	g := m.groups[name]
	if g == nil {
		out.State = stateDead
		if version >= notFoundVersion {
			message := fmt.Sprintf("Group %s not found.", name)
			out.ErrorCode, out.ErrorMessage = groupIDNotFound, &message
		}
		return out
	}
	out.State, out.ProtocolType = g.state.String(), g.protocolType
	if g.state == Stable {
		out.Protocol = g.protocol
	}
	for _, mem := range g.sorted() {
		d := kmsg.NewDescribeGroupsResponseGroupMember()
		d.MemberID, d.InstanceID, d.ClientID, d.ClientHost = mem.id, mem.instance, mem.clientID, mem.clientHost
		if g.state == Stable { // else it is about to change
			d.ProtocolMetadata, _ = mem.metadata(g.protocol)
			d.MemberAssignment = mem.assignment
		}
		out.Members = append(out.Members, d)
	}
	return out
}

func (m *Machine) listGroups(token uint64, req *kmsg.ListGroupsRequest) {
	response := req.ResponseKind().(*kmsg.ListGroupsResponse)
	for _, g := range m.sortedGroups() {
		if !selects(req.StatesFilter, g.state.String()) || !selects(req.TypesFilter, classicType) {
			continue
		}
		out := kmsg.NewListGroupsResponseGroup()
		out.Group, out.ProtocolType = g.name, g.protocolType
		out.GroupState, out.GroupType = g.state.String(), classicType
		response.Groups = append(response.Groups, out)
	}
	m.reply(token, response)
}

// selects tells whether the filter lets a value through: an empty one lets all; letter case does not matter.
func selects(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}

func (m *Machine) deleteGroups(token uint64, req *kmsg.DeleteGroupsRequest) {
	response := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, name := range req.Groups {
		out := kmsg.NewDeleteGroupsResponseGroup()
		out.Group, out.ErrorCode = name, m.deleteGroup(m.groups[name])
		response.Groups = append(response.Groups, out)
	}
	m.reply(token, response)
}

func (m *Machine) deleteGroup(g *group) int16 {
	switch {
	case g == nil:
		return groupIDNotFound
	case g.state != Empty:
		return nonEmptyGroup
	}
	for _, key := range g.sortedOffsets() {
		m.append(offsetTombstone(g.name, key))
	}
	if g.stored {
		m.append(metadataTombstone(g.name))
	}
	return noError
}
