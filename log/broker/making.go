package broker

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"uuid"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/replica"
)

// making is what is known of the directories of topics. Its mutex is held while the image is followed and while directories are made: one at a time.
//
// The mark on disk tells a directory that a crash, or a full disk, kept from being made from one that was lost: only the first may be made empty. So
// it never passes a topic that is still to be made.
type making struct {
	sync.Mutex
	mark   madeMark
	stored uint64               // what the mark says, 0 if that is not known
	image  *metadata.Image      // the newest one that was followed
	unmade map[uuid.UUID]uint64 // topics of it whose directories could not be made, and the version that each came with
	tried  time.Time

	some atomic.Bool // unmade is not empty
}

// retryMaking is the time between two attempts to make the directories of topics that could not be made.
const retryMaking = time.Second

func (m *making) forget(topic uuid.UUID) {
	delete(m.unmade, topic)
	m.some.Store(len(m.unmade) > 0)
}

func (m *making) remember(t *metadata.Topic) {
	m.unmade[t.ID] = t.Created
	m.some.Store(true)
}

// store brings the mark up to a version, or to what comes before the first topic that is not made.
func (m *making) store(version uint64) error {
	for _, created := range m.unmade {
		version = min(version, created-1)
	}
	if version == m.stored {
		return nil
	}
	if err := m.mark.store(version); err != nil {
		return err
	}
	m.stored = version
	return nil
}

// create makes the logs of new topics and leads them. Those that could not be made are tried again later. Called with making held.
func (l *leaders) create(image *metadata.Image, topics []*metadata.Topic) {
	if len(topics) == 0 {
		return
	}
	var specs []partition.Spec
	for _, t := range topics {
		specs = append(specs, l.specs(image, t)...)
		l.making.remember(t)
	}
	failed := l.dir.Create(specs...)
	var made []*metadata.Topic
	for _, t := range topics {
		if l.isMade(image, t) {
			made = append(made, t)
			l.making.forget(t.ID)
		}
	}
	err := l.making.store(image.Version())
	if err != nil {
		for _, t := range made {
			l.making.remember(t)
		}
		made = nil
	}
	for _, t := range made {
		l.lead(t)
	}
	if err := errors.Join(failed, err); err != nil {
		l.log.Error("cannot make the directories of new topics", "topics", len(topics), "made", len(made), "err", err)
		l.broke(specs, err)
	}
}

// isMade tells whether every partition of a topic that this node holds is there, damaged or not.
func (l *leaders) isMade(image *metadata.Image, t *metadata.Topic) bool {
	for _, spec := range l.specs(image, t) {
		if _, err := l.dir.Log(spec.ID); errors.Is(err, partition.ErrUnknownPartition) {
			return false
		}
	}
	return true
}

// madeHere is why a new topic is not served: its directories could not be made. Whoever is told that a topic is there may rely on them.
func (l *leaders) madeHere(t *metadata.Topic) error {
	for _, p := range t.Partitions {
		if p.Leader != l.nodeID {
			continue
		}
		if _, err := l.lookUp(partition.ID{Topic: t.ID, Partition: p.Index}); err != nil && !errors.Is(err, replica.ErrNotLeader) {
			return err
		}
	}
	return nil
}

// broke notes why partitions without a leader have none, unless something better is known.
func (l *leaders) broke(specs []partition.Spec, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, spec := range specs {
		if l.mu.byID[spec.ID] == nil && l.mu.broken[spec.ID] == nil {
			l.mu.broken[spec.ID] = err
		}
	}
}

// retry makes what could not be made before, at most once in a while and never beside another: whoever asks for a partition that is not there calls it.
func (l *leaders) retry() (done bool) {
	if !l.making.some.Load() || !l.making.TryLock() {
		return false
	}
	defer l.making.Unlock()
	l.mu.RLock()
	stopped := l.mu.stopped
	l.mu.RUnlock()
	if stopped || time.Since(l.making.tried) < retryMaking {
		return false
	}
	l.making.tried = time.Now()
	var topics []*metadata.Topic
	for id := range l.making.unmade {
		if t, ok := l.making.image.TopicByID(id); ok {
			topics = append(topics, t)
		}
	}
	l.create(l.making.image, topics)
	return true
}
