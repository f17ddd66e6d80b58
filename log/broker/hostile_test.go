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

// TestWhoAsksTwiceIsAnsweredOnce: or a request of a few bytes for each name would be answered with as many times the whole topic, or group.
func TestWhoAsksTwiceIsAnsweredOnce(t *testing.T) {
	const times = 1000
	r := newRig(t, nil)
	id := r.topic("t", 50, nil)
	c := r.dial()
	c.coordinator("g")
	c.commit("g", "t", id, 1)
	name, fresh := "t", "fresh"
	topics := kmsg.NewPtrMetadataRequest()
	configs := kmsg.NewPtrDescribeConfigsRequest()
	groups := kmsg.NewPtrDescribeGroupsRequest()
	commits := kmsg.NewPtrOffsetFetchRequest()
	for range times {
		topics.Topics = append(topics.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		configs.Resources = append(configs.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name})
		groups.Groups = append(groups.Groups, "g")
		commits.Groups = append(commits.Groups, kmsg.OffsetFetchRequestGroup{Group: "g"})
	}
	if n := len(ask[*kmsg.MetadataResponse](c, versioned(topics, 9)).Topics); n != 1 {
		t.Errorf("Metadata: the topic is there %d times", n)
	}
	twice := kmsg.NewPtrMetadataRequest()
	twice.AllowAutoTopicCreation = true
	twice.Topics = []kmsg.MetadataRequestTopic{{Topic: &fresh}, {Topic: &fresh}}
	if made := ask[*kmsg.MetadataResponse](c, versioned(twice, 9)).Topics; len(made) != 1 || made[0].ErrorCode != 0 {
		t.Errorf("Metadata: a topic that is named twice is made as %+v", made)
	}
	if n := len(ask[*kmsg.DescribeConfigsResponse](c, versioned(configs, 4)).Resources); n != 1 {
		t.Errorf("DescribeConfigs: the topic is there %d times", n)
	}
	if n := len(ask[*kmsg.DescribeGroupsResponse](c, versioned(groups, 5)).Groups); n != 1 {
		t.Errorf("DescribeGroups: the group is there %d times", n)
	}
	if n := len(ask[*kmsg.OffsetFetchResponse](c, versioned(commits, 8)).Groups); n != 1 {
		t.Errorf("OffsetFetch: the group is there %d times", n)
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
