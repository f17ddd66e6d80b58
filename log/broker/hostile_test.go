package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestLongNamesDoNotReachTheLog: a string of a flexible version may say that it is longer than what the records of __consumer_offsets can hold. Written
// with a wrapped length it would be a record that no start can read, and every group of its partition would be gone.
func TestLongNamesDoNotReachTheLog(t *testing.T) {
	long := strings.Repeat("x", 40_000)
	almost := strings.Repeat("y", 32_760)
	commit := func(group, member string) kmsg.Request {
		req := simpleCommit("t", 7)
		req.Group, req.MemberID = group, member
		return req
	}
	join := func(group, instance, protocol string) kmsg.Request {
		req := versioned(kmsg.NewPtrJoinGroupRequest(), 9)
		req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = group, "consumer", 10_000, 10_000
		req.InstanceID = &instance
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = protocol, []byte("m")
		req.Protocols = append(req.Protocols, p)
		return req
	}
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.dial().coordinator("g")
	for name, req := range map[string]kmsg.Request{
		"a group": commit(long, ""), "a group as long as can be": commit(almost, ""), "a member": commit("m", long),
		"an instance": join("i", long, "range"), "an instance as long as can be": join("j", almost, "range"), "a protocol": join("p", "a", long),
	} {
		c := r.dial()
		id := c.send(req)
		if b, err := c.frame(); err == nil { // or it hangs up
			t.Logf("%s: a reply of %d bytes to %d", name, len(b), id)
		}
	}
	for range 2 {
		c := r.dial()
		for _, group := range []string{"a", "b", "c", "d", "e", "f"} {
			c.coordinator(group)
			await(t, "the coordinators serve", func() bool {
				req := simpleCommit("t", 7)
				req.Group = group
				return ask[*kmsg.OffsetCommitResponse](c, req).Topics[0].Partitions[0].ErrorCode == 0
			})
		}
		r.kill()
		r.start()
	}
}

// simpleCommit is a commit of partition 0 of a topic by no member.
func simpleCommit(topic string, offset int64) *kmsg.OffsetCommitRequest {
	req := versioned(kmsg.NewPtrOffsetCommitRequest(), 9)
	req.Group, req.Generation = "g", -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
