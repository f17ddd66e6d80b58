package streams

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

const repartitionSuffix = "-repartition"

// generatedName is how Kafka tells a generated name, whose repartition nodes are numbered, from a given one, whose nodes are
// named after the topic.
func generatedName(name string) bool {
	matched, err := regexp.MatchString(`^KSTREAM.*-[0-9]{10}$`, name)
	return err == nil && matched
}

// Repartition writes the stream to a topic of its own and reads it back, so that equal keys meet in one task.
func (s *Stream[K, V]) Repartition(opts ...Option) *Stream[K, V] {
	o := apply(opts)
	if !s.ok() {
		return &Stream[K, V]{b: s.b}
	}
	if o.partitions < 0 {
		s.b.failf("cannot repartition into %d partitions", o.partitions)
		return &Stream[K, V]{b: s.b}
	}
	name := or(o.as, o.node)
	if name == "" {
		name = s.b.generate("KSTREAM-REPARTITION-")
	}
	return s.through(name, o)
}

// through adds the repartition topic named prefix + "-repartition" below s, with its three nodes. Three indexes are used up
// in any case.
func (s *Stream[K, V]) through(prefix string, o options) *Stream[K, V] {
	failed := &Stream[K, V]{b: s.b}
	sink, filter, source := s.b.generate("KSTREAM-SINK-"), s.b.generate("KSTREAM-FILTER-"), s.b.generate("KSTREAM-SOURCE-")
	topic := strings.TrimSuffix(prefix, repartitionSuffix) + repartitionSuffix
	if !generatedName(prefix) {
		sink, filter, source = topic+"-sink", topic+"-filter", topic+"-source"
	}
	key := coderOr(s.b, o.key, "KeySerde", s.key)
	value := coderOr(s.b, o.value, "ValueSerde", s.value)
	partition, ok := partitionerOf[K, V](s.b, o)
	g := s.b.program.Graph
	g.AddRepartition(topic, o.partitions)
	if !s.b.addProcessor(filter, s.name) {
		return failed
	}
	_, err := g.AddSink(sink, topology.Sink{Topic: topic}, filter)
	if !s.b.added(sink, err) {
		return failed
	}
	_, err = g.AddSource(source, topology.Source{Topics: []string{topic}})
	if !s.b.added(source, err) || !ok {
		return failed
	}
	engine.AddSink(engine.Pass(engine.Node{Name: filter}, s.out), engine.Sink[K, V]{
		Node: engine.Node{Name: sink, OnError: o.onError}, Topic: topic, Internal: true,
		Key: s.key, KeyTo: key, Value: s.value, ValueTo: value, Partition: partition,
	})
	return &Stream[K, V]{
		b: s.b, name: source, key: key, value: value, sources: []string{source},
		out: engine.Source[K, V](s.b.program, engine.Node{Name: source, OnError: o.onError}),
	}
}

// forJoin is the stream itself, or repartitioned if its key may have changed. Two joins of one stream under one name share
// the topic.
func (s *Stream[K, V]) forJoin(prefix string) *Stream[K, V] {
	if !s.rekeyed {
		return s
	}
	if known := s.again[prefix]; known != nil {
		for range 3 {
			s.b.generate("") // Kafka uses the indexes up all the same
		}
		return known
	}
	r := s.through(prefix, options{})
	if s.again == nil {
		s.again = make(map[string]*Stream[K, V])
	}
	s.again[prefix] = r
	return r
}
