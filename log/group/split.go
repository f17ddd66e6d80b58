package group

import "github.com/twmb/franz-go/pkg/kmsg"

// Part is the share of a request that concerns one group.
type Part struct {
	Group   string
	Request kmsg.Request
}

// Split cuts a request into the parts that may belong to different partitions of the offsets topic: one per group, in order. A request about one group is its own
// part. A group that is named again is passed over, as in Kafka: an answer may be a thousand times as long as the name. ListGroups concerns every partition and has no parts: submit it to each. Merge puts the responses together.
func Split(req kmsg.Request) []Part {
	switch r := req.(type) {
	case *kmsg.DescribeGroupsRequest:
		return splitEach(r.Groups, func(name string) Part {
			part := *r
			part.Groups = []string{name}
			return Part{Group: name, Request: &part}
		})
	case *kmsg.DeleteGroupsRequest:
		return splitEach(r.Groups, func(name string) Part {
			part := *r
			part.Groups = []string{name}
			return Part{Group: name, Request: &part}
		})
	case *kmsg.OffsetFetchRequest:
		if r.Version < 8 {
			return []Part{{Group: r.Group, Request: r}}
		}
		return splitEach(r.Groups, func(g kmsg.OffsetFetchRequestGroup) Part {
			part := *r
			part.Groups = []kmsg.OffsetFetchRequestGroup{g}
			return Part{Group: g.Group, Request: &part}
		})
	case *kmsg.ListGroupsRequest:
		return nil
	}
	return []Part{{Group: groupOf(req), Request: req}}
}

func splitEach[T any](items []T, part func(T) Part) []Part {
	parts := make([]Part, 0, len(items))
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		if p := part(item); !seen[p.Group] {
			seen[p.Group] = true
			parts = append(parts, p)
		}
	}
	return parts
}

func groupOf(req kmsg.Request) string {
	switch r := req.(type) {
	case *kmsg.JoinGroupRequest:
		return r.Group
	case *kmsg.SyncGroupRequest:
		return r.Group
	case *kmsg.HeartbeatRequest:
		return r.Group
	case *kmsg.LeaveGroupRequest:
		return r.Group
	case *kmsg.OffsetCommitRequest:
		return r.Group
	case *kmsg.OffsetDeleteRequest:
		return r.Group
	}
	panic("BUG: no group API: " + kmsg.NameForKey(req.Key()))
}

// Merge makes the response to req of those to its parts, in the order of Split (of those of all partitions for ListGroups). It may use their slices.
// Without parts it is an empty response.
func Merge(req kmsg.Request, responses []kmsg.Response) kmsg.Response {
	merged := req.ResponseKind()
	switch to := merged.(type) {
	case *kmsg.DescribeGroupsResponse:
		for _, r := range responses {
			to.Groups = append(to.Groups, r.(*kmsg.DescribeGroupsResponse).Groups...)
		}
	case *kmsg.DeleteGroupsResponse:
		for _, r := range responses {
			to.Groups = append(to.Groups, r.(*kmsg.DeleteGroupsResponse).Groups...)
		}
	case *kmsg.ListGroupsResponse:
		for _, r := range responses {
			from := r.(*kmsg.ListGroupsResponse)
			to.Groups = append(to.Groups, from.Groups...)
			if to.ErrorCode == noError {
				to.ErrorCode = from.ErrorCode
			}
		}
	case *kmsg.OffsetFetchResponse:
		if to.Version < 8 {
			return responses[0]
		}
		for _, r := range responses {
			to.Groups = append(to.Groups, r.(*kmsg.OffsetFetchResponse).Groups...)
		}
	default:
		return responses[0]
	}
	return merged
}
