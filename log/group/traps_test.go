package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinAs is a join with Kafka's usual fields.
func joinAs(version int16, id string, change ...func(*kmsg.JoinGroupRequest)) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.ProtocolType = version, "g", id, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 10_000, 60_000
	q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: consumerMetadata("orders")}}
	for _, c := range change {
		c(q)
	}
	return q
}

func protocols(names ...string) func(*kmsg.JoinGroupRequest) {
	return func(q *kmsg.JoinGroupRequest) {
		q.Protocols = nil
		for _, name := range names {
			q.Protocols = append(q.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: []byte(name)})
		}
	}
}

func syncAs(id string, generation int32, shares ...string) *kmsg.SyncGroupRequest {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Version, q.Group, q.MemberID, q.Generation = 5, "g", id, generation
	for _, share := range shares {
		who, what, _ := strings.Cut(share, "=")
		q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: who, MemberAssignment: []byte(what)})
	}
	return q
}

func commitAs(id string, generation int32, offset int64) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation = 9, "g", id, generation
	q.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
	return q
}

func (r *rig) wantCode(got, want int16) {
	r.t.Helper()
	if got != want {
		r.t.Fatalf("got %s, want %s\n%s", codeNames[got], codeNames[want], dump(r.m))
	}
}

// stable makes a Stable group of generation 1 with one member, a-1.
func stable(r *rig) {
	r.t.Helper()
	r.wantCode(ask[*kmsg.JoinGroupResponse](r, "a", joinAs(3, "")).ErrorCode, noError)
	r.wantCode(ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", 1, "a-1=p0")).ErrorCode, noError)
}

func commitCode(r *rig, id string, generation int32) int16 {
	r.t.Helper()
	return ask[*kmsg.OffsetCommitResponse](r, "a", commitAs(id, generation, 1)).Topics[0].Partitions[0].ErrorCode
}

// TestKIP394MemberIDRequired: a join without member id makes nobody a member from v4 on; the id is good for one session timeout.
func TestKIP394MemberIDRequired(t *testing.T) {
	r := newRig(t)
	first := ask[*kmsg.JoinGroupResponse](r, "a", joinAs(4, ""))
	r.wantCode(first.ErrorCode, memberIDRequired)
	if len(r.m.groups["g"].members) != 0 {
		t.Fatal("the first join made a member")
	}
	r.advance(10 * time.Second)
	if len(r.m.groups) != 0 {
		t.Fatal("an id that was not used is remembered")
	}
	r.wantCode(ask[*kmsg.JoinGroupResponse](r, "a", joinAs(4, first.MemberID)).ErrorCode, unknownMemberID)
	again := ask[*kmsg.JoinGroupResponse](r, "a", joinAs(4, ""))
	r.wantCode(ask[*kmsg.JoinGroupResponse](r, "a", joinAs(4, again.MemberID)).ErrorCode, noError)
}

// TestPendingMemberLeaves: a rebalance waits for a member id that was given out, but not after its client gave up.
func TestPendingMemberLeaves(t *testing.T) {
	r := newRig(t)
	stable(r)
	pending := ask[*kmsg.JoinGroupResponse](r, "b", joinAs(9, "")).MemberID
	rejoin := r.send("a", joinAs(9, "a-1"))
	if !r.parked(rejoin) {
		t.Fatal("the rebalance did not wait for the pending member")
	}
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Version, q.Group, q.MemberID = 1, "g", pending
	r.wantCode(ask[*kmsg.LeaveGroupResponse](r, "b", q).ErrorCode, noError)
	take[*kmsg.JoinGroupResponse](r, rejoin)
}

// TestG01OffsetOrder: the record with the higher offset in the log counts, whatever the order of arrival; a tombstone for what is not there is none.
func TestG01OffsetOrder(t *testing.T) {
	m := New(Config{NewMemberID: func(string) string { return "" }})
	key := topicPartition{"orders", 0}
	apply := func(r Record, at int64) {
		t.Helper()
		if err := m.Apply(r, at); err != nil {
			t.Fatal(err)
		}
	}
	apply(offsetTombstone("g", key), 1)
	apply(metadataTombstone("g"), 2)
	if len(m.groups) != 0 {
		t.Fatal("tombstones made a group")
	}
	apply(offsetRecord("g", key, offset{offset: 7}), 10)
	apply(offsetRecord("g", key, offset{offset: 5}), 9)
	apply(offsetTombstone("g", key), 8)
	if got := m.groups["g"].offsets[key].offset; got != 7 {
		t.Fatalf("offset is %d after older records, want 7", got)
	}
	apply(offsetTombstone("g", key), 11)
	if len(m.groups) != 0 {
		t.Fatal("the group outlived its last record")
	}
}

// TestG04OneGenerationOwns: what a member says of an old generation counts for nothing, and between two generations nobody owns anything.
func TestG04OneGenerationOwns(t *testing.T) {
	r := newRig(t)
	stable(r)
	r.send("b", joinAs(3, ""))
	r.wantCode(commitCode(r, "a-1", 1), noError) // it still owns generation 1
	rejoin := r.send("a", joinAs(9, "a-1"))
	take[*kmsg.JoinGroupResponse](r, rejoin)
	r.wantCode(commitCode(r, "a-1", 1), illegalGeneration)
	r.wantCode(commitCode(r, "a-1", 2), rebalanceInProgress)
	r.wantCode(ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", 1, "a-1=p0-p1")).ErrorCode, illegalGeneration)
	r.wantCode(ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", 2, "a-1=p0", "b-2=p1")).ErrorCode, noError)
	r.wantCode(commitCode(r, "b-2", 2), noError)
	r.wantCode(commitCode(r, "b-2", 1), illegalGeneration)
	r.wantCode(commitCode(r, "", -1), unknownMemberID)
	r.wantCode(commitCode(r, "stranger", 2), unknownMemberID)
	// A second assignment for the generation changes nothing.
	again := ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", 2, "a-1=everything"))
	if string(again.MemberAssignment) != "p0" {
		t.Fatalf("the assignment became %q", again.MemberAssignment)
	}
}

// TestG07NoExpiryWhenWishesAreUnknown: a group of consumers whose metadata cannot be read keeps its offsets (the rebalancing group is in testdata/scripts/expiry.txt).
func TestG07NoExpiryWhenWishesAreUnknown(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Retention = time.Hour })
	q := joinAs(3, "", protocols("garbage"))
	q.SessionTimeoutMillis = 1_800_000
	r.wantCode(ask[*kmsg.JoinGroupResponse](r, "a", q).ErrorCode, noError)
	r.wantCode(ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", 1)).ErrorCode, noError)
	r.wantCode(commitCode(r, "a-1", 1), noError)
	for range 5 {
		r.advance(25 * time.Minute)
		r.wantCode(commitCode(r, "a-1", 2), illegalGeneration) // not a heartbeat
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID, beat.Generation = "g", "a-1", 1
		r.wantCode(ask[*kmsg.HeartbeatResponse](r, "a", beat).ErrorCode, noError)
	}
	if len(r.m.groups["g"].offsets) != 1 {
		t.Fatal("the offset expired")
	}
}

// TestProtocolVotes: the protocol that all speak and most prefer wins; who speaks none of them is refused.
func TestProtocolVotes(t *testing.T) {
	r := newRig(t, func(c *Config) { c.InitialRebalanceDelay = time.Second })
	first := r.send("a", joinAs(3, "", protocols("sticky", "range", "only-a")))
	r.send("b", joinAs(3, "", protocols("range", "sticky")))
	r.send("c", joinAs(3, "", protocols("range", "sticky")))
	refused := func(q *kmsg.JoinGroupRequest) {
		t.Helper()
		r.wantCode(ask[*kmsg.JoinGroupResponse](r, "d", q).ErrorCode, inconsistentGroupProtocol)
	}
	refused(joinAs(3, "", protocols("only-a")))
	refused(joinAs(3, "", protocols()))
	refused(joinAs(3, "", func(q *kmsg.JoinGroupRequest) { q.ProtocolType = "connect" }))
	refused(joinAs(3, "", func(q *kmsg.JoinGroupRequest) { q.ProtocolType = "" }))
	r.advance(time.Minute)
	if got := *take[*kmsg.JoinGroupResponse](r, first).Protocol; got != "range" {
		t.Fatalf("chose %q, want range", got)
	}
}

// TestLimits: each limit holds at the limit and refuses one above.
func TestLimits(t *testing.T) {
	const members = 3
	r := newRig(t, func(c *Config) { c.MaxMembers, c.MaxGroups, c.MaxOffsets = members, 2, 2 })
	var tokens []uint64
	for range members {
		tokens = append(tokens, r.send("a", joinAs(3, "")))
		r.send("a", joinAs(9, "a-1")) // so that the group goes on
	}
	if r.wantCode(ask[*kmsg.JoinGroupResponse](r, "b", joinAs(9, "")).ErrorCode, groupMaxSizeReached); len(tokens) != members {
		t.Fatal("BUG")
	}
	code := func(change func(*kmsg.JoinGroupRequest)) int16 {
		return ask[*kmsg.JoinGroupResponse](r, "a", joinAs(9, "", change)).ErrorCode
	}
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "" }), invalidGroupID)
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 5999 }), invalidSessionTimeout)
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 1_800_001 }), invalidSessionTimeout)
	size := DefaultMaxMemberMetadataBytes - len("range")
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "h"; q.Protocols[0].Metadata = make([]byte, size) }), memberIDRequired)
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "h"; q.Protocols[0].Metadata = make([]byte, size+1) }), invalidRequest)
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "i" }), policyViolation)
	many := make([]string, maxProtocols+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "h"; protocols(many...)(q) }), invalidRequest)
	r.wantCode(code(func(q *kmsg.JoinGroupRequest) { q.Group = "h"; protocols(many[1:]...)(q) }), memberIDRequired)

	commit := commitAs("", -1, 1)
	commit.Group = "h"
	commit.Topics[0].Partitions = append(commit.Topics[0].Partitions, commit.Topics[0].Partitions[0], commit.Topics[0].Partitions[0])
	for i := range commit.Topics[0].Partitions {
		commit.Topics[0].Partitions[i].Partition = int32(i)
	}
	answers := ask[*kmsg.OffsetCommitResponse](r, "a", commit).Topics[0].Partitions
	r.wantCode(answers[1].ErrorCode, noError)
	r.wantCode(answers[2].ErrorCode, policyViolation)
	commit.Group = "i"
	r.wantCode(ask[*kmsg.OffsetCommitResponse](r, "a", commit).Topics[0].Partitions[0].ErrorCode, policyViolation)
}

// TestSplitMerge: a request about several groups comes apart and together again; ListGroups goes everywhere.
func TestSplitMerge(t *testing.T) {
	r := newRig(t)
	stable(r)
	q := kmsg.NewPtrDescribeGroupsRequest()
	q.Version, q.Groups = 5, []string{"g", "none"}
	var responses []kmsg.Response
	for i, part := range Split(q) {
		if part.Group != q.Groups[i] {
			t.Fatalf("part %d is of %q", i, part.Group)
		}
		responses = append(responses, ask[kmsg.Response](r, "a", part.Request))
	}
	got := Merge(q, responses).(*kmsg.DescribeGroupsResponse)
	if len(got.Groups) != 2 || got.Groups[0].State != "Stable" || got.Groups[1].State != "Dead" || got.Version != 5 {
		t.Fatalf("merged %+v", got)
	}
	if parts := Split(kmsg.NewPtrListGroupsRequest()); parts != nil {
		t.Fatalf("ListGroups has parts %v", parts)
	}
	if parts := Split(joinAs(9, "")); len(parts) != 1 || parts[0].Group != "g" {
		t.Fatalf("a join has parts %v", parts)
	}
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Version = 8
	if got := Merge(fetch, nil).(*kmsg.OffsetFetchResponse); len(got.Groups) != 0 || got.Version != 8 {
		t.Fatalf("merged nothing to %+v", got)
	}
}

// TestErrorResponse: the code stands where each API and version has it.
func TestErrorResponse(t *testing.T) {
	commit := ErrorResponse(commitAs("", -1, 1), notCoordinator).(*kmsg.OffsetCommitResponse)
	if commit.Topics[0].Topic != "orders" || commit.Topics[0].Partitions[0].ErrorCode != notCoordinator {
		t.Errorf("commit: %+v", commit)
	}
	for version := int16(1); version <= 10; version++ {
		q := kmsg.NewPtrOffsetFetchRequest()
		q.Version = version
		q.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
		r := ErrorResponse(q, notCoordinator).(*kmsg.OffsetFetchResponse)
		code := r.ErrorCode
		switch {
		case version >= 8:
			code = r.Groups[0].ErrorCode
		case version < 2:
			code = r.Topics[0].Partitions[0].ErrorCode
		}
		if code != notCoordinator {
			t.Errorf("fetch v%d: %+v", version, r)
		}
	}
	if r := ErrorResponse(joinAs(9, "x"), notCoordinator).(*kmsg.JoinGroupResponse); r.ErrorCode != notCoordinator || r.Generation != -1 || r.MemberID != "x" {
		t.Errorf("join: %+v", r)
	}
}

// TestLoadTakesTheNewestSubscription: a member that changed its protocol or its topics between two records is loaded with the later ones.
func TestLoadTakesTheNewestSubscription(t *testing.T) {
	r := newRig(t)
	stable(r)
	for generation, change := range []func(*kmsg.JoinGroupRequest){
		protocols("sticky"),
		func(q *kmsg.JoinGroupRequest) { q.Protocols[0].Name = "sticky" },
		func(q *kmsg.JoinGroupRequest) { q.Protocols[0].Metadata = consumerMetadata("payments") },
	} {
		r.wantCode(ask[*kmsg.JoinGroupResponse](r, "a", joinAs(9, "a-1", change)).ErrorCode, noError)
		r.wantCode(ask[*kmsg.SyncGroupResponse](r, "a", syncAs("a-1", int32(generation)+2, "a-1=p0")).ErrorCode, noError)
	}
	r.restart()
	if topics, known := r.m.groups["g"].subscribed(); !known || !topics["payments"] || len(topics) != 1 {
		t.Fatalf("subscribed to %v, %v after the restart", topics, known)
	}
}
