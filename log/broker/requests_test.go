package broker

import (
	"errors"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadataFor(version int16, names ...string) *kmsg.MetadataRequest {
	req := versioned(kmsg.NewPtrMetadataRequest(), version)
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}

func epochEndOf(version int16, topic string, epoch int32) *kmsg.OffsetForLeaderEpochRequest {
	req := versioned(kmsg.NewPtrOffsetForLeaderEpochRequest(), version)
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.CurrentLeaderEpoch, p.LeaderEpoch = -1, epoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// commitOf is a simple commit: no member, no generation.
func commitOf(version int16, group, topic string, id uuid.UUID, offset int64) *kmsg.OffsetCommitRequest {
	req := versioned(kmsg.NewPtrOffsetCommitRequest(), version)
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// commit waits until the coordinator has loaded the group.
func (c *conn) commit(group, topic string, id uuid.UUID, offset int64) {
	c.t.Helper()
	await(c.t, "the group is loaded", func() bool {
		code := ask[*kmsg.OffsetCommitResponse](c, commitOf(9, group, topic, id, offset)).Topics[0].Partitions[0].ErrorCode
		if code != 0 && code != kerr.CoordinatorLoadInProgress.Code {
			c.t.Fatalf("cannot commit: %v", kerr.ErrorForCode(code))
		}
		return code == 0
	})
}

func committedOf(version int16, group, topic string, id uuid.UUID) *kmsg.OffsetFetchRequest {
	req := versioned(kmsg.NewPtrOffsetFetchRequest(), version)
	req.Group = group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, t)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = topic, id, []int32{0}
	g.Topics = append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	return req
}

// committedIn is the one offset of a reply of any version.
func committedIn(resp *kmsg.OffsetFetchResponse) (int64, error) {
	code, partition := resp.ErrorCode, kmsg.OffsetFetchResponseTopicPartition{}
	if len(resp.Topics) > 0 {
		partition = resp.Topics[0].Partitions[0]
	}
	if resp.Version >= 8 {
		code = resp.Groups[0].ErrorCode
		if len(resp.Groups[0].Topics) > 0 {
			p := resp.Groups[0].Topics[0].Partitions[0]
			partition.Offset, partition.ErrorCode = p.Offset, p.ErrorCode
		}
	}
	return partition.Offset, errors.Join(kerr.ErrorForCode(code), kerr.ErrorForCode(partition.ErrorCode))
}

// committed waits until the coordinator has loaded the group.
func (c *conn) committed(group, topic string) int64 {
	c.t.Helper()
	var offset int64
	await(c.t, "the group is loaded", func() bool {
		var err error
		offset, err = committedIn(ask[*kmsg.OffsetFetchResponse](c, committedOf(8, group, topic, noTopicID)))
		if err != nil && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			c.t.Fatal(err)
		}
		return err == nil
	})
	return offset
}

// creation is a request for topics with one partition each.
func creation(version int16, names ...string) *kmsg.CreateTopicsRequest {
	req := versioned(kmsg.NewPtrCreateTopicsRequest(), version)
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, 1
		req.Topics = append(req.Topics, t)
	}
	return req
}

func withConfig(req *kmsg.CreateTopicsRequest, name, value string) *kmsg.CreateTopicsRequest {
	c := kmsg.NewCreateTopicsRequestTopicConfig()
	c.Name, c.Value = name, &value
	req.Topics[0].Configs = append(req.Topics[0].Configs, c)
	return req
}

func deletionOf(version int16, topic string, offset int64) *kmsg.DeleteRecordsRequest {
	req := versioned(kmsg.NewPtrDeleteRecordsRequest(), version)
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func configsOf(version int16, kind kmsg.ConfigResourceType, name string, keys ...string) *kmsg.DescribeConfigsRequest {
	req := versioned(kmsg.NewPtrDescribeConfigsRequest(), version)
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kind, name, keys
	req.Resources = append(req.Resources, r)
	return req
}

func alteration(version int16, topic string, op kmsg.IncrementalAlterConfigOp, key, value string) *kmsg.IncrementalAlterConfigsRequest {
	req := versioned(kmsg.NewPtrIncrementalAlterConfigsRequest(), version)
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Op, c.Name, c.Value = op, key, &value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	return req
}
