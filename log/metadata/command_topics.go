package metadata

import (
	"fmt"
	"maps"
	"slices"
	"uuid"
)

// maxDeleted bounds the memory of deleted topics (16 bytes each).
const maxDeleted = 16384

// newTopic is a topic to be made: checked, its id chosen, no default left open.
type newTopic struct {
	id          uuid.UUID
	name        string
	internal    bool
	partitions  int32     // 1 or more; the number of assignments if there are any
	replication int16     // 1 or more
	assignments [][]int32 // by partition; empty: placed by the controller
	config      map[string]string
}

// createTopics makes topics, each or not, for itself.
type createTopics struct {
	limit  uint64 // replicas per node
	topics []newTopic
}

func (*createTopics) kind() kind { return kindCreateTopics }

func (c *createTopics) encode(w *writer) {
	w.uint(c.limit)
	w.uint(uint64(len(c.topics)))
	for i := range c.topics {
		t := &c.topics[i]
		w.id(t.id)
		w.string(t.name)
		w.bool(t.internal)
		w.int(int64(t.partitions))
		w.int(int64(t.replication))
		w.uint(uint64(len(t.assignments)))
		for _, nodes := range t.assignments {
			w.nodes(nodes)
		}
		w.strings(t.config)
	}
}

// minNewTopic is the size of the smallest newTopic: id, five lengths and numbers of a byte each, a boolean.
const minNewTopic = 16 + 6

func (c *createTopics) decode(r *reader) {
	c.limit = r.uint()
	c.topics = make([]newTopic, r.count(minNewTopic))
	for i := range c.topics {
		t := &c.topics[i]
		t.id = r.id()
		t.name = r.string()
		t.internal = r.bool()
		t.partitions = narrow[int32](r)
		t.replication = narrow[int16](r)
		if n := r.count(1); n > 0 {
			t.assignments = make([][]int32, n)
			for p := range t.assignments {
				t.assignments[p] = r.nodes()
			}
		}
		t.config = r.strings()
	}
}

// createdTopic is the result for one topic.
type createdTopic struct {
	topic *Topic
	err   error
}

// apply returns a []createdTopic.
func (c *createTopics) apply(old *Image, at position) (*Image, any) {
	var (
		results = make([]createdTopic, len(c.topics))
		load    = old.replicaCounts()
		keys    = make(map[string]string, len(c.topics))
		ids     = make(map[uuid.UUID]bool, len(c.topics))
		added   []*Topic
	)
	for i := range c.topics {
		t, err := c.topics[i].make(old, at, load, c.limit)
		if other, ok := keys[collisionKey(c.topics[i].name)]; ok && err == nil {
			err = collides(c.topics[i].name, other)
		}
		if err == nil && ids[t.ID] {
			err = idTaken(t.ID)
		}
		if err != nil {
			results[i].err = err
			continue
		}
		for _, p := range t.Partitions {
			for _, node := range p.Replicas {
				load[node]++
			}
		}
		keys[t.key] = t.Name
		ids[t.ID] = true
		results[i].topic = t
		added = append(added, t)
	}
	if len(added) == 0 {
		return old, results
	}
	next := old.clone()
	next.addTopics(added)
	return next, results
}

// collides is the error for a name that another topic has, or nearly has.
func collides(name, other string) error {
	if name == other {
		return fmt.Errorf("%w: %q", ErrTopicExists, name)
	}
	return fmt.Errorf("%w: %q collides with %q ('.' and '_' count as the same)", ErrInvalidTopic, name, other)
}

func idTaken(id uuid.UUID) error {
	return fmt.Errorf("%w: its id %s is taken", ErrTopicExists, FormatID(id))
}

// make builds the topic if the image allows it. load is the number of replicas per node.
func (n *newTopic) make(image *Image, at position, load map[int32]uint64, limit uint64) (*Topic, error) {
	if other, ok := image.collision(n.name); ok {
		return nil, collides(n.name, other.Name)
	}
	if _, ok := image.TopicByID(n.id); ok {
		return nil, idTaken(n.id)
	}
	if n.partitions < 1 {
		return nil, fmt.Errorf("%w: %d", ErrInvalidPartitions, n.partitions)
	}
	// Before anything is allocated: what cannot fit even when spread over all nodes.
	if nodes := uint64(max(len(image.brokers), 1)); uint64(n.partitions)/nodes > limit {
		return nil, fmt.Errorf("%w: %d partitions, a node takes %d", ErrPolicyViolation, n.partitions, limit)
	}
	replicas, err := n.place(image)
	if err != nil {
		return nil, err
	}
	more := make(map[int32]uint64, len(image.brokers))
	t := &Topic{ID: n.id, Name: n.name, Internal: n.internal, Config: n.config, Created: at.index, key: collisionKey(n.name)}
	t.Partitions = make([]Partition, len(replicas))
	for p, nodes := range replicas {
		t.Partitions[p] = Partition{Index: int32(p), Leader: nodes[0], Replicas: nodes, ISR: nodes}
		for _, node := range nodes {
			more[node]++
			if load[node]+more[node] > limit {
				return nil, fmt.Errorf("%w: node %d would hold more than %d partitions", ErrPolicyViolation, node, limit)
			}
		}
	}
	return t, nil
}

// place is the nodes of every partition, the preferred leader first.
func (n *newTopic) place(image *Image) ([][]int32, error) {
	if len(n.assignments) > 0 {
		for p, nodes := range n.assignments {
			for _, node := range nodes {
				if _, ok := image.Broker(node); !ok {
					return nil, fmt.Errorf("%w: partition %d names node %d, which is not registered", ErrInvalidReplicaAssignment, p, node)
				}
			}
			if len(nodes) == 0 {
				return nil, fmt.Errorf("%w: partition %d has no replicas", ErrInvalidReplicaAssignment, p)
			}
		}
		return n.assignments, nil
	}
	count := len(image.brokers)
	if n.replication < 1 || int(n.replication) > count {
		return nil, fmt.Errorf("%w: %d, larger than the number of brokers (%d) or less than 1", ErrInvalidReplicationFactor, n.replication, count)
	}
	// Round robin from a start that differs from topic to topic: partition i is led by the i-th next node, and copied to those after it.
	start := int(n.id[15])
	distinct := make([][]int32, count) // the partitions of one leader share their slice
	for s := range distinct {
		nodes := make([]int32, n.replication)
		for k := range nodes {
			nodes[k] = image.brokers[(start+s+k)%count].ID
		}
		distinct[s] = nodes
	}
	replicas := make([][]int32, n.partitions)
	for p := range replicas {
		replicas[p] = distinct[p%count]
	}
	return replicas, nil
}

// deleteTopics removes topics by id.
type deleteTopics struct{ ids []uuid.UUID }

func (*deleteTopics) kind() kind { return kindDeleteTopics }

func (c *deleteTopics) encode(w *writer) {
	w.uint(uint64(len(c.ids)))
	for _, id := range c.ids {
		w.id(id)
	}
}

func (c *deleteTopics) decode(r *reader) {
	c.ids = make([]uuid.UUID, r.count(16))
	for i := range c.ids {
		c.ids[i] = r.id()
	}
}

// apply returns a []error, one per id.
func (c *deleteTopics) apply(old *Image, _ position) (*Image, any) {
	errs := make([]error, len(c.ids))
	gone := make(map[*Topic]bool, len(c.ids))
	deleted := slices.Clone(old.deleted)
	for i, id := range c.ids {
		t, ok := old.TopicByID(id)
		if !ok || gone[t] {
			errs[i] = fmt.Errorf("%w: id %s", ErrUnknownTopic, FormatID(id))
			continue
		}
		gone[t] = true
		deleted = append(deleted, id)
	}
	if len(gone) == 0 {
		return old, errs
	}
	next := old.clone()
	next.removeTopics(gone)
	next.deleted = deleted[max(0, len(deleted)-maxDeleted):]
	return next, errs
}

// withConfig is the topic with another configuration.
func (t *Topic) withConfig(config map[string]string) *Topic {
	if maps.Equal(t.Config, config) {
		return t
	}
	changed := *t
	changed.Config = config
	return &changed
}
