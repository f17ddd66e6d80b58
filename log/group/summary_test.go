package group

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var codeNames = map[int16]string{
	noError: "ok", unknownTopicOrPartition: "UNKNOWN_TOPIC_OR_PARTITION", offsetMetadataTooLarge: "OFFSET_METADATA_TOO_LARGE",
	notCoordinator: "NOT_COORDINATOR", illegalGeneration: "ILLEGAL_GENERATION", inconsistentGroupProtocol: "INCONSISTENT_GROUP_PROTOCOL",
	invalidGroupID: "INVALID_GROUP_ID", unknownMemberID: "UNKNOWN_MEMBER_ID", invalidSessionTimeout: "INVALID_SESSION_TIMEOUT",
	rebalanceInProgress: "REBALANCE_IN_PROGRESS", invalidRequest: "INVALID_REQUEST", policyViolation: "POLICY_VIOLATION",
	nonEmptyGroup: "NON_EMPTY_GROUP", groupIDNotFound: "GROUP_ID_NOT_FOUND", memberIDRequired: "MEMBER_ID_REQUIRED",
	groupMaxSizeReached: "GROUP_MAX_SIZE_REACHED", fencedInstanceID: "FENCED_INSTANCE_ID", groupSubscribedToTopic: "GROUP_SUBSCRIBED_TO_TOPIC",
	unknownTopicID: "UNKNOWN_TOPIC_ID",
}

// summary is a response in one line.
func summary(response kmsg.Response) string {
	switch r := response.(type) {
	case *kmsg.JoinGroupResponse:
		return joinSummary(r)
	case *kmsg.SyncGroupResponse:
		if r.ErrorCode != noError {
			return codeNames[r.ErrorCode]
		}
		return fmt.Sprintf("assignment %q", r.MemberAssignment)
	case *kmsg.HeartbeatResponse:
		return codeNames[r.ErrorCode]
	case *kmsg.LeaveGroupResponse:
		s := codeNames[r.ErrorCode]
		for _, m := range r.Members {
			s += fmt.Sprintf(" %s%s=%s", m.MemberID, strings.TrimPrefix(text(m.InstanceID), "-"), codeNames[m.ErrorCode])
		}
		return s
	case *kmsg.OffsetCommitResponse:
		return codeNames[r.Topics[0].Partitions[0].ErrorCode]
	case *kmsg.OffsetFetchResponse:
		return fetchSummary(r)
	case *kmsg.DescribeGroupsResponse:
		g := r.Groups[0]
		s := fmt.Sprintf("%s %s type=%q protocol=%q", codeNames[g.ErrorCode], g.State, g.ProtocolType, g.Protocol)
		for _, m := range g.Members {
			s += fmt.Sprintf(" %s(instance %s, client %s%s, %q)", m.MemberID, text(m.InstanceID), m.ClientID, m.ClientHost, m.MemberAssignment)
		}
		return s
	case *kmsg.ListGroupsResponse:
		s := codeNames[r.ErrorCode]
		for _, g := range r.Groups {
			s += fmt.Sprintf(" %s(%s %s %s)", g.Group, g.ProtocolType, g.GroupState, g.GroupType)
		}
		return s
	case *kmsg.DeleteGroupsResponse:
		return codeNames[r.Groups[0].ErrorCode]
	case *kmsg.OffsetDeleteResponse:
		if len(r.Topics) > 0 {
			return codeNames[r.Topics[0].Partitions[0].ErrorCode]
		}
		return codeNames[r.ErrorCode]
	}
	return fmt.Sprintf("%T", response)
}

func joinSummary(r *kmsg.JoinGroupResponse) string {
	if r.ErrorCode != noError {
		return fmt.Sprintf("%s id=%s", codeNames[r.ErrorCode], r.MemberID)
	}
	s := fmt.Sprintf("joined id=%s generation=%d protocol=%s leader=%s", r.MemberID, r.Generation, *r.Protocol, r.LeaderID)
	if r.SkipAssignment {
		s += " skip-assignment"
	}
	var members []string
	for _, m := range r.Members {
		members = append(members, m.MemberID)
	}
	if len(members) > 0 {
		s += fmt.Sprintf(" members=%v", members)
	}
	return s
}

func fetchSummary(r *kmsg.OffsetFetchResponse) string {
	var out []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d: %d %s", t.Topic, p.Partition, p.Offset, codeNames[p.ErrorCode]))
		}
	}
	for _, g := range r.Groups {
		for _, t := range g.Topics {
			name := t.Topic
			if r.Version >= topicIDVersion {
				name = fmt.Sprintf("id %d", t.TopicID[15])
			}
			for _, p := range t.Partitions {
				out = append(out, fmt.Sprintf("%s-%d: %d %s", name, p.Partition, p.Offset, codeNames[p.ErrorCode]))
			}
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// recordSummary decodes a record as Kafka's tools would.
func recordSummary(r Record) string {
	if r.Key[1] == byte(groupKeyVersion) {
		var k kmsg.GroupMetadataKey
		var v kmsg.GroupMetadataValue
		if err := k.ReadFrom(r.Key); err != nil {
			return err.Error()
		}
		if r.Value == nil {
			return fmt.Sprintf("> group %s: tombstone", k.Group)
		}
		if err := v.ReadFrom(r.Value); err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("> group %s v%d: generation=%d protocol=%s leader=%s", k.Group, v.Version, v.Generation, text(v.Protocol), text(v.Leader))
		for _, m := range v.Members {
			s += fmt.Sprintf(" %s=%q", m.MemberID, m.Assignment)
		}
		return s
	}
	var k kmsg.OffsetCommitKey
	var v kmsg.OffsetCommitValue
	if err := k.ReadFrom(r.Key); err != nil {
		return err.Error()
	}
	if r.Value == nil {
		return fmt.Sprintf("> offset %s %s-%d: tombstone", k.Group, k.Topic, k.Partition)
	}
	if err := v.ReadFrom(r.Value); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("> offset %s %s-%d v%d: %d id=%d", k.Group, k.Topic, k.Partition, v.Version, v.Offset, v.TopicID[15])
}
