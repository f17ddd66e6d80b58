package broker

import (
	"errors"
	"fmt"

	"uuid"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/replica"
)

var (
	errUnknownPartition    = errors.New("no such topic or partition")
	errUnknownTopicID      = errors.New("no topic has this id")
	errInconsistentTopicID = errors.New("the topic has another id")
)

// noTopicID is what a request carries that names its topic.
var noTopicID uuid.UUID

// topicRef is how a request names a topic: by id if it carries one, else by name. An id never falls back to the name: a stale id must not
// reach a topic that was made again (KIP-516).
type topicRef struct {
	name string
	id   uuid.UUID
	byID bool
}

// resolve finds the topic in the image.
func (ref topicRef) resolve(image *metadata.Image) (*metadata.Topic, error) {
	if ref.byID {
		t, ok := image.TopicByID(ref.id)
		if !ok {
			return nil, fmt.Errorf("%w: %s", errUnknownTopicID, ref.id)
		}
		return t, nil
	}
	t, ok := image.Topic(ref.name)
	if !ok {
		return nil, fmt.Errorf("%w: topic %q", errUnknownPartition, ref.name)
	}
	return t, nil
}

// leader finds the leader of one partition of a resolved topic on this node.
func (b *Broker) leader(t *metadata.Topic, index int32) (*replica.Leader, error) {
	if index < 0 || int(index) >= len(t.Partitions) {
		return nil, fmt.Errorf("%w: %s has partitions 0 to %d, not %d", errUnknownPartition, t.Name, len(t.Partitions)-1, index)
	}
	return b.leaders.get(partition.ID{Topic: t.ID, Partition: index})
}
