package broker

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinOf asks to join in v3, which hands out member ids at once.
func joinOf(group, memberID string) *kmsg.JoinGroupRequest {
	req := versioned(kmsg.NewPtrJoinGroupRequest(), 3)
	req.Group, req.MemberID, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, memberID, 300_000, 300_000, "consumer"
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte("what the member wants")
	req.Protocols = append(req.Protocols, p)
	return req
}

func (c *conn) heartbeat(group, member string, generation int32) int16 {
	c.t.Helper()
	req := versioned(kmsg.NewPtrHeartbeatRequest(), 4)
	req.Group, req.MemberID, req.Generation = group, member, generation
	return ask[*kmsg.HeartbeatResponse](c, req).ErrorCode
}

func (c *conn) sync(group, member string, generation int32, assignment []byte) *kmsg.SyncGroupResponse {
	c.t.Helper()
	req := versioned(kmsg.NewPtrSyncGroupRequest(), 3)
	req.Group, req.MemberID, req.Generation = group, member, generation
	if assignment != nil {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = member, assignment
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	return ask[*kmsg.SyncGroupResponse](c, req)
}

// A member that is parked in a join holds back nobody else, and what it sent is what the leader sees, although the buffers of the connection have
// been used again.
func TestGroupThroughTheWire(t *testing.T) { synctest.Test(t, testGroupThroughTheWire) }

func testGroupThroughTheWire(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	a, b := r.dial(), r.dial()
	a.coordinator("g")
	a.committed("g", "t") // loaded
	first := ask[*kmsg.JoinGroupResponse](a, joinOf("g", ""))
	want(t, "the first join", first.ErrorCode, nil)
	if first.LeaderID != first.MemberID || len(first.Members) != 1 || string(first.Members[0].ProtocolMetadata) != "what the member wants" {
		t.Fatalf("the first member was told %+v", first)
	}
	got := a.sync("g", first.MemberID, first.Generation, []byte("all of it"))
	if got.ErrorCode != 0 || string(got.MemberAssignment) != "all of it" {
		t.Fatalf("assigned %+v", got)
	}
	want(t, "a heartbeat", a.heartbeat("g", first.MemberID, first.Generation), nil)
	describe := versioned(kmsg.NewPtrDescribeGroupsRequest(), 5)
	describe.Groups = []string{"g"}
	kept := ask[*kmsg.DescribeGroupsResponse](a, describe).Groups[0].Members[0]
	if string(kept.ProtocolMetadata) != "what the member wants" || string(kept.MemberAssignment) != "all of it" {
		t.Errorf("kept were %q and %q", kept.ProtocolMetadata, kept.MemberAssignment)
	}

	join := joinOf("g", "")
	parked := b.send(join)
	synctest.Wait()
	want(t, "a heartbeat while another joins", a.heartbeat("g", first.MemberID, first.Generation), kerr.RebalanceInProgress)
	again := ask[*kmsg.JoinGroupResponse](a, joinOf("g", first.MemberID))
	second := b.receive(parked, join).(*kmsg.JoinGroupResponse)
	if again.Generation != first.Generation+1 || second.Generation != again.Generation || len(again.Members) != 2 || len(second.Members) != 0 {
		t.Errorf("after the rebalance: %+v and %+v", again, second)
	}
	want(t, "the old generation", a.heartbeat("g", first.MemberID, first.Generation), kerr.IllegalGeneration)
	want(t, "a simple commit into a group with members", ask[*kmsg.OffsetCommitResponse](a, commitOf(9, "g", "t", id, 5)).Topics[0].Partitions[0].ErrorCode, kerr.UnknownMemberID)
}

// A client that is gone frees its parked join: the connection's end reaches the coordinator.
func TestGroupJoinEndsWithItsConnection(t *testing.T) { synctest.Test(t, testGroupJoinEnds) }

func testGroupJoinEnds(t *testing.T) {
	r := newRig(t, nil)
	a := r.dial()
	a.coordinator("g")
	a.committed("g", "t")
	first := ask[*kmsg.JoinGroupResponse](a, joinOf("g", ""))
	want(t, "the first join", first.ErrorCode, nil)
	a.sync("g", first.MemberID, first.Generation, []byte("x"))
	for range 5 {
		b := r.dial()
		b.send(joinOf("g", ""))
		synctest.Wait()
		b.Close()
		synctest.Wait()
	}
	if n := r.server.Stats().Connections; n != 1 {
		t.Errorf("%d connections are open, want that of the first member", n)
	}
}

// Without a FindCoordinator there is no offsets topic yet: the client must look for its coordinator first.
func TestGroupRequestsWithoutTheOffsetsTopic(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	c := r.dial()
	want(t, "a commit", ask[*kmsg.OffsetCommitResponse](c, commitOf(9, "g", "t", id, 5)).Topics[0].Partitions[0].ErrorCode, kerr.NotCoordinator)
	list := ask[*kmsg.ListGroupsResponse](c, versioned(kmsg.NewPtrListGroupsRequest(), 5))
	if list.ErrorCode != 0 || len(list.Groups) > 0 {
		t.Errorf("a list of groups: %+v", list)
	}
}

// What a group committed of a topic goes with the topic: one made again under its name starts anew.
func TestDeletedTopicTakesItsOffsets(t *testing.T) {
	r := newRig(t, nil)
	old := r.topic("t", 1, nil)
	c := r.dial()
	c.coordinator("g")
	c.commit("g", "t", old, 7)
	r.deleteTopic(old)
	r.topic("t", 1, nil)
	await(t, "the offset is gone", func() bool { return c.committed("g", "t") == -1 })
	r.kill()
	r.start()
	if got := r.dial().committed("g", "t"); got != -1 {
		t.Errorf("offset %d came back", got)
	}
}
