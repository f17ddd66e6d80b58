package broker

import (
	"math"
	"slices"
	"strings"
	"testing"

	"uuid"

	"github.com/millrace/millrace/log/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// named are the topics of a metadata reply that exist.
func named(resp *kmsg.MetadataResponse) string {
	var names []string
	for _, t := range resp.Topics {
		if t.ErrorCode == 0 && t.Topic != nil {
			names = append(names, *t.Topic)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestMetadataAllAndNone(t *testing.T) {
	r := newRig(t, nil)
	r.topic("a", 1, nil)
	r.topic("b", 2, nil)
	c := r.dial()
	for version := int16(0); version <= 13; version++ {
		empty := metadataFor(version)
		wanted := ""
		if version == 0 {
			wanted = "a b"
		}
		if got := named(ask[*kmsg.MetadataResponse](c, empty)); got != wanted {
			t.Errorf("v%d, an empty list: %q, want %q", version, got, wanted)
		}
		if version > 0 {
			all := metadataFor(version)
			all.Topics = nil
			if got := named(ask[*kmsg.MetadataResponse](c, all)); got != "a b" {
				t.Errorf("v%d, null: %q, want all", version, got)
			}
		}
	}
}

func TestMetadataByID(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("a", 1, nil)
	c := r.dial()
	byID := func(version int16, id uuid.UUID) kmsg.MetadataResponseTopic {
		req := metadataFor(version)
		topic := kmsg.NewMetadataRequestTopic()
		topic.TopicID = id
		req.Topics = append(req.Topics, topic)
		return ask[*kmsg.MetadataResponse](c, req).Topics[0]
	}
	for _, version := range []int16{12, 13} {
		got := byID(version, id)
		want(t, "by id", got.ErrorCode, nil)
		if got.Topic == nil || *got.Topic != "a" || got.TopicID != id || len(got.Partitions) != 1 {
			t.Errorf("v%d: %+v", version, got)
		}
		other := uuid.New()
		got = byID(version, other)
		want(t, "an unknown id", got.ErrorCode, kerr.UnknownTopicID)
		if got.Topic != nil || got.TopicID != other {
			t.Errorf("an unknown id: %+v", got)
		}
	}
}

func TestMetadataAutoCreation(t *testing.T) {
	on := newRig(t, map[string]string{"num.partitions": "3"})
	c := on.dial()
	asked := func(version int16, name string, create bool) kmsg.MetadataResponseTopic {
		req := metadataFor(version, name)
		req.AllowAutoTopicCreation = create
		return ask[*kmsg.MetadataResponse](c, req).Topics[0]
	}
	want(t, "not asked for", asked(13, "no", false).ErrorCode, kerr.UnknownTopicOrPartition)
	if got := asked(13, "yes", true); got.ErrorCode != 0 || len(got.Partitions) != 3 || got.Partitions[0].Leader != 0 {
		t.Errorf("asked for: %+v", got)
	}
	want(t, "below v4 it is always asked for", asked(3, "old", false).ErrorCode, nil)
	want(t, "a bad name", asked(13, "bad/name", true).ErrorCode, kerr.InvalidTopicException)
	want(t, "the offsets topic", asked(13, offsetsTopic, true).ErrorCode, kerr.UnknownTopicOrPartition)
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != "old yes" {
		t.Errorf("there are %q", got)
	}

	off := newRig(t, map[string]string{"auto.create.topics.enable": "false"})
	c = off.dial()
	want(t, "switched off", asked(13, "yes", true).ErrorCode, kerr.UnknownTopicOrPartition)
}

// Authorized operations are not computed, asked for or not.
func TestAuthorizedOperationsAreConstant(t *testing.T) {
	r := newRig(t, nil)
	r.topic("a", 1, nil)
	c := r.dial()
	for _, include := range []bool{false, true} {
		req := metadataFor(10, "a")
		req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = include, include
		m := ask[*kmsg.MetadataResponse](c, req)
		d := versioned(kmsg.NewPtrDescribeClusterRequest(), 2)
		d.IncludeClusterAuthorizedOperations = include
		for _, got := range []int32{m.AuthorizedOperations, m.Topics[0].AuthorizedOperations, ask[*kmsg.DescribeClusterResponse](c, d).ClusterAuthorizedOperations} {
			if include == false && got != math.MinInt32 || got != math.MinInt32 {
				t.Errorf("authorized operations %d", got)
			}
		}
	}
}

func TestAPIVersionsTooHigh(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	for _, version := range []int16{5, 6, 99} {
		frame := kmsg.NewRequestFormatter().AppendRequest(nil, versioned(kmsg.NewPtrApiVersionsRequest(), 4), 7)
		frame[6], frame[7] = 0, byte(version)
		c.write(frame)
		b, err := c.frame()
		r.must(err)
		resp := kmsg.NewPtrApiVersionsResponse() // v0
		if err := decodeReply(b, 7, resp); err != nil {
			t.Fatalf("not a v0 body: %v", err)
		}
		want(t, "a version too high", resp.ErrorCode, kerr.UnsupportedVersion)
		i := slices.IndexFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == 18 })
		if i < 0 || resp.ApiKeys[i].MinVersion != 0 || resp.ApiKeys[i].MaxVersion != 4 {
			t.Errorf("our own range is missing: %+v", resp.ApiKeys)
		}
	}
	c.silent() // the connection still works
}

func TestAPIVersionsRangesAndFeatures(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	minimums := map[int16]int16{0: 0, 1: 4, 2: 1, 3: 0, 8: 2, 9: 1, 10: 0, 11: 0, 18: 0, 19: 2, 20: 1, 22: 0, 23: 2, 32: 1}
	for version := int16(0); version <= 4; version++ {
		req := versioned(kmsg.NewPtrApiVersionsRequest(), version)
		req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
		resp := ask[*kmsg.ApiVersionsResponse](c, req)
		for _, k := range resp.ApiKeys {
			if lowest, ok := minimums[k.ApiKey]; ok && k.MinVersion != lowest {
				t.Errorf("%s starts at v%d, Kafka's minimum is v%d", kmsg.NameForKey(k.ApiKey), k.MinVersion, lowest)
			}
		}
		for _, f := range resp.SupportedFeatures {
			if f.Name == "transaction.version" || f.Name == "group.version" || version < 4 && f.MinVersion == 0 {
				t.Errorf("v%d supports %+v", version, f)
			}
		}
		for _, f := range resp.FinalizedFeatures {
			if f.Name == "transaction.version" || f.Name == "group.version" {
				t.Errorf("v%d has finalized %+v", version, f)
			}
		}
	}
}

func TestAPIVersionsSoftwareName(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	for name, ok := range map[string]bool{"a": true, "a-b.c9": true, "": false, "-a": false, "a-": false, "a b": false, "a_b": false, "é": false, ".": false} {
		for _, version := range []int16{3, 4} {
			req := versioned(kmsg.NewPtrApiVersionsRequest(), version)
			req.ClientSoftwareName, req.ClientSoftwareVersion = name, "1"
			code := map[bool]*kerr.Error{true: nil, false: kerr.InvalidRequest}[ok]
			want(t, "the name "+name, ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode, code)
			req.ClientSoftwareName, req.ClientSoftwareVersion = "a", name
			want(t, "the version "+name, ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode, code)
		}
	}
}

func TestFindCoordinatorTypesAndKeys(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	refusals := map[int8]*kerr.Error{1: kerr.TransactionalIDAuthorizationFailed, 2: kerr.InvalidRequest, 9: kerr.InvalidRequest}
	for kind := range refusals {
		req := versioned(kmsg.NewPtrFindCoordinatorRequest(), 4)
		req.CoordinatorType, req.CoordinatorKeys = kind, []string{"a", "b"}
		resp := ask[*kmsg.FindCoordinatorResponse](c, req)
		for i, k := range resp.Coordinators {
			want(t, "a type not served", k.ErrorCode, refusals[kind])
			if k.Key != req.CoordinatorKeys[i] || k.NodeID != -1 || k.ErrorMessage == nil {
				t.Errorf("answered %+v", k)
			}
		}
		one := versioned(kmsg.NewPtrFindCoordinatorRequest(), 1)
		one.CoordinatorType, one.CoordinatorKey = kind, "a"
		want(t, "a type not served, v1", ask[*kmsg.FindCoordinatorResponse](c, one).ErrorCode, refusals[kind])
	}
	if _, ok := r.quorum.Image().Topic(offsetsTopic); ok {
		t.Error("a refused request made the offsets topic")
	}
	req := versioned(kmsg.NewPtrFindCoordinatorRequest(), 6)
	for i := range 100 {
		req.CoordinatorKeys = append(req.CoordinatorKeys, strings.Repeat("k", i+1))
	}
	resp := ask[*kmsg.FindCoordinatorResponse](c, req)
	if len(resp.Coordinators) != 100 {
		t.Fatalf("%d answers to 100 keys", len(resp.Coordinators))
	}
	for i, k := range resp.Coordinators {
		if k.Key != req.CoordinatorKeys[i] || k.ErrorCode != 0 || k.Host != testHost || k.Port != testPort {
			t.Errorf("key %d: %+v", i, k)
		}
	}
}

func TestInitProducerID(t *testing.T) {
	r := newRig(t, nil)
	seen := map[int64]bool{}
	take := func(c *conn, n int) {
		for range n {
			resp := ask[*kmsg.InitProducerIDResponse](c, versioned(kmsg.NewPtrInitProducerIDRequest(), 5))
			if resp.ErrorCode != 0 || resp.ProducerEpoch != 0 || seen[resp.ProducerID] {
				t.Fatalf("given %+v; seen before: %v", resp, seen[resp.ProducerID])
			}
			seen[resp.ProducerID] = true
		}
	}
	take(r.dial(), metadata.ProducerIDBlock+1) // into the second block
	r.stop()
	r.start()
	take(r.dial(), 3)
	r.kill()
	r.start()
	c := r.dial()
	take(c, 3)

	txn := "txn"
	for version := int16(0); version <= 5; version++ {
		req := versioned(kmsg.NewPtrInitProducerIDRequest(), version)
		req.TransactionalID = &txn
		resp := ask[*kmsg.InitProducerIDResponse](c, req)
		want(t, "a transactional id", resp.ErrorCode, kerr.TransactionalIDAuthorizationFailed)
		if kerr.IsRetriable(kerr.ErrorForCode(resp.ErrorCode)) || resp.ProducerID != -1 {
			t.Errorf("v%d: %+v", version, resp)
		}
	}
}

func TestDescribeCluster(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	for kind, code := range map[int8]*kerr.Error{1: nil, 2: kerr.MismatchedEndpointType, 3: kerr.UnsupportedEndpointType} {
		for _, version := range []int16{1, 2} {
			req := versioned(kmsg.NewPtrDescribeClusterRequest(), version)
			req.EndpointType = kind
			resp := ask[*kmsg.DescribeClusterResponse](c, req)
			want(t, "an endpoint type", resp.ErrorCode, code)
			if brokers := len(resp.Brokers); (brokers == 1) != (code == nil) {
				t.Errorf("type %d: %d brokers", kind, brokers)
			}
		}
	}
}
