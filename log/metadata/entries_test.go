package metadata

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"uuid"

	"pgregory.net/rapid"
)

// TestEntryLayout holds bytes against the drawing in command.go.
func TestEntryLayout(t *testing.T) {
	for _, c := range []struct {
		name    string
		command command
		want    string // version, kind, fields
	}{
		{"take control", &takeControl{node: 1, clusterID: "ab", metadataLevel: 29}, "01 01 02 026162 3a"},
		{"register", &registerBroker{Registration{NodeID: 2, Incarnation: uuid.UUID{15: 9}, Rack: "r", Unclean: true, Endpoints: []Endpoint{{"L", "h", 9092}}}},
			"01 02 04 00000000000000000000000000000009 0172 01 01 014c 0168 888e01"},
		{"create", &createTopics{limit: 300, topics: []newTopic{{
			id: uuid.UUID{1}, name: "t", partitions: 2, replication: 1, assignments: [][]int32{{1}, {2}}, config: map[string]string{"b": "2", "a": "1"},
		}}}, "01 03 ac02 01 01000000000000000000000000000000 0174 00 04 02 02 0102 0104 02 0161 0131 0162 0132"},
		{"delete", &deleteTopics{ids: []uuid.UUID{{2}}}, "01 04 01 02000000000000000000000000000000"},
		{"alter", &alterConfigs{alterations: []alteration{{resource: Resource{Type: BrokerResource, Name: "1"}, replace: true, ops: []configOp{
			{ConfigOp: ConfigOp{Key: "k", Op: Append, Value: "v"}, base: "b"},
		}}}}, "01 05 01 08 0131 00000000000000000000000000000000 01 01 016b 04 0176 0162"},
		{"producer ids", &allocateProducerIDs{count: 1000}, "01 06 e807"},
		{"feature", &setFeature{name: "f", level: -1}, "01 07 0166 01"},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got := encodeCommand(c.command)
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, want\n%x", c.name, got, want)
		}
		again, err := decodeCommand(want)
		if err != nil || !bytes.Equal(encodeCommand(again), want) {
			t.Errorf("%s does not come back: %v", c.name, err)
		}
	}
}

// commands draws a plausible history: names and ids come from small sets, so that they meet.
func commands(t *rapid.T) []command {
	ids := rapid.Custom(func(t *rapid.T) uuid.UUID {
		return uuid.UUID{0: rapid.SampledFrom([]byte("abcdefghijkl")).Draw(t, "id")}
	})
	names := rapid.SampledFrom([]string{"a", "b", "a.b", "a_b", "c", "d", "e"})
	config := rapid.MapOfN(rapid.SampledFrom([]string{"retention.ms", "cleanup.policy", "x"}), rapid.SampledFrom([]string{"1", "delete", ""}), 0, 3)
	ops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) configOp {
		return configOp{
			ConfigOp: ConfigOp{
				Key: rapid.SampledFrom([]string{"cleanup.policy", "retention.ms"}).Draw(t, "key"), Op: Op(rapid.IntRange(0, 3).Draw(t, "op")),
				Value: rapid.SampledFrom([]string{"delete", "compact", "delete, compact", ""}).Draw(t, "value"),
			}, base: rapid.SampledFrom([]string{"", "delete"}).Draw(t, "base"),
		}
	}), 0, 3)
	kinds := []kind{
		kindTakeControl, kindRegisterBroker, kindCreateTopics, kindCreateTopics, kindCreateTopics, kindDeleteTopics, kindAlterConfigs, kindAllocateProducerIDs,
		kindSetFeature,
	}
	one := rapid.Custom(func(t *rapid.T) command {
		switch rapid.SampledFrom(kinds).Draw(t, "kind") {
		case kindTakeControl:
			return &takeControl{node: rapid.Int32Range(1, 3).Draw(t, "node"), clusterID: rapid.StringN(1, 4, 8).Draw(t, "cluster"), metadataLevel: 25}
		case kindRegisterBroker:
			return &registerBroker{Registration{
				NodeID: rapid.Int32Range(1, 3).Draw(t, "node"), Incarnation: ids.Draw(t, "incarnation"), Unclean: rapid.Bool().Draw(t, "unclean"),
				Endpoints: []Endpoint{{Name: "n", Host: "h", Port: 1}},
			}}
		case kindCreateTopics:
			topics := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) newTopic {
				n := newTopic{
					id: ids.Draw(t, "id"), name: names.Draw(t, "name"), internal: rapid.Bool().Draw(t, "internal"), config: config.Draw(t, "config"),
					partitions:  rapid.SampledFrom([]int32{1, 2, 3, 4, 5, 0, -1}).Draw(t, "partitions"),
					replication: rapid.SampledFrom([]int16{1, 1, 1, 2, 3, 0, -1}).Draw(t, "replication"),
				}
				if rapid.SampledFrom([]bool{false, false, true}).Draw(t, "manual") {
					n.assignments = rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]int32{1, 2, 3, 4}), 0, 2), 0, 3).Draw(t, "assignments")
				}
				return n
			}), 1, 4).Draw(t, "topics")
			return &createTopics{limit: rapid.SampledFrom([]uint64{20, 12, 0}).Draw(t, "limit"), topics: topics}
		case kindDeleteTopics:
			return &deleteTopics{ids: rapid.SliceOfN(ids, 1, 3).Draw(t, "ids")}
		case kindAlterConfigs:
			return &alterConfigs{alterations: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) alteration {
				return alteration{
					resource: Resource{Type: rapid.SampledFrom([]ResourceType{TopicResource, BrokerResource}).Draw(t, "type"), Name: rapid.SampledFrom([]string{"", "1"}).Draw(t, "broker")},
					topic:    ids.Draw(t, "topic"), replace: rapid.Bool().Draw(t, "replace"), ops: ops.Draw(t, "ops"),
				}
			}), 0, 3).Draw(t, "alterations")}
		case kindAllocateProducerIDs:
			return &allocateProducerIDs{count: uint64(rapid.IntRange(0, 2000).Draw(t, "count"))}
		default:
			return &setFeature{name: rapid.SampledFrom([]string{"a", "metadata.version", "z"}).Draw(t, "feature"), level: int16(rapid.IntRange(20, 30).Draw(t, "level"))}
		}
	})
	return rapid.SliceOfN(one, 30, 60).Draw(t, "commands")
}

// TestDeterminism applies one history twice: once as it is, once through the encoding of every entry and, at some point, of a snapshot. The images
// are equal at every step, no image changes after it was made, and the invariants hold.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := commands(t)
		restart := rapid.IntRange(0, 60).Draw(t, "restart")
		straight, replayed := emptyImage(), emptyImage()
		for n, c := range history {
			at := position{index: uint64(n) + 1, term: uint64(n / 7)}
			before, frozen := straight, encodeImage(straight)
			straight, _ = step(straight, c, at)
			if !bytes.Equal(encodeImage(before), frozen) {
				t.Fatalf("command %d, %T, changed the image it was applied to", n, c)
			}
			entry, err := decodeCommand(encodeCommand(c))
			if err != nil {
				t.Fatalf("command %d, %T: %v", n, c, err)
			}
			if n == restart {
				if replayed, err = decodeImage(encodeImage(replayed)); err != nil {
					t.Fatal(err)
				}
			}
			replayed, _ = step(replayed, entry, at)
			if a, b := encodeImage(straight), encodeImage(replayed); !bytes.Equal(a, b) {
				t.Fatalf("after command %d, %T:\n%x\n%x", n, c, a, b)
			}
			checkRises(t, before, straight)
		}
	})
}

func checkRises(t *rapid.T, old, new *Image) {
	if err := new.check(); err != nil {
		t.Fatal(err)
	}
	if new.version <= old.version || new.featuresEpoch < old.featuresEpoch || new.nextProducerID < old.nextProducerID {
		t.Fatalf("something fell from %d to %d", old.version, new.version)
	}
	if old.clusterID != "" && new.clusterID != old.clusterID {
		t.Fatalf("the cluster id changed from %q to %q", old.clusterID, new.clusterID)
	}
	for before := range old.Topics() {
		after, ok := new.TopicByID(before.ID)
		if !ok {
			if !new.Deleted(before.ID) {
				t.Fatalf("%s is gone without a trace", before.Name)
			}
			continue
		}
		for p := range before.Partitions {
			if after.Partitions[p].LeaderEpoch < before.Partitions[p].LeaderEpoch || after.Partitions[p].PartitionEpoch < before.Partitions[p].PartitionEpoch {
				t.Fatalf("an epoch of %s fell", before.Name)
			}
		}
	}
	for id, n := range new.replicaCounts() {
		if n > 20 {
			t.Fatalf("node %d holds %d replicas", id, n)
		}
	}
}
