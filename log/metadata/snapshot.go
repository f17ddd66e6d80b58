package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A snapshot is one image:
//
//	+------+---------+-------------------------------------------------------------------------------------+
//	| MRMI | version | index, cluster, controller and term, producer id, features, brokers, configs, topics, |
//	| 4 B  | uvarint | deleted ids; each list with its length first                                          |
//	+------+---------+-------------------------------------------------------------------------------------+
//
// raft's snapshot store keeps a CRC of it.
const (
	imageMagic   = "MRMI"
	imageVersion = 1
)

func encodeImage(i *Image) []byte {
	w := &writer{b: make([]byte, 0, 1024+64*len(i.byName))}
	w.b = append(w.b, imageMagic...)
	w.uint(imageVersion)
	w.uint(i.version)
	w.string(i.clusterID)
	w.int(int64(i.controller))
	w.uint(i.controllerTerm)
	w.int(i.nextProducerID)
	w.int(i.featuresEpoch)
	w.uint(uint64(len(i.features)))
	for _, f := range i.features {
		w.string(f.Name)
		w.int(int64(f.Level))
	}
	w.uint(uint64(len(i.brokers)))
	for _, b := range i.brokers {
		w.int(int64(b.ID))
		w.int(b.Epoch)
		w.id(b.Incarnation)
		encodeEndpoints(w, b.Endpoints)
		w.string(b.Rack)
		w.bool(b.Fenced)
	}
	w.uint(uint64(len(i.configs)))
	for _, r := range slices.SortedFunc(maps.Keys(i.configs), compareResources) {
		w.int(int64(r.Type))
		w.string(r.Name)
		w.strings(i.configs[r])
	}
	w.uint(uint64(len(i.byName)))
	for _, t := range i.byName {
		encodeTopic(w, t)
	}
	w.uint(uint64(len(i.deleted)))
	for _, id := range i.deleted {
		w.id(id)
	}
	return w.b
}

func encodeTopic(w *writer, t *Topic) {
	w.id(t.ID)
	w.string(t.Name)
	w.bool(t.Internal)
	w.uint(t.Created)
	w.strings(t.Config)
	w.uint(uint64(len(t.Partitions)))
	for p := range t.Partitions {
		part := &t.Partitions[p]
		w.int(int64(part.Leader))
		w.int(int64(part.LeaderEpoch))
		w.int(int64(part.PartitionEpoch))
		w.nodes(part.Replicas)
		w.nodes(part.ISR)
	}
}

func compareResources(a, b Resource) int {
	if a.Type != b.Type {
		return int(a.Type) - int(b.Type)
	}
	return strings.Compare(a.Name, b.Name)
}

// decodeImage reads a snapshot; a version that it does not know is ErrNewerFormat.
func decodeImage(b []byte) (*Image, error) {
	r := &reader{b: b}
	if magic := r.take(uint64(len(imageMagic))); string(magic) != imageMagic {
		return nil, fmt.Errorf("cannot decode metadata snapshot: it does not begin with %q", imageMagic)
	}
	version := r.uint()
	if r.err == nil && version > imageVersion {
		return nil, fmt.Errorf("cannot decode metadata snapshot of version %d: %w (this one knows version %d)", version, ErrNewerFormat, imageVersion)
	}
	if r.err == nil && version == 0 {
		r.fail(fmt.Errorf("version 0"))
	}
	i := emptyImage()
	i.version = r.uint()
	i.clusterID = r.string()
	i.controller = narrow[int32](r)
	i.controllerTerm = r.uint()
	i.nextProducerID = r.int()
	i.featuresEpoch = r.int()
	decodeCluster(r, i)
	topics := make([]*Topic, r.count(minTopic))
	for at := range topics {
		topics[at] = decodeTopic(r)
	}
	if n := r.count(16); n > 0 {
		i.deleted = slices.Grow(i.deleted, n)
		for range n {
			i.deleted = append(i.deleted, r.id())
		}
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("cannot decode metadata snapshot: %w", err)
	}
	i.setTopics(topics)
	if err := i.check(); err != nil {
		return nil, fmt.Errorf("cannot decode metadata snapshot: %w", err)
	}
	return i, nil
}

// decodeCluster reads features, brokers and their configs.
func decodeCluster(r *reader, i *Image) {
	if n := r.count(2); n > 0 {
		i.features = make([]Feature, n)
	}
	for at := range i.features {
		i.features[at] = Feature{Name: r.string(), Level: narrow[int16](r)}
	}
	if n := r.count(minBroker); n > 0 {
		i.brokers = make([]Broker, n)
	}
	for at := range i.brokers {
		i.brokers[at] = Broker{
			ID: narrow[int32](r), Epoch: r.int(), Incarnation: r.id(), Endpoints: decodeEndpoints(r), Rack: r.string(), Fenced: r.bool(),
		}
	}
	if n := r.count(3); n > 0 {
		i.configs = make(map[Resource]map[string]string, n)
		for range n {
			key := Resource{Type: narrow[ResourceType](r), Name: r.string()}
			i.configs[key] = r.strings()
		}
	}
}

// The smallest encodings, for the bound on counts.
const (
	minBroker    = 1 + 1 + 16 + 1 + 1 + 1
	minTopic     = 16 + 1 + 1 + 1 + 1 + 1
	minPartition = 5
)

func decodeTopic(r *reader) *Topic {
	t := &Topic{ID: r.id(), Name: r.string(), Internal: r.bool(), Created: r.uint(), Config: r.strings()}
	t.key = collisionKey(t.Name)
	t.Partitions = make([]Partition, r.count(minPartition))
	for p := range t.Partitions {
		t.Partitions[p] = Partition{
			Index: int32(p), Leader: narrow[int32](r), LeaderEpoch: narrow[int32](r), PartitionEpoch: narrow[int32](r), Replicas: r.nodes(), ISR: r.nodes(),
		}
	}
	return t
}

// check refuses an image that no sequence of commands could have made: its searches would go wrong.
func (i *Image) check() error {
	for at := 1; at < len(i.byName); at++ {
		if i.byID[at-1].ID == i.byID[at].ID || i.byKey[at-1].key == i.byKey[at].key {
			return fmt.Errorf("a topic is in it twice")
		}
	}
	for at := 1; at < len(i.brokers); at++ {
		if i.brokers[at-1].ID >= i.brokers[at].ID {
			return fmt.Errorf("its brokers are out of order")
		}
	}
	for at := 1; at < len(i.features); at++ {
		if i.features[at-1].Name >= i.features[at].Name {
			return fmt.Errorf("its features are out of order")
		}
	}
	return nil
}
