package metadata

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"uuid"
)

// Limits that are checked before anything is proposed.
const (
	MaxTopicsPerRequest  = 1000
	MaxPartitionsPerNode = 12000 // replicas on one node, of all topics together
)

// UseDefault as a number of partitions or a replication factor asks for the configured default (KIP-464).
const UseDefault = -1

// Assignment names the nodes of one partition, its preferred leader first.
type Assignment struct {
	Partition int32
	Replicas  []int32
}

// TopicSpec asks for a topic.
type TopicSpec struct {
	Name              string
	Partitions        int32             // UseDefault, or 1 or more; UseDefault with Assignments
	ReplicationFactor int16             // UseDefault, or 1 or more; UseDefault with Assignments
	Assignments       []Assignment      // every partition from 0 on; none: the controller places them
	Config            map[string]string // kept by value
	Internal          bool              // a topic of the broker's own
}

// TopicResult is what became of one TopicSpec: a topic or an error.
type TopicResult struct {
	Topic *Topic
	Err   error
}

// CreateTopics makes topics, each or not for itself, and returns one result per spec, in their order. When it returns, the subscribers of this node
// have seen the topics. With validateOnly it says what would have happened; the topics it returns then exist nowhere.
func (q *Quorum) CreateTopics(ctx context.Context, specs []TopicSpec, validateOnly bool) []TopicResult {
	results := make([]TopicResult, len(specs))
	if len(specs) > MaxTopicsPerRequest {
		return failAll(results, fmt.Errorf("%w: %d topics in one request, %d are allowed", ErrPolicyViolation, len(specs), MaxTopicsPerRequest))
	}
	names := make(map[string]int, len(specs))
	for _, s := range specs {
		names[s.Name]++
	}
	image := q.Image()
	command := &createTopics{limit: MaxPartitionsPerNode}
	var asked []int // the spec of each topic of the command
	for i, s := range specs {
		t, err := q.newTopic(image, s)
		if names[s.Name] > 1 {
			err = fmt.Errorf("%w: topic %q is in the request %d times", ErrInvalidRequest, s.Name, names[s.Name])
		}
		if err != nil {
			results[i].Err = err
			continue
		}
		command.topics = append(command.topics, t)
		asked = append(asked, i)
	}
	if len(asked) == 0 {
		return results
	}
	made, err := q.proposeTopics(ctx, image, command, validateOnly)
	for k, i := range asked {
		if err != nil {
			results[i].Err = err
		} else {
			results[i] = TopicResult{Topic: made[k].topic, Err: made[k].err}
		}
	}
	return results
}

func (q *Quorum) proposeTopics(ctx context.Context, image *Image, c *createTopics, validateOnly bool) ([]createdTopic, error) {
	if validateOnly {
		_, result := c.apply(image, position{index: image.version + 1, term: image.controllerTerm})
		return result.([]createdTopic), nil
	}
	result, err := q.propose(ctx, c)
	if err != nil {
		return nil, err
	}
	return result.([]createdTopic), nil
}

func failAll(results []TopicResult, err error) []TopicResult {
	for i := range results {
		results[i].Err = err
	}
	return results
}

// newTopic checks what does not depend on the other topics, and fills in the defaults.
func (q *Quorum) newTopic(image *Image, s TopicSpec) (newTopic, error) {
	t := newTopic{id: newID(), name: s.Name, internal: s.Internal, partitions: s.Partitions, replication: s.ReplicationFactor, config: maps.Clone(s.Config)}
	if len(t.config) == 0 {
		t.config = nil
	}
	if err := CheckTopicName(s.Name); err != nil {
		return t, err
	}
	if err := CheckTopicConfig(s.Config); err != nil {
		return t, err
	}
	if len(s.Assignments) > 0 {
		return t, t.assign(s)
	}
	node := q.NodeConfig(image)
	if t.partitions == UseDefault {
		t.partitions = node.NumPartitions
	}
	if t.replication == UseDefault {
		t.replication = node.DefaultReplicationFactor
	}
	if t.partitions < 1 {
		return t, fmt.Errorf("%w: %d, it must be 1 or more", ErrInvalidPartitions, t.partitions)
	}
	if t.replication < 1 {
		return t, fmt.Errorf("%w: %d, it must be 1 or more", ErrInvalidReplicationFactor, t.replication)
	}
	return t, nil
}

// assign takes over the assignments of the caller.
func (t *newTopic) assign(s TopicSpec) error {
	if s.Partitions != UseDefault || s.ReplicationFactor != UseDefault {
		return fmt.Errorf("%w: topic %q has assignments and also a number of partitions or a replication factor", ErrInvalidRequest, s.Name)
	}
	if len(s.Assignments) > MaxPartitionsPerNode {
		return fmt.Errorf("%w: %d partitions, %d are allowed", ErrPolicyViolation, len(s.Assignments), MaxPartitionsPerNode)
	}
	t.assignments = make([][]int32, len(s.Assignments))
	for _, a := range s.Assignments {
		if a.Partition < 0 || int(a.Partition) >= len(t.assignments) || t.assignments[a.Partition] != nil {
			return fmt.Errorf("%w: partitions must be numbered from 0 to %d, each once", ErrInvalidReplicaAssignment, len(t.assignments)-1)
		}
		sorted := slices.Sorted(slices.Values(a.Replicas))
		switch {
		case len(sorted) == 0 || len(sorted) > math.MaxInt16:
			return fmt.Errorf("%w: partition %d has %d replicas", ErrInvalidReplicaAssignment, a.Partition, len(sorted))
		case len(slices.Compact(sorted)) < len(a.Replicas):
			return fmt.Errorf("%w: partition %d names a node twice", ErrInvalidReplicaAssignment, a.Partition)
		case len(a.Replicas) != len(s.Assignments[0].Replicas):
			return fmt.Errorf("%w: partition %d has another number of replicas than partition %d", ErrInvalidReplicaAssignment, a.Partition, s.Assignments[0].Partition)
		}
		t.assignments[a.Partition] = slices.Clone(a.Replicas)
	}
	t.partitions, t.replication = int32(len(t.assignments)), int16(len(s.Assignments[0].Replicas))
	return nil
}

// DeleteTopics deletes topics by id and returns one error per id, nil for those that are gone. The image remembers the ids (Image.Deleted).
func (q *Quorum) DeleteTopics(ctx context.Context, ids []uuid.UUID) []error {
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > MaxTopicsPerRequest {
		return slices.Repeat([]error{fmt.Errorf("%w: %d topics in one request, %d are allowed", ErrPolicyViolation, len(ids), MaxTopicsPerRequest)}, len(ids))
	}
	result, err := q.propose(ctx, &deleteTopics{ids: slices.Clone(ids)})
	if err != nil {
		return slices.Repeat([]error{err}, len(ids))
	}
	return result.([]error)
}
