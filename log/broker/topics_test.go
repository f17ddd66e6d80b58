package broker

import (
	"strings"
	"testing"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (c *conn) createTopics(req *kmsg.CreateTopicsRequest) []kmsg.CreateTopicsResponseTopic {
	c.t.Helper()
	return ask[*kmsg.CreateTopicsResponse](c, req).Topics
}

func TestCreateTopicsRefusals(t *testing.T) {
	r := newRig(t, nil)
	r.topic("there", 1, nil)
	r.topic("a.b", 1, nil)
	c := r.dial()
	with := func(fn func(*kmsg.CreateTopicsRequestTopic)) *kmsg.CreateTopicsRequest {
		req := creation(7, "new")
		fn(&req.Topics[0])
		return req
	}
	assigned := func(replicas ...int32) *kmsg.CreateTopicsRequest {
		return with(func(t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Replicas = replicas
			t.ReplicaAssignment = append(t.ReplicaAssignment, a)
		})
	}
	for _, tc := range []struct {
		name string
		req  *kmsg.CreateTopicsRequest
		code *kerr.Error
	}{
		{"it is there", creation(7, "there"), kerr.TopicAlreadyExists},
		{"a name that collides", creation(7, "a_b"), kerr.InvalidTopicException},
		{"a bad name", creation(7, "a/b"), kerr.InvalidTopicException},
		{"a long name", creation(7, strings.Repeat("x", 250)), kerr.InvalidTopicException},
		{"no partitions", with(func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = 0 }), kerr.InvalidPartitions},
		{"no replicas", with(func(t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 0 }), kerr.InvalidReplicationFactor},
		{"more replicas than nodes", with(func(t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 2 }), kerr.InvalidReplicationFactor},
		{"a node that is not there", assigned(5), kerr.InvalidReplicaAssignment},
		{"a node twice", assigned(0, 0), kerr.InvalidReplicaAssignment},
		{"an unknown key", withConfig(creation(7, "new"), "no.such.key", "1"), kerr.InvalidConfig},
		{"a bad value", withConfig(creation(7, "new"), "retention.ms", "soon"), kerr.InvalidConfig},
		{"a bad policy", withConfig(creation(7, "new"), "cleanup.policy", "shred"), kerr.InvalidConfig},
	} {
		got := c.createTopics(tc.req)[0]
		want(t, tc.name, got.ErrorCode, tc.code)
		if got.ErrorMessage == nil || *got.ErrorMessage == "" {
			t.Errorf("%s: no message says why", tc.name)
		}
	}
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != "a.b there" {
		t.Errorf("there are %q", got)
	}
	if got := c.createTopics(assigned(0))[0]; got.ErrorCode != 0 || got.NumPartitions != 1 {
		t.Errorf("a good assignment: %+v", got)
	}
}

func TestCreateTopicsTwiceInARequest(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	got := c.createTopics(creation(7, "a", "b", "a"))
	for i, code := range []*kerr.Error{kerr.InvalidRequest, nil, kerr.InvalidRequest} {
		want(t, got[i].Topic, got[i].ErrorCode, code)
	}
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != "b" {
		t.Errorf("there are %q, want b alone", got)
	}
}

func TestCreateTopicsValidateOnly(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	req := creation(7, "a")
	req.ValidateOnly = true
	version := r.quorum.Image().Version()
	if got := c.createTopics(req)[0]; got.ErrorCode != 0 || got.NumPartitions != 1 {
		t.Errorf("answered %+v", got)
	}
	if r.quorum.Image().Version() != version {
		t.Error("validating changed the metadata")
	}
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != "" {
		t.Errorf("there are %q", got)
	}
}

func TestCreateTopicsReply(t *testing.T) {
	r := newRig(t, map[string]string{"num.partitions": "2"})
	c := r.dial()
	req := withConfig(creation(7, "a"), "retention.ms", "1234")
	req.Topics[0].NumPartitions, req.Topics[0].ReplicationFactor = -1, -1 // KIP-464
	got := c.createTopics(req)[0]
	if got.ErrorCode != 0 || got.NumPartitions != 2 || got.ReplicationFactor != 1 || got.TopicID == (uuid.UUID{}) {
		t.Fatalf("answered %+v", got)
	}
	values := map[string]string{}
	for _, c := range got.Configs {
		if c.Value != nil {
			values[c.Name] = *c.Value
		}
	}
	if values["retention.ms"] != "1234" || values["cleanup.policy"] != "delete" { // KIP-525
		t.Errorf("configs %v", values)
	}
	if at := c.mustProduce("a", plain(t, "1")); at != 0 {
		t.Errorf("the first offset is %d", at)
	}
}

func TestDeleteTopicsByNameAndID(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("a", 1, nil)
	r.topic("b", 1, nil)
	c := r.dial()
	c.coordinator("g")
	remove := func(name *string, id uuid.UUID) kmsg.DeleteTopicsResponseTopic {
		req := versioned(kmsg.NewPtrDeleteTopicsRequest(), 6)
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic, topic.TopicID = name, id
		req.Topics = append(req.Topics, topic)
		return ask[*kmsg.DeleteTopicsResponse](c, req).Topics[0]
	}
	b, internal := "b", offsetsTopic
	if got := remove(nil, id); got.ErrorCode != 0 || got.Topic == nil || *got.Topic != "a" || got.TopicID != id {
		t.Errorf("by id: %+v", got)
	}
	want(t, "the id again", remove(nil, id).ErrorCode, kerr.UnknownTopicID)
	want(t, "by name", remove(&b, uuid.UUID{}).ErrorCode, nil)
	want(t, "the name again", remove(&b, uuid.UUID{}).ErrorCode, kerr.UnknownTopicOrPartition)
	want(t, "neither", remove(nil, uuid.UUID{}).ErrorCode, kerr.InvalidRequest)
	want(t, "an internal topic", remove(&internal, uuid.UUID{}).ErrorCode, kerr.InvalidTopicException)
	want(t, "produce after it", c.produce("a", plain(t, "1")).ErrorCode, kerr.UnknownTopicOrPartition)
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != offsetsTopic {
		t.Errorf("there are %q", got)
	}
}

func (c *conn) describe(kind kmsg.ConfigResourceType, name string, keys ...string) kmsg.DescribeConfigsResponseResource {
	c.t.Helper()
	return ask[*kmsg.DescribeConfigsResponse](c, configsOf(4, kind, name, keys...)).Resources[0]
}

func TestDescribeConfigs(t *testing.T) {
	r := newRig(t, map[string]string{"log.retention.ms": "5000"})
	r.topic("a", 1, map[string]string{"cleanup.policy": "compact"})
	c := r.dial()
	all := c.describe(kmsg.ConfigResourceTypeTopic, "a")
	if all.ErrorCode != 0 || len(all.Configs) < 10 {
		t.Fatalf("answered %+v", all)
	}
	for _, tc := range []struct {
		key, value string
		source     kmsg.ConfigSource
	}{
		{"cleanup.policy", "compact", kmsg.ConfigSourceDynamicTopicConfig},
		{"retention.ms", "5000", kmsg.ConfigSourceStaticBrokerConfig},
		{"max.message.bytes", "1048588", kmsg.ConfigSourceDefaultConfig},
	} {
		got := c.describe(kmsg.ConfigResourceTypeTopic, "a", tc.key).Configs
		if len(got) != 1 || got[0].Value == nil || *got[0].Value != tc.value || got[0].Source != tc.source || got[0].ConfigType == 0 {
			t.Errorf("%s: %+v, want %s from %v", tc.key, got, tc.value, tc.source)
			continue
		}
		if got[0].Documentation == nil || len(got[0].ConfigSynonyms) == 0 || *got[0].ConfigSynonyms[0].Value != tc.value {
			t.Errorf("%s: documentation or synonyms are missing: %+v", tc.key, got[0])
		}
	}
	want(t, "an unknown topic", c.describe(kmsg.ConfigResourceTypeTopic, "nobody").ErrorCode, kerr.UnknownTopicOrPartition)
	want(t, "a broker", c.describe(kmsg.ConfigResourceTypeBroker, "0").ErrorCode, nil)
	want(t, "another broker", c.describe(kmsg.ConfigResourceTypeBroker, "7").ErrorCode, kerr.InvalidRequest)
	want(t, "another type", c.describe(kmsg.ConfigResourceTypeBrokerLogger, "0").ErrorCode, kerr.InvalidRequest)
}

func TestIncrementalAlterConfigs(t *testing.T) {
	r := newRig(t, nil)
	r.topic("a", 1, nil)
	c := r.dial()
	alter := func(topic string, op kmsg.IncrementalAlterConfigOp, key, value string) int16 {
		t.Helper()
		resp := ask[*kmsg.IncrementalAlterConfigsResponse](c, alteration(1, topic, op, key, value)).Resources[0]
		if resp.ErrorCode != 0 && (resp.ErrorMessage == nil || *resp.ErrorMessage == "") {
			t.Errorf("%s: no message says why", key)
		}
		return resp.ErrorCode
	}
	value := func(key string) string { return *c.describe(kmsg.ConfigResourceTypeTopic, "a", key).Configs[0].Value }
	const set, remove, add, subtract = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract
	for _, tc := range []struct {
		op         kmsg.IncrementalAlterConfigOp
		key, value string
		code       *kerr.Error
		after      string
	}{
		{set, "max.message.bytes", "300", nil, "300"},
		{remove, "max.message.bytes", "", nil, "1048588"},
		{add, "cleanup.policy", "compact", nil, "delete,compact"},
		{subtract, "cleanup.policy", "delete", nil, "compact"},
		{set, "retention.ms", "soon", kerr.InvalidConfig, "604800000"},
		{add, "retention.ms", "1", kerr.InvalidConfig, "604800000"},
		{9, "retention.ms", "1", kerr.InvalidRequest, "604800000"},
	} {
		want(t, tc.key, alter("a", tc.op, tc.key, tc.value), tc.code)
		if got := value(tc.key); got != tc.after {
			t.Errorf("%s after operation %d: %s, want %s", tc.key, tc.op, got, tc.after)
		}
	}
	want(t, "an unknown key", alter("a", set, "no.such.key", "1"), kerr.InvalidConfig)
	want(t, "an unknown topic", alter("nobody", set, "retention.ms", "1"), kerr.UnknownTopicOrPartition)

	// It holds for the next batch, and survives.
	want(t, "a limit", alter("a", set, "max.message.bytes", "100"), nil)
	want(t, "a batch above it", c.produce("a", plain(t, strings.Repeat("x", 200))).ErrorCode, kerr.MessageTooLarge)
	dry := alteration(1, "a", set, "max.message.bytes", "5000")
	dry.ValidateOnly = true
	want(t, "only validated", ask[*kmsg.IncrementalAlterConfigsResponse](c, dry).Resources[0].ErrorCode, nil)
	r.kill()
	r.start()
	c = r.dial()
	if got := value("max.message.bytes"); got != "100" {
		t.Errorf("max.message.bytes is %s after a restart, want 100", got)
	}
	want(t, "a batch above it, after a restart", c.produce("a", plain(t, strings.Repeat("x", 200))).ErrorCode, kerr.MessageTooLarge)
}
