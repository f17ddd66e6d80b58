package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"uuid"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/group"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/replica"
	"github.com/millrace/millrace/log/wire"
)

// offsetsTopic keeps groups and their offsets, in Kafka's own format.
const offsetsTopic = "__consumer_offsets"

// offsetsConfig is what __consumer_offsets is made with, as in Kafka.
func offsetsConfig() map[string]string {
	return map[string]string{"cleanup.policy": "compact", "segment.bytes": "104857600", "compression.type": "producer"}
}

// newGroups makes the host of the group coordinators; it leads nothing until leaders.go elects it.
func newGroups(b *Broker) *coordinator.Host {
	image := b.cfg.Quorum.Image()
	partitions := b.cfg.Quorum.NodeConfig(image).OffsetsPartitions
	if t, ok := image.Topic(offsetsTopic); ok {
		partitions = int32(len(t.Partitions)) // fixed when the topic was made: the group's place follows from it
	}
	return coordinator.NewHost(coordinator.Config{
		Topic: offsetsTopic, Partitions: partitions, Wall: b.now, Logger: b.log,
		New: func() coordinator.Machine { return group.New(b.groupConfig()) },
	})
}

// groupConfig is what the node's configuration means for its groups.
func (b *Broker) groupConfig() group.Config {
	c := b.cfg.Quorum.NodeConfig(b.cfg.Quorum.Image())
	return group.Config{
		NewMemberID: func(prefix string) string { return prefix + "-" + uuid.New().String() },
		Topics:      groupTopics{b.cfg.Quorum}, Now: b.now,
		InitialRebalanceDelay: c.GroupInitialRebalanceDelay,
		MinSessionTimeout:     c.GroupMinSessionTimeout, MaxSessionTimeout: c.GroupMaxSessionTimeout,
		MaxMembers: c.GroupMaxSize, MaxOffsetMetadataBytes: c.OffsetMetadataMaxBytes, Retention: c.OffsetsRetention,
	}
}

// groupTopics is the metadata image as groups know it.
type groupTopics struct{ quorum *metadata.Quorum }

// TopicName is the name of the topic with this id.
func (t groupTopics) TopicName(id uuid.UUID) (string, bool) {
	topic, ok := t.quorum.Image().TopicByID(id)
	if !ok {
		return "", false
	}
	return topic.Name, true
}

// TopicByName is the id and the partition count of the topic with this name.
func (t groupTopics) TopicByName(name string) (id uuid.UUID, partitions int32, ok bool) {
	topic, ok := t.quorum.Image().Topic(name)
	if !ok {
		return uuid.UUID{}, 0, false
	}
	return topic.ID, int32(len(topic.Partitions)), true
}

// ensureOffsetsTopic finds the topic, or makes it.
func (b *Broker) ensureOffsetsTopic(ctx context.Context) (*metadata.Topic, error) {
	if t, ok := b.cfg.Quorum.Image().Topic(offsetsTopic); ok {
		return t, nil
	}
	b.offsetsTopic.Lock()
	defer b.offsetsTopic.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxAdminWait)
	defer cancel()
	result := b.cfg.Quorum.CreateTopics(ctx, []metadata.TopicSpec{{
		Name: offsetsTopic, Partitions: b.groups.Partitions(), ReplicationFactor: -1, Config: offsetsConfig(), Internal: true,
	}}, false)[0]
	if errors.Is(result.Err, metadata.ErrTopicExists) {
		t, _ := b.cfg.Quorum.Image().Topic(offsetsTopic)
		return t, nil
	}
	return result.Topic, result.Err
}

// coordinatorLog is a led partition as the coordinator knows it.
type coordinatorLog struct{ leader *replica.Leader }

// Append writes a batch of the coordinator's own.
func (l coordinatorLog) Append(b record.Batch) (end int64, err error) {
	a, err := l.leader.AppendOwn(b)
	if errors.Is(err, partition.ErrTooLargeForSegment) {
		err = fmt.Errorf("%w: %w", coordinator.ErrTooLarge, err)
	}
	return a.Next, err
}

// coordinatorReadBytes is how much is read at a time while a coordinator loads.
const coordinatorReadBytes = 1 << 20

// Read hands every batch from offset to the end of the log to fn.
func (l coordinatorLog) Read(offset int64, fn func(record.Batch) error) (next int64, err error) {
	log := l.leader.Log()
	next = max(offset, log.Start())
	for end := log.End(); next < end; {
		if next, err = l.readSome(next, end, fn); err != nil {
			return next, err
		}
	}
	return next, nil
}

func (l coordinatorLog) readSome(from, end int64, fn func(record.Batch) error) (next int64, err error) {
	region, err := l.leader.Log().Read(from, end, coordinatorReadBytes, true)
	if err != nil {
		return from, err
	}
	defer region.Release()
	if region.Size() == 0 {
		return end, nil
	}
	buf := make([]byte, region.Size())
	if _, err := region.ReadAt(buf, 0); err != nil {
		return from, err
	}
	for next = from; len(buf) > 0; {
		var batch record.Batch
		if batch, buf, err = record.Split(buf); err != nil {
			return next, err
		}
		if err := fn(batch); err != nil {
			return next, err
		}
		next = batch.NextOffset()
	}
	return next, nil
}

// Await blocks until the high watermark reaches offset.
func (l coordinatorLog) Await(ctx context.Context, offset int64) error {
	if l.leader.HighWatermark() >= offset {
		return nil
	}
	w := replica.NewWatcher()
	l.leader.Watch(w, offset)
	defer l.leader.Unwatch(w)
	for l.leader.HighWatermark() < offset {
		if err := errors.Join(l.leader.Err(), l.leader.Log().Err()); err != nil {
			return err
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// decodeKept decodes a request whose bytes outlive the reply: the group keeps members' metadata and assignments.
func decodeKept[M kmsg.Request](r *wire.Request, into M) (M, error) {
	r.Body = bytes.Clone(r.Body)
	return decode(r, into)
}

// inGroups hands a request to the coordinators of its groups when the reply's turn comes, and puts their answers together.
func (b *Broker) inGroups(r *wire.Request, into kmsg.Request) (wire.Reply, error) {
	req, err := decodeKept(r, into)
	if err != nil {
		return wire.Reply{}, err
	}
	client := clientOf(r)
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		var answers []kmsg.Response
		for _, part := range group.Split(req) {
			resp, err := b.groups.Submit(ctx, part.Group, client, part.Request)
			if ctx.Err() != nil {
				return wire.Reply{}, fmt.Errorf("cannot wait for the group coordinator: %w", ctx.Err())
			}
			if err != nil {
				resp = group.ErrorResponse(part.Request, code(err))
			}
			answers = append(answers, resp)
		}
		return ready(group.Merge(req, answers))
	}}, nil
}

// clientOf names the sender as group descriptions show it.
func clientOf(r *wire.Request) coordinator.Client {
	host := r.Conn.RemoteAddr().String()
	if ip, _, err := net.SplitHostPort(host); err == nil {
		host = ip
	}
	return coordinator.Client{ID: r.ClientID, Host: "/" + host}
}
