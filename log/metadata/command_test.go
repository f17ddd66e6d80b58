package metadata

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"uuid"
)

// createCase is a topic that is asked for, and what the answer is.
type createCase struct {
	name string
	spec TopicSpec
	want error
}

// createCases are asked of a node 1 that has the topics "there" and "with.dot".
func createCases() []createCase {
	manual := func(assignments ...Assignment) TopicSpec {
		return TopicSpec{Name: "manual", Partitions: UseDefault, ReplicationFactor: UseDefault, Assignments: assignments}
	}
	return []createCase{
		{"plain", topic("plain", 3), nil},
		{"defaults", topic("defaults", UseDefault), nil},
		{"factor one", TopicSpec{Name: "one", Partitions: 1, ReplicationFactor: 1}, nil},
		{"longest name", topic(strings.Repeat("x", 249), 1), nil},
		{"config", TopicSpec{Name: "config", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "1"}}, nil},
		{"assigned", manual(Assignment{1, []int32{1}}, Assignment{0, []int32{1}}), nil},
		{"exists", topic("there", 1), ErrTopicExists},
		{"collides", topic("with_dot", 1), ErrInvalidTopic},
		{"empty", topic("", 1), ErrInvalidTopic},
		{"dot", topic(".", 1), ErrInvalidTopic},
		{"dots", topic("..", 1), ErrInvalidTopic},
		{"long", topic(strings.Repeat("x", 250), 1), ErrInvalidTopic},
		{"slash", topic("a/b", 1), ErrInvalidTopic},
		{"umlaut", topic("ä", 1), ErrInvalidTopic},
		{"no partitions", topic("x", 0), ErrInvalidPartitions},
		{"fewer than none", topic("x", -2), ErrInvalidPartitions},
		{"factor 0", TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: 0}, ErrInvalidReplicationFactor},
		{"factor 2", TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: 2}, ErrInvalidReplicationFactor},
		{"factor -2", TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: -2}, ErrInvalidReplicationFactor},
		{"too many partitions", topic("x", MaxPartitionsPerNode), ErrPolicyViolation},
		{"far too many partitions", topic("x", 1<<31-1), ErrPolicyViolation},
		{"assigned and counted", TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: UseDefault, Assignments: []Assignment{{0, []int32{1}}}}, ErrInvalidRequest},
		{"assigned from 1", manual(Assignment{1, []int32{1}}), ErrInvalidReplicaAssignment},
		{"assigned twice", manual(Assignment{0, []int32{1}}, Assignment{0, []int32{1}}), ErrInvalidReplicaAssignment},
		{"assigned to nobody", manual(Assignment{0, nil}), ErrInvalidReplicaAssignment},
		{"assigned to one twice", manual(Assignment{0, []int32{1, 1}}), ErrInvalidReplicaAssignment},
		{"assigned unevenly", manual(Assignment{0, []int32{1}}, Assignment{1, []int32{1, 2}}), ErrInvalidReplicaAssignment},
		{"assigned to a stranger", TopicSpec{Name: "x", Partitions: UseDefault, ReplicationFactor: UseDefault, Assignments: []Assignment{{0, []int32{7}}}}, ErrInvalidReplicaAssignment},
	}
}

func TestCreateTopics(t *testing.T) {
	q := open(t, t.TempDir())
	if r := q.CreateTopics(t.Context(), []TopicSpec{topic("early", 1)}, false)[0]; !errors.Is(r.Err, ErrInvalidReplicationFactor) {
		t.Errorf("without any broker: %v", r.Err)
	}
	register(t, q, 1, false)
	create(t, q, topic("there", 1), topic("with.dot", 1))
	for _, c := range createCases() {
		before := q.Image()
		dry := q.CreateTopics(t.Context(), []TopicSpec{c.spec}, true)[0]
		if q.Image() != before {
			t.Errorf("%s: validate-only made a new image", c.name)
		}
		r := q.CreateTopics(t.Context(), []TopicSpec{c.spec}, false)[0]
		if !errors.Is(r.Err, c.want) || !errors.Is(dry.Err, c.want) {
			t.Errorf("%s: %v, validated: %v, want %v", c.name, r.Err, dry.Err, c.want)
		}
		if (r.Topic == nil) != (c.want != nil) || (dry.Topic == nil) != (c.want != nil) {
			t.Errorf("%s: topic %v, validated: %v", c.name, r.Topic, dry.Topic)
		}
		if found, _ := q.Image().Topic(c.spec.Name); c.want == nil && (found != r.Topic || found.Created != q.Image().Version() || found.ID == uuid.Nil()) {
			t.Errorf("%s: the image has %+v, the answer %+v", c.name, found, r.Topic)
		}
	}
	var names []string
	for topic := range q.Image().Topics() {
		names = append(names, topic.Name)
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "plain") {
		t.Errorf("topics in the order of their names: %v", names)
	}
}

func TestCreateManyTopics(t *testing.T) {
	q := open(t, t.TempDir())
	register(t, q, 1, false)
	specs := []TopicSpec{topic("same", 1), topic("other", 1), topic("same", 1), topic("a.b", 1), topic("a_b", 1)}
	want := []error{ErrInvalidRequest, nil, ErrInvalidRequest, nil, ErrInvalidTopic}
	for i, r := range q.CreateTopics(t.Context(), specs, false) {
		if !errors.Is(r.Err, want[i]) {
			t.Errorf("%d, %s: %v, want %v", i, specs[i].Name, r.Err, want[i])
		}
	}
	many := make([]TopicSpec, MaxTopicsPerRequest+1)
	for i := range many {
		many[i] = topic(fmt.Sprintf("many-%d", i), 10)
	}
	for _, r := range q.CreateTopics(t.Context(), many, false) {
		if !errors.Is(r.Err, ErrPolicyViolation) {
			t.Fatalf("a request for %d topics: %v", len(many), r.Err)
		}
	}
	create(t, q, many[:MaxTopicsPerRequest]...)
	refused := q.CreateTopics(t.Context(), []TopicSpec{topic("rest", 1998), topic("over", 1)}, false)
	if refused[0].Err != nil || !errors.Is(refused[1].Err, ErrPolicyViolation) {
		t.Errorf("the last 1,998 partitions: %v; one more: %v", refused[0].Err, refused[1].Err)
	}
}

func TestDeleteTopics(t *testing.T) {
	q := open(t, t.TempDir())
	register(t, q, 1, false)
	made := create(t, q, topic("a", 1), topic("b", 1))
	errs := q.DeleteTopics(t.Context(), []uuid.UUID{made[0].ID, made[0].ID, {1}})
	if errs[0] != nil || !errors.Is(errs[1], ErrUnknownTopic) || !errors.Is(errs[2], ErrUnknownTopic) {
		t.Errorf("delete: %v", errs)
	}
	i := q.Image()
	if _, ok := i.Topic("a"); ok || i.TopicCount() != 1 || !i.Deleted(made[0].ID) || i.Deleted(made[1].ID) {
		t.Error("a is there, or not remembered as deleted")
	}
	again := create(t, q, topic("a", 2))[0]
	if again.ID == made[0].ID {
		t.Error("a topic made anew under an old name has the old id")
	}
}

func TestDeletedIsBounded(t *testing.T) {
	i := emptyImage()
	for n := range maxDeleted + 5 {
		i.deleted = append(i.deleted, uuid.UUID{0: byte(n), 1: byte(n >> 8), 2: 1})
	}
	t1 := &Topic{ID: uuid.UUID{9, 9, 9}, Name: "t", key: "t"}
	i.setTopics([]*Topic{t1})
	next, _ := (&deleteTopics{ids: []uuid.UUID{t1.ID}}).apply(i, position{})
	if len(next.deleted) != maxDeleted || !next.Deleted(t1.ID) || next.Deleted(uuid.UUID{2: 1}) {
		t.Errorf("%d deleted topics are remembered, want the last %d", len(next.deleted), maxDeleted)
	}
}

func TestRegisterBroker(t *testing.T) {
	q := open(t, t.TempDir())
	first := register(t, q, 1, true)
	create(t, q, topic("t", 2))
	epochs := func() string {
		found, _ := q.Image().Topic("t")
		var s []string
		for _, p := range found.Partitions {
			s = append(s, fmt.Sprint(p.Leader, p.LeaderEpoch, p.PartitionEpoch))
		}
		return strings.Join(s, ",")
	}
	for _, c := range []struct {
		name        string
		incarnation byte
		unclean     bool
		want        string // leader, leader epoch, partition epoch
		newEpoch    bool
	}{
		{"a retry of the first", 1, true, "1 0 0,1 0 0", false},
		{"a clean restart", 2, false, "1 0 0,1 0 0", true},
		{"an unclean one", 3, true, "1 1 1,1 1 1", true},
		{"its retry", 3, true, "1 1 1,1 1 1", false},
		{"another unclean one", 4, true, "1 2 2,1 2 2", true},
	} {
		epoch := register(t, q, c.incarnation, c.unclean)
		if epochs() != c.want || (epoch > first) != c.newEpoch {
			t.Errorf("%s: epochs %s, want %s; broker epoch %d after %d", c.name, epochs(), c.want, epoch, first)
		}
		first = epoch
	}
	b, ok := q.Image().Broker(1)
	if !ok || b.Epoch != first || b.Rack != "r1" || len(b.Endpoints) != 1 || b.Fenced {
		t.Errorf("broker %+v", b)
	}
	for name, reg := range map[string]Registration{
		"negative id":    {NodeID: -1, Incarnation: newID()},
		"no incarnation": {NodeID: 1},
		"port":           {NodeID: 1, Incarnation: newID(), Endpoints: []Endpoint{{Port: 1 << 16}}},
		"long host":      {NodeID: 1, Incarnation: newID(), Endpoints: []Endpoint{{Host: strings.Repeat("h", 256)}}},
		"many endpoints": {NodeID: 1, Incarnation: newID(), Endpoints: make([]Endpoint, maxEndpoints+1)},
		"long rack":      {NodeID: 1, Incarnation: newID(), Rack: strings.Repeat("r", 256)},
	} {
		if _, err := q.RegisterBroker(t.Context(), reg); !errors.Is(err, ErrInvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProducerIDsNeverComeTwice(t *testing.T) {
	dir := t.TempDir()
	next := int64(0)
	for restart := range 3 {
		q := open(t, dir)
		for _, n := range []int{1, ProducerIDBlock, 7} {
			first, err := q.AllocateProducerIDs(t.Context(), n)
			if err != nil || first < next {
				t.Fatalf("after %d restarts: ids from %d, %v; all below %d are taken", restart, first, err, next)
			}
			next = first + int64(n)
		}
		for _, n := range []int{0, -1, ProducerIDBlock + 1} {
			if _, err := q.AllocateProducerIDs(t.Context(), n); !errors.Is(err, ErrInvalidRequest) {
				t.Errorf("%d ids: %v", n, err)
			}
		}
		if restart%2 == 0 {
			q.Kill()
		} else if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	last := emptyImage()
	last.nextProducerID = 1<<63 - 2
	same, result := (&allocateProducerIDs{count: 5}).apply(last, position{})
	if err, _ := result.(error); same != last || !errors.Is(err, ErrPolicyViolation) {
		t.Errorf("at the end of all ids: %v", result)
	}
}

func TestSetFeature(t *testing.T) {
	q := open(t, t.TempDir())
	_, before := q.Image().Features()
	for _, c := range []struct {
		name  string
		level int16
		ok    bool
	}{{"metadata.version", MaxMetadataVersion, true}, {"metadata.version", MaxMetadataVersion - 1, false}, {"metadata.version", MaxMetadataVersion + 1, false}, {"share.version", 1, false}} {
		err := q.SetFeature(t.Context(), c.name, c.level)
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrInvalidUpdateVersion) {
			t.Errorf("%s to %d: %v", c.name, c.level, err)
		}
	}
	if _, after := q.Image().Features(); after != before {
		t.Errorf("the features' epoch went from %d to %d without a change", before, after)
	}
	old := emptyImage()
	old.features, old.featuresEpoch = []Feature{{"metadata.version", 25}}, 3
	next, result := (&setFeature{name: "metadata.version", level: 26}).apply(old, position{index: 9})
	if features, epoch := next.Features(); result != nil || epoch != 9 || features[0].Level != 26 || old.features[0].Level != 25 {
		t.Errorf("raised: %v at %d, %v", features, epoch, result)
	}
}
