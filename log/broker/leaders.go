package broker

import (
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"uuid"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/group"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/replica"
)

// leaders holds the partitions this node leads and follows the metadata image: it makes, configures and deletes their logs.
//
// A directory that is missing although the topic was reported made is never made again empty: see [making].
type leaders struct {
	nodeID int32
	quorum *metadata.Quorum
	dir    *partition.Directory
	groups *coordinator.Host
	log    *slog.Logger
	making making

	mu struct {
		sync.RWMutex
		byID    map[partition.ID]*replica.Leader
		broken  map[partition.ID]error // why a partition of this node has no leader
		stopped bool
	}
}

func newLeaders(cfg Config, groups *coordinator.Host) *leaders {
	l := &leaders{
		nodeID: cfg.NodeID, quorum: cfg.Quorum, dir: cfg.Directory, groups: groups, log: cfg.Logger,
	}
	l.making.mark.fs = cfg.FS
	l.making.unmade = make(map[uuid.UUID]uint64)
	l.mu.byID = make(map[partition.ID]*replica.Leader)
	l.mu.broken = make(map[partition.ID]error)
	return l
}

// start loads every partition of the current image and follows the changes from there.
func (l *leaders) start() error {
	image := l.quorum.Image()
	if err := l.load(image); err != nil {
		return err
	}
	l.deleteStrays(image)
	if now := l.quorum.Subscribe(l.follow); now != image {
		l.follow(image, now)
	}
	return nil
}

// load opens and leads the partitions of the first image.
func (l *leaders) load(image *metadata.Image) error {
	l.making.Lock()
	defer l.making.Unlock()
	made, err := l.making.mark.load()
	if err != nil {
		return err
	}
	l.making.image = image
	var specs []partition.Spec
	var known, fresh []*metadata.Topic
	for t := range image.Topics() {
		if t.Created > made {
			fresh = append(fresh, t) // the crash came between the metadata and the directories: nobody was told it is there
		} else {
			known = append(known, t)
			specs = append(specs, l.specs(image, t)...)
		}
	}
	if err := l.dir.Load(specs...); err != nil {
		return err
	}
	for _, t := range known {
		l.lead(t)
	}
	l.create(image, fresh)
	return l.dir.Err()
}

// deleteStrays removes the logs of topics that committed metadata deleted while this node was down. The image was read after a barrier of the
// quorum's own term; what it never knew is left alone and named.
func (l *leaders) deleteStrays(image *metadata.Image) {
	strays, err := l.dir.Strays()
	if err != nil {
		l.log.Error("cannot look for directories of deleted topics", "err", err)
	}
	for _, id := range strays {
		if !image.Deleted(id.Topic) {
			l.log.Warn("a partition directory belongs to no topic of this cluster; it is left as it is", "topic_id", id.Topic, "partition", id.Partition)
			continue
		}
		if err := l.dir.Delete(id); err != nil {
			l.log.Error("cannot delete the log of a deleted topic", "topic_id", id.Topic, "partition", id.Partition, "err", err)
		}
	}
}

// specs are the partitions of t that this node holds.
func (l *leaders) specs(image *metadata.Image, t *metadata.Topic) []partition.Spec {
	cfg := l.logConfig(image, t)
	var specs []partition.Spec
	for _, p := range t.Partitions {
		for _, node := range p.Replicas {
			if node == l.nodeID {
				specs = append(specs, partition.Spec{ID: partition.ID{Topic: t.ID, Partition: p.Index}, Name: t.Name, Config: cfg})
			}
		}
	}
	return specs
}

// follow applies a change of the image; it runs on the quorum's applying goroutine, before the proposer hears of the change.
func (l *leaders) follow(old, now *metadata.Image) {
	l.making.Lock()
	defer l.making.Unlock()
	l.mu.RLock()
	stopped := l.mu.stopped
	l.mu.RUnlock()
	if stopped {
		return
	}
	l.making.image = now
	for t := range old.Topics() {
		if _, ok := now.TopicByID(t.ID); !ok {
			l.remove(old, t)
		}
	}
	var fresh []*metadata.Topic
	for t := range now.Topics() {
		before, ok := old.TopicByID(t.ID)
		switch {
		case !ok:
			fresh = append(fresh, t)
		case before != t:
			l.update(now, before, t)
		}
	}
	l.create(now, fresh)
}

// lead takes the leadership that the image gives this node. A partition that cannot be led stays offline, with its reason.
func (l *leaders) lead(t *metadata.Topic) {
	for _, p := range t.Partitions {
		if p.Leader != l.nodeID {
			continue
		}
		id := partition.ID{Topic: t.ID, Partition: p.Index}
		log, err := l.dir.Log(id)
		var leader *replica.Leader
		if err == nil {
			leader, err = replica.Lead(log, p.LeaderEpoch)
		}
		l.mu.Lock()
		if err != nil {
			l.mu.broken[id] = err
		} else {
			delete(l.mu.broken, id)
			l.mu.byID[id] = leader
		}
		l.mu.Unlock()
		switch {
		case err != nil:
			l.log.Error("a partition is offline", "topic", t.Name, "partition", p.Index, "err", err)
		case t.Name == offsetsTopic:
			l.groups.Elect(p.Index, p.LeaderEpoch, coordinatorLog{leader})
		}
	}
}

// update passes a changed configuration on.
func (l *leaders) update(image *metadata.Image, before, t *metadata.Topic) {
	if maps.Equal(before.Config, t.Config) {
		return
	}
	cfg := l.logConfig(image, t)
	for _, p := range t.Partitions {
		if log, err := l.dir.Log(partition.ID{Topic: t.ID, Partition: p.Index}); err == nil {
			log.SetConfig(cfg)
		}
	}
}

// remove stops leading a deleted topic and deletes its logs.
func (l *leaders) remove(image *metadata.Image, t *metadata.Topic) {
	l.making.forget(t.ID)
	for _, spec := range l.specs(image, t) {
		l.mu.Lock()
		leader := l.mu.byID[spec.ID]
		delete(l.mu.byID, spec.ID)
		delete(l.mu.broken, spec.ID)
		l.mu.Unlock()
		if leader != nil {
			leader.Stop(replica.ErrNotLeader)
		}
		if err := l.dir.Delete(spec.ID); err != nil && !errors.Is(err, partition.ErrUnknownPartition) {
			l.log.Error("cannot delete a log", "topic", t.Name, "partition", spec.ID.Partition, "err", err)
		}
	}
	l.forgetOffsets(t)
}

// get is the leader of a partition, or why there is none here.
func (l *leaders) get(id partition.ID) (*replica.Leader, error) {
	leader, err := l.lookUp(id)
	if err != nil && l.retry() {
		return l.lookUp(id)
	}
	return leader, err
}

func (l *leaders) lookUp(id partition.ID) (*replica.Leader, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if leader := l.mu.byID[id]; leader != nil {
		return leader, nil
	}
	if err := l.mu.broken[id]; err != nil {
		return nil, err
	}
	return nil, replica.ErrNotLeader
}

// online says whether a partition can be served; metadata replies show it.
func (l *leaders) online(id partition.ID) bool {
	leader, err := l.get(id)
	return err == nil && leader.Log().Err() == nil
}

// stop ends every leadership. What is being made is finished before.
func (l *leaders) stop() {
	l.making.Lock()
	defer l.making.Unlock()
	l.mu.Lock()
	l.mu.stopped = true
	all := maps.Clone(l.mu.byID)
	clear(l.mu.byID)
	l.mu.Unlock()
	for id := range all {
		all[id].Stop(replica.ErrNotLeader)
	}
}

// logConfig is what the effective configuration of a topic means for its logs.
func (l *leaders) logConfig(image *metadata.Image, t *metadata.Topic) partition.Config {
	c := l.quorum.TopicConfig(image, t)
	return partition.Config{
		SegmentBytes: c.SegmentBytes, SegmentAge: c.SegmentAge, RetentionBytes: c.RetentionBytes, RetentionAge: c.RetentionAge,
		MaxMessageBytes: c.MaxMessageBytes, IndexIntervalBytes: c.IndexIntervalBytes, Delete: c.Delete, Compact: c.Compact,
		LogAppendTime: c.LogAppendTime, TimestampBeforeMax: c.TimestampBeforeMax, TimestampAfterMax: c.TimestampAfterMax,
		ProducerIDExpiration: l.quorum.NodeConfig(image).ProducerIDExpiration, MaxDecompressedBytes: c.MaxDecompressedBytes,
	}
}

// forgetOffsets drops what groups committed of a deleted topic. It appends to another partition, and so must not wait for its disk: Each does not.
func (l *leaders) forgetOffsets(t *metadata.Topic) {
	err := l.groups.Each(func(_ int32, m coordinator.Machine, now time.Duration) coordinator.Effects {
		return m.(*group.Machine).TopicDeleted(now, t.ID, t.Name)
	})
	if err != nil {
		l.log.Warn("cannot drop the committed offsets of a deleted topic; they expire", "topic", t.Name, "err", err)
	}
}
