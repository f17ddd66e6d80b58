package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// api is one row of the table: what is served of one API key.
type api struct {
	name string
	// advertised is the lowest version in ApiVersions; min the lowest that is really served. They differ for Produce alone: librdkafka before
	// 2.11.1 sends uncompressed unless Produce v0 is advertised (KAFKA-18659).
	advertised, min, max int16
	serve                func(*Broker, context.Context, *wire.Request) (wire.Reply, error)
	// unsupported answers a version outside min..max where that API has a form for it; nil closes the connection.
	unsupported func(*Broker, context.Context, *wire.Request) (wire.Reply, error)
}

// apiTable is every key this broker serves. The minimums are Kafka's and must never rise: clients look for exact versions inside the range.
func apiTable() map[int16]api {
	return map[int16]api{
		0:  {"Produce", 0, 3, 13, (*Broker).produce, (*Broker).produceUnsupported},
		1:  {"Fetch", 4, 4, 18, (*Broker).fetch, nil},
		2:  {"ListOffsets", 1, 1, 11, (*Broker).listOffsets, nil},
		3:  {"Metadata", 0, 0, 13, (*Broker).metadata, nil},
		8:  {"OffsetCommit", 2, 2, 10, (*Broker).offsetCommit, nil},
		9:  {"OffsetFetch", 1, 1, 10, (*Broker).offsetFetch, nil},
		10: {"FindCoordinator", 0, 0, 6, (*Broker).findCoordinator, nil},
		11: {"JoinGroup", 0, 0, 9, (*Broker).joinGroup, nil},
		12: {"Heartbeat", 0, 0, 4, (*Broker).heartbeat, nil},
		13: {"LeaveGroup", 0, 0, 5, (*Broker).leaveGroup, nil},
		14: {"SyncGroup", 0, 0, 5, (*Broker).syncGroup, nil},
		15: {"DescribeGroups", 0, 0, 6, (*Broker).describeGroups, nil},
		16: {"ListGroups", 0, 0, 5, (*Broker).listGroups, nil},
		18: {"ApiVersions", 0, 0, 4, (*Broker).apiVersions, (*Broker).apiVersionsUnsupported},
		19: {"CreateTopics", 2, 2, 7, (*Broker).createTopics, nil},
		20: {"DeleteTopics", 1, 1, 6, (*Broker).deleteTopics, nil},
		21: {"DeleteRecords", 0, 0, 2, (*Broker).deleteRecords, nil},
		22: {"InitProducerId", 0, 0, 5, (*Broker).initProducerID, nil},
		23: {"OffsetForLeaderEpoch", 2, 2, 4, (*Broker).offsetForLeaderEpoch, nil},
		32: {"DescribeConfigs", 1, 1, 4, (*Broker).describeConfigs, nil},
		42: {"DeleteGroups", 0, 0, 2, (*Broker).deleteGroups, nil},
		44: {"IncrementalAlterConfigs", 0, 0, 1, (*Broker).incrementalAlterConfigs, nil},
		47: {"OffsetDelete", 0, 0, 0, (*Broker).offsetDelete, nil},
		60: {"DescribeCluster", 0, 0, 2, (*Broker).describeCluster, nil},
	}
}

// decode walks and decodes the request into a message of its version.
func decode[M kmsg.Request](r *wire.Request, into M) (M, error) {
	into.SetVersion(r.Version)
	return into, wire.Decode(r, into)
}

// ready is the reply that is complete now.
func ready(response kmsg.Response) (wire.Reply, error) {
	return wire.Reply{Response: response}, nil
}
