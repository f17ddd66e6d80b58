package group

import "github.com/twmb/franz-go/pkg/kmsg"

// Kafka's error codes, as far as groups use them.
const (
	noError                   int16 = 0
	unknownTopicOrPartition   int16 = 3
	offsetMetadataTooLarge    int16 = 12
	notCoordinator            int16 = 16
	illegalGeneration         int16 = 22
	inconsistentGroupProtocol int16 = 23
	invalidGroupID            int16 = 24
	unknownMemberID           int16 = 25
	invalidSessionTimeout     int16 = 26
	rebalanceInProgress       int16 = 27
	invalidRequest            int16 = 42
	policyViolation           int16 = 44
	nonEmptyGroup             int16 = 68
	groupIDNotFound           int16 = 69
	memberIDRequired          int16 = 79
	groupMaxSizeReached       int16 = 81
	fencedInstanceID          int16 = 82
	groupSubscribedToTopic    int16 = 86
	unknownTopicID            int16 = 100
)

// ErrorResponse is the response that says code to everything that req asks. It knows the requests that a Machine handles.
func ErrorResponse(req kmsg.Request, code int16) kmsg.Response {
	response := req.ResponseKind()
	switch r := response.(type) {
	case *kmsg.JoinGroupResponse:
		q := req.(*kmsg.JoinGroupRequest)
		r.ErrorCode, r.Generation, r.MemberID = code, -1, q.MemberID
	case *kmsg.SyncGroupResponse:
		r.ErrorCode, r.MemberAssignment = code, []byte{}
	case *kmsg.HeartbeatResponse:
		r.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode = code
	case *kmsg.OffsetCommitResponse:
		fillCommitError(req.(*kmsg.OffsetCommitRequest), r, code)
	case *kmsg.OffsetFetchResponse:
		fillFetchError(req.(*kmsg.OffsetFetchRequest), r, code)
	case *kmsg.DescribeGroupsResponse:
		for _, name := range req.(*kmsg.DescribeGroupsRequest).Groups {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = name, code
			r.Groups = append(r.Groups, g)
		}
	case *kmsg.ListGroupsResponse:
		r.ErrorCode = code
	case *kmsg.DeleteGroupsResponse:
		for _, name := range req.(*kmsg.DeleteGroupsRequest).Groups {
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode = name, code
			r.Groups = append(r.Groups, g)
		}
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode = code
	default:
		panic("BUG: no group API: " + kmsg.NameForKey(req.Key()))
	}
	return response
}

func fillCommitError(req *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, code int16) {
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, code
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
}

// fillFetchError uses the field that the version has: each partition (v1), the response (v2–7), each group (v8+).
func fillFetchError(req *kmsg.OffsetFetchRequest, r *kmsg.OffsetFetchResponse, code int16) {
	if req.Version >= 8 {
		for _, group := range req.Groups {
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group, g.ErrorCode = group.Group, code
			r.Groups = append(r.Groups, g)
		}
		return
	}
	r.ErrorCode = code
	if req.Version >= 2 {
		return
	}
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = partition, -1, -1, new(string), code
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
}
