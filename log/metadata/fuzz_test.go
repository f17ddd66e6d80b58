package metadata

import (
	"bytes"
	"testing"
	"uuid"
)

// FuzzDecodeCommand: any bytes decode or do not, without a panic; what decodes can be applied and encodes to something that decodes to the same.
func FuzzDecodeCommand(f *testing.F) {
	for _, c := range []command{
		&takeControl{node: 1, clusterID: "c", metadataLevel: 29},
		&registerBroker{Registration{NodeID: 1, Incarnation: uuid.UUID{1}, Endpoints: []Endpoint{{"n", "h", 1}}, Rack: "r", Unclean: true}},
		&createTopics{limit: 10, topics: []newTopic{{id: uuid.UUID{2}, name: "t", partitions: 2, replication: 1, config: map[string]string{"a": "b"}}}},
		&createTopics{limit: 10, topics: []newTopic{{id: uuid.UUID{2}, name: "t", partitions: 2, replication: 1, assignments: [][]int32{{1}, {1}}}}},
		&deleteTopics{ids: []uuid.UUID{{3}}},
		&alterConfigs{alterations: []alteration{{resource: Resource{Type: TopicResource}, topic: uuid.UUID{3}, ops: []configOp{{ConfigOp{"k", Append, "v"}, "b"}}}}},
		&allocateProducerIDs{count: 1000},
		&setFeature{name: "f", level: 1},
	} {
		f.Add(encodeCommand(c))
	}
	f.Add([]byte{1, 3, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{2, 1})
	base := emptyImage()
	base, _ = step(base, &takeControl{node: 1, clusterID: "c"}, position{1, 1})
	base, _ = step(base, &registerBroker{Registration{NodeID: 1, Incarnation: uuid.UUID{1}}}, position{2, 1})
	base, _ = step(base, &createTopics{limit: 10, topics: []newTopic{{id: uuid.UUID{3}, name: "x", partitions: 1, replication: 1}}}, position{3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCommand(b)
		if err != nil {
			return
		}
		again, err := decodeCommand(encodeCommand(c))
		if err != nil || !bytes.Equal(encodeCommand(again), encodeCommand(c)) {
			t.Fatalf("%x does not come back: %v", b, err)
		}
		if create, ok := c.(*createTopics); ok {
			create.limit = min(create.limit, 1000) // a proposer's; without it a test would make what memory holds
		}
		next, _ := step(base, c, position{4, 1})
		restored, err := decodeImage(encodeImage(next))
		if err != nil {
			t.Fatalf("the image after %x: %v", b, err)
		}
		if !bytes.Equal(encodeImage(restored), encodeImage(next)) {
			t.Fatalf("the image after %x does not come back", b)
		}
	})
}

// FuzzDecodeImage: any bytes decode or do not, without a panic; what decodes encodes to something that decodes to the same.
func FuzzDecodeImage(f *testing.F) {
	i := emptyImage()
	f.Add(encodeImage(i))
	for n, c := range []command{
		&takeControl{node: 1, clusterID: "c", metadataLevel: 29},
		&registerBroker{Registration{NodeID: 1, Incarnation: uuid.UUID{1}, Endpoints: []Endpoint{{"n", "h", 1}}, Rack: "r"}},
		&createTopics{limit: 10, topics: []newTopic{
			{id: uuid.UUID{2}, name: "t", partitions: 2, replication: 1, config: map[string]string{"a": "b"}}, {id: uuid.UUID{3}, name: "u", partitions: 1, replication: 1},
		}},
		&alterConfigs{alterations: []alteration{{resource: Resource{Type: BrokerResource, Name: "1"}, ops: []configOp{{ConfigOp{"k", Set, "v"}, ""}}}}},
		&deleteTopics{ids: []uuid.UUID{{3}}},
	} {
		i, _ = step(i, c, position{uint64(n) + 1, 1})
		f.Add(encodeImage(i))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := decodeImage(b)
		if err != nil {
			return
		}
		again, err := decodeImage(encodeImage(i))
		if err != nil || !bytes.Equal(encodeImage(again), encodeImage(i)) {
			t.Fatalf("%x does not come back: %v", b, err)
		}
	})
}
