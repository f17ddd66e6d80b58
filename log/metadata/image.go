package metadata

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"
	"uuid"
)

// ResourceType is what a dynamic configuration belongs to; the values are Kafka's.
type ResourceType int8

const (
	TopicResource  ResourceType = 2
	BrokerResource ResourceType = 4
)

// Resource names one thing that has a configuration. A broker is named by its id in decimal; the empty name is the default of all brokers.
type Resource struct {
	Type ResourceType
	Name string
}

// Topic is one topic. It is immutable, and so is everything in it: a change makes a new Topic, so that == tells whether anything changed.
type Topic struct {
	ID         uuid.UUID // never zero
	Name       string
	Partitions []Partition       // by Index, which counts from 0 without gaps
	Config     map[string]string // what was set on the topic itself
	Internal   bool
	Created    uint64 // Image.Version in which it first was

	key string // Name with '.' written '_': no two topics share one
}

// Partition is the state that the controller keeps of one partition.
type Partition struct {
	Index          int32
	Leader         int32 // node id; -1: none
	LeaderEpoch    int32 // rises with every new leadership
	PartitionEpoch int32 // rises with every change of this struct
	Replicas, ISR  []int32
}

// Endpoint is where one listener of a broker can be reached.
type Endpoint struct {
	Name string // of the listener
	Host string
	Port int32
}

// Broker is a registered broker.
type Broker struct {
	ID          int32
	Epoch       int64     // names this uptime; the raft index of its registration, so it only rises
	Incarnation uuid.UUID // random, made by the broker at its start
	Endpoints   []Endpoint
	Rack        string
	Fenced      bool // false from registration on: no heartbeat exists yet that could fence
}

// Feature is one finalized feature level (KIP-584).
type Feature struct {
	Name  string
	Level int16
}

// Image is the whole cluster metadata as of one entry of the quorum's log. It is immutable: every slice and map in it is read-only, and it may be
// kept as long as one likes.
type Image struct {
	version        uint64
	clusterID      string
	controller     int32
	controllerTerm uint64
	byName         []*Topic // the same topics in three orders: sorted slices, because copying 10,000 pointers is cheaper than copying a map
	byID           []*Topic
	byKey          []*Topic
	deleted        []uuid.UUID // of the last topics deleted, oldest first, at most maxDeleted
	brokers        []Broker    // by ID
	configs        map[Resource]map[string]string
	nextProducerID int64
	features       []Feature // by Name
	featuresEpoch  int64
}

func emptyImage() *Image {
	return &Image{controller: -1}
}

// Topic finds a topic by name.
func (i *Image) Topic(name string) (*Topic, bool) {
	at, ok := slices.BinarySearchFunc(i.byName, name, func(t *Topic, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return nil, false
	}
	return i.byName[at], true
}

// TopicByID finds a topic by id.
func (i *Image) TopicByID(id uuid.UUID) (*Topic, bool) {
	at, ok := slices.BinarySearchFunc(i.byID, id, func(t *Topic, id uuid.UUID) int { return compareIDs(t.ID, id) })
	if !ok {
		return nil, false
	}
	return i.byID[at], true
}

// Topics goes through all topics in the order of their names.
func (i *Image) Topics() iter.Seq[*Topic] { return slices.Values(i.byName) }

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return len(i.byName) }

// Deleted says that a topic with this id was deleted by a committed command. The last maxDeleted deletions are remembered: false does not mean that
// the topic never was, so nothing may be destroyed on a false.
func (i *Image) Deleted(id uuid.UUID) bool { return slices.Contains(i.deleted, id) }

// Brokers are the registered brokers by id.
func (i *Image) Brokers() []Broker { return i.brokers }

// Broker finds a registered broker.
func (i *Image) Broker(id int32) (Broker, bool) {
	at, ok := slices.BinarySearchFunc(i.brokers, id, func(b Broker, id int32) int { return cmp.Compare(b.ID, id) })
	if !ok {
		return Broker{}, false
	}
	return i.brokers[at], true
}

// Controller is the node that leads the quorum, as of this image; -1 before the first one.
func (i *Image) Controller() int32 { return i.controller }

// ClusterID is Kafka's form of the id made once at bootstrap: 22 characters of base64url.
func (i *Image) ClusterID() string { return i.clusterID }

// Version is the raft index of the last entry in this image. It only rises.
func (i *Image) Version() uint64 { return i.version }

// Features are the finalized feature levels by name, and the epoch, which only rises, to announce them with.
func (i *Image) Features() ([]Feature, int64) { return i.features, i.featuresEpoch }

// Config is what was set dynamically on a resource; nil if nothing was.
func (i *Image) Config(r Resource) map[string]string {
	if r.Type == TopicResource {
		if t, ok := i.Topic(r.Name); ok {
			return t.Config
		}
		return nil
	}
	return i.configs[r]
}

// collision finds the topic that has the name, or one that differs from it only in '.' against '_'.
func (i *Image) collision(name string) (*Topic, bool) {
	key := collisionKey(name)
	at, ok := slices.BinarySearchFunc(i.byKey, key, func(t *Topic, key string) int { return strings.Compare(t.key, key) })
	if !ok {
		return nil, false
	}
	return i.byKey[at], true
}

// replicaCounts is how many replicas each node holds.
func (i *Image) replicaCounts() map[int32]uint64 {
	counts := make(map[int32]uint64, len(i.brokers))
	for _, t := range i.byName {
		for p := range t.Partitions {
			for _, node := range t.Partitions[p].Replicas {
				counts[node]++
			}
		}
	}
	return counts
}

// setTopics gives a copy under construction exactly these topics; the slice is kept.
func (i *Image) setTopics(topics []*Topic) {
	i.byName = topics
	slices.SortFunc(i.byName, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	i.byID = slices.SortedFunc(slices.Values(topics), func(a, b *Topic) int { return compareIDs(a.ID, b.ID) })
	i.byKey = slices.SortedFunc(slices.Values(topics), func(a, b *Topic) int { return strings.Compare(a.key, b.key) })
}

// addTopics puts new topics into a copy under construction.
func (i *Image) addTopics(added []*Topic) {
	i.byName = merge(i.byName, added, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	i.byID = merge(i.byID, added, func(a, b *Topic) int { return compareIDs(a.ID, b.ID) })
	i.byKey = merge(i.byKey, added, func(a, b *Topic) int { return strings.Compare(a.key, b.key) })
}

// removeTopics drops topics from a copy under construction.
func (i *Image) removeTopics(gone map[*Topic]bool) {
	keep := func(topics []*Topic) []*Topic {
		kept := make([]*Topic, 0, len(topics)-len(gone))
		for _, t := range topics {
			if !gone[t] {
				kept = append(kept, t)
			}
		}
		return kept
	}
	i.byName, i.byID, i.byKey = keep(i.byName), keep(i.byID), keep(i.byKey)
}

// replaceTopics puts changed topics, same id and name, in the place of the old ones of a copy under construction.
func (i *Image) replaceTopics(changed map[uuid.UUID]*Topic) {
	replace := func(topics []*Topic) []*Topic {
		next := slices.Clone(topics)
		for at, t := range next {
			if c := changed[t.ID]; c != nil {
				next[at] = c
			}
		}
		return next
	}
	i.byName, i.byID, i.byKey = replace(i.byName), replace(i.byID), replace(i.byKey)
}

// merge makes a sorted slice of a sorted one and a few more.
func merge(sorted, added []*Topic, compare func(a, b *Topic) int) []*Topic {
	added = slices.SortedFunc(slices.Values(added), compare)
	out := make([]*Topic, 0, len(sorted)+len(added))
	for _, t := range added {
		at, _ := slices.BinarySearchFunc(sorted, t, compare)
		out = append(append(out, sorted[:at]...), t)
		sorted = sorted[at:]
	}
	return append(out, sorted...)
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
