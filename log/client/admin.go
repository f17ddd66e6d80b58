package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"uuid"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// adminTimeout is how long a broker may take to carry an administrative request out.
const adminTimeout = 15 * time.Second

// Admin administers a log. Its methods may be called from several goroutines. Where many things are asked for at once, the
// error of the call is about the call, and each result has an error of its own.
type Admin struct {
	cl  *kgo.Client
	adm *kadm.Client
}

// TopicSpec describes a topic to create.
type TopicSpec struct {
	Name        string
	Partitions  int32             // 0: the log's default
	Replication int16             // 0: the log's default
	Configs     map[string]string // Kafka's names
}

// CreateTopics creates topics and returns one error (or nil) per spec, in order: ErrTopicExists, ErrInvalidTopic,
// ErrInvalidPartitions, ErrInvalidConfig. A topic may not be known on every broker at once when this returns.
func (a *Admin) CreateTopics(ctx context.Context, specs ...TopicSpec) ([]error, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	for _, spec := range specs {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = spec.Name, spec.Partitions, spec.Replication
		if t.NumPartitions == 0 {
			t.NumPartitions = -1
		}
		if t.ReplicationFactor == 0 {
			t.ReplicationFactor = -1
		}
		for name, value := range spec.Configs {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, kmsg.StringPtr(value)
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return nil, fmt.Errorf("cannot create topics: %w", translate(err))
	}
	byName := make(map[string]error, len(resp.Topics))
	for _, t := range resp.Topics {
		byName[t.Topic] = fromCode(t.ErrorCode, t.ErrorMessage)
	}
	errs := make([]error, len(specs))
	for i, spec := range specs {
		topicErr, ok := byName[spec.Name]
		if !ok {
			topicErr = errNoAnswer
		}
		if topicErr != nil {
			errs[i] = fmt.Errorf("cannot create topic %q: %w", spec.Name, topicErr)
		}
	}
	return errs, nil
}

// DeleteTopics deletes topics and returns one error (or nil) per name, in order: ErrUnknownTopic.
func (a *Admin) DeleteTopics(ctx context.Context, names ...string) ([]error, error) {
	if len(names) == 0 {
		return nil, nil
	}
	resp, err := a.adm.DeleteTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("cannot delete topics: %w", translate(err))
	}
	errs := make([]error, len(names))
	for i, name := range names {
		r, ok := resp[name]
		topicErr := translateDetail(r.Err, r.ErrMessage)
		if !ok {
			topicErr = errNoAnswer
		}
		if topicErr != nil {
			errs[i] = fmt.Errorf("cannot delete topic %q: %w", name, topicErr)
		}
	}
	return errs, nil
}

// Topic describes a topic.
type Topic struct {
	Name       string
	ID         uuid.UUID // zero where the log has no topic ids
	Internal   bool
	Partitions []Partition // by index
	Err        error       // ErrUnknownTopic and the like; then the rest is empty
}

// Partition describes a partition.
type Partition struct {
	Index         int32
	Leader        int32 // -1: none
	LeaderEpoch   int32
	Replicas, ISR []int32
	Err           error
}

// Topics describes the named topics, or all of them (internal ones too) when none is named, sorted by name.
func (a *Admin) Topics(ctx context.Context, names ...string) ([]Topic, error) {
	details, err := a.adm.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("cannot list topics: %w", translate(err))
	}
	topics := make([]Topic, 0, len(details))
	for _, d := range details {
		t := Topic{Name: d.Topic, ID: uuid.UUID(d.ID), Internal: d.IsInternal}
		if d.Err != nil {
			t.Err = fmt.Errorf("cannot describe topic %q: %w", d.Topic, translate(d.Err))
		}
		for _, p := range d.Partitions.Sorted() {
			t.Partitions = append(t.Partitions, Partition{
				Index: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR, Err: translate(p.Err),
			})
		}
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	return topics, nil
}

// Cluster describes the brokers of a log.
type Cluster struct {
	ID         string
	Controller int32 // -1: unknown
	Brokers    []Broker
}

// Broker is one node of a log as clients reach it.
type Broker struct {
	ID   int32
	Host string
	Port int32
	Rack string
}

// Cluster describes the brokers.
func (a *Admin) Cluster(ctx context.Context) (Cluster, error) {
	m, err := a.adm.BrokerMetadata(ctx)
	if err != nil {
		return Cluster{}, fmt.Errorf("cannot describe cluster: %w", translate(err))
	}
	c := Cluster{ID: m.Cluster, Controller: m.Controller}
	for _, b := range m.Brokers {
		broker := Broker{ID: b.NodeID, Host: b.Host, Port: b.Port}
		if b.Rack != nil {
			broker.Rack = *b.Rack
		}
		c.Brokers = append(c.Brokers, broker)
	}
	slices.SortFunc(c.Brokers, func(a, b Broker) int { return int(a.ID) - int(b.ID) })
	return c, nil
}
