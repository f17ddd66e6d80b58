package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/replica"
)

// leader is the leader of partition 0.
func (r *rig) leader(topic string) *replica.Leader {
	r.t.Helper()
	t, ok := r.quorum.Image().Topic(topic)
	if !ok {
		r.t.Fatalf("no topic %s", topic)
	}
	l, err := r.broker.leaders.get(partition.ID{Topic: t.ID})
	r.must(err)
	return l
}

// epoch is the leader epoch of partition 0, by metadata.
func (r *rig) epoch(topic string) int32 {
	r.t.Helper()
	t, ok := r.quorum.Image().Topic(topic)
	if !ok {
		r.t.Fatalf("no topic %s", topic)
	}
	return t.Partitions[0].LeaderEpoch
}

func (r *rig) deleteBefore(topic string, offset int64) {
	r.t.Helper()
	_, err := r.leader(topic).Log().DeleteBefore(offset)
	r.must(err)
}

// coordinator finds the group's coordinator; the offsets topic is made by it.
func (c *conn) coordinator(group string) kmsg.FindCoordinatorResponse {
	c.t.Helper()
	req := versioned(kmsg.NewPtrFindCoordinatorRequest(), 3)
	req.CoordinatorKey = group
	resp := ask[*kmsg.FindCoordinatorResponse](c, req)
	want(c.t, "the coordinator of "+group, resp.ErrorCode, nil)
	return *resp
}
