package metadata

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ConfigSource is where a value comes from; the values are Kafka's.
type ConfigSource int8

const (
	SourceTopic         ConfigSource = 1 // set on the topic
	SourceBroker        ConfigSource = 2 // set on this broker, dynamically
	SourceDefaultBroker ConfigSource = 3 // set on all brokers, dynamically
	SourceStatic        ConfigSource = 4 // from the node's configuration file
	SourceDefault       ConfigSource = 5
)

// ConfigValue is one value that a key has or would have; the first of several counts.
type ConfigValue struct {
	Name   string // the key it is set by: the key itself or a synonym
	Value  *string
	Source ConfigSource
}

// ConfigEntry is one key as DescribeConfigs shows it.
type ConfigEntry struct {
	Definition
	Value    *string // nil: null
	Source   ConfigSource
	Synonyms []ConfigValue // all values in the order in which they count, Value first
}

// DescribeConfigs is the configuration of a topic or broker as of image: the keys that are named, or all of them, by name; keys that do not exist
// are left out. Only this node's own broker resource, and the default of all brokers (empty name), can be described. Errors: ErrUnknownTopic,
// ErrUnknownResource.
func (q *Quorum) DescribeConfigs(image *Image, r Resource, keys []string) ([]ConfigEntry, error) {
	var definitions []Definition
	switch r.Type {
	case TopicResource:
		if _, ok := image.Topic(r.Name); !ok {
			return nil, fmt.Errorf("%w: %q", ErrUnknownTopic, r.Name)
		}
		definitions = TopicDefinitions()
		slices.SortFunc(definitions, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	case BrokerResource:
		if r.Name != "" && r.Name != q.self() {
			return nil, fmt.Errorf("%w: this is broker %d, not %q", ErrUnknownResource, q.cfg.NodeID, r.Name)
		}
		definitions = NodeDefinitions()
	default:
		return nil, fmt.Errorf("%w: type %d", ErrUnknownResource, r.Type)
	}
	var entries []ConfigEntry
	for i := range definitions {
		d := &definitions[i]
		if keys != nil && !slices.Contains(keys, d.Name) {
			continue
		}
		values := q.values(image, r, d)
		if r == (Resource{Type: BrokerResource}) && values[0].Source != SourceDefaultBroker {
			continue // of the default of all brokers only what was set
		}
		entries = append(entries, ConfigEntry{Definition: *d, Value: values[0].Value, Source: values[0].Source, Synonyms: values})
	}
	return entries, nil
}

func (q *Quorum) self() string { return strconv.Itoa(int(q.cfg.NodeID)) }

// layer is one place where a node's keys are set.
type layer struct {
	config map[string]string
	source ConfigSource
}

// layers are those of a broker, the one that counts first: set on it, set on all brokers, in this node's file. Without a name the first is missing.
func (q *Quorum) layers(image *Image, broker string) []layer {
	all := []layer{
		{image.Config(Resource{Type: BrokerResource, Name: broker}), SourceBroker},
		{image.Config(Resource{Type: BrokerResource}), SourceDefaultBroker},
		{q.cfg.Static, SourceStatic},
	}
	if broker == "" {
		return all[1:]
	}
	return all
}

// values are all values of a key, the one that counts first; never empty.
func (q *Quorum) values(image *Image, r Resource, d *Definition) []ConfigValue {
	if r.Type == TopicResource {
		var values []ConfigValue
		if v, ok := image.Config(r)[d.Name]; ok {
			values = append(values, ConfigValue{Name: d.Name, Value: &v, Source: SourceTopic})
		}
		layers := q.layers(image, q.self())
		for _, s := range d.Synonyms {
			values = appendValues(values, layers, s)
		}
		return append(values, defaultValue(d, d.Synonyms[0].Name))
	}
	values := appendValues(nil, q.layers(image, r.Name), Synonym{Name: d.Name, Factor: 1})
	if d.Name == "node.id" || d.Name == "broker.id" {
		id := q.self()
		return append(values, ConfigValue{Name: d.Name, Value: &id, Source: SourceStatic})
	}
	return append(values, defaultValue(d, d.Name))
}

// appendValues adds what the layers have for a node's key.
func appendValues(values []ConfigValue, layers []layer, key Synonym) []ConfigValue {
	for _, l := range layers {
		if v, ok := l.config[key.Name]; ok {
			v = scale(v, key.Factor)
			values = append(values, ConfigValue{Name: key.Name, Value: &v, Source: l.source})
		}
	}
	return values
}

func defaultValue(d *Definition, name string) ConfigValue {
	v := ConfigValue{Name: name, Source: SourceDefault}
	if !d.NoValue {
		v.Value = &d.Default
	}
	return v
}

// inherited is the value that a topic's key has if the topic says nothing: the first of its values, without the list of all.
func (d *Definition) inherited(layers []layer) string {
	for _, s := range d.Synonyms {
		for _, l := range layers {
			if v, ok := l.config[s.Name]; ok {
				return scale(v, s.Factor)
			}
		}
	}
	return d.Default
}

// scale multiplies minutes and hours; -1 stays what it is.
func scale(value string, factor int64) string {
	n := number(value)
	switch {
	case factor == 1:
		return value
	case n <= 0:
		return strconv.FormatInt(n, 10)
	case n > math.MaxInt64/factor:
		return noLimit
	}
	return strconv.FormatInt(n*factor, 10)
}

// TopicConfig is the effective configuration of a topic, typed.
type TopicConfig struct {
	SegmentBytes, SegmentIndexBytes     int64
	SegmentAge                          time.Duration
	RetentionBytes                      int64         // -1: no limit
	RetentionAge                        time.Duration // -1: no limit
	MaxMessageBytes, IndexIntervalBytes int
	Delete, Compact                     bool // cleanup.policy
	DeleteRetention                     time.Duration
	MinCompactionLag, MaxCompactionLag  time.Duration // Min ≤ Max
	MinCleanableRatio                   float64
	FileDeleteDelay                     time.Duration
	LogAppendTime                       bool
	TimestampBeforeMax                  time.Duration
	TimestampAfterMax                   time.Duration
	MinInsyncReplicas                   int
	UncleanElection                     bool
	MaxDecompressedBytes                int
}

// TopicConfig resolves the configuration of a topic as of image: its own values, then those of this broker, of all brokers, of the node's file, then
// the defaults. Durations beyond what time.Duration holds, Kafka's "none" among them, come out as the largest one.
func (q *Quorum) TopicConfig(image *Image, t *Topic) TopicConfig { return q.resolve(image, t.Config) }

func (q *Quorum) resolve(image *Image, own map[string]string) TopicConfig {
	layers := q.layers(image, q.self())
	values := make(map[string]string, len(q.topicKeys))
	for i := range q.topicKeys {
		d := &q.topicKeys[i]
		v, ok := own[d.Name]
		if !ok {
			v = d.inherited(layers)
		}
		values[d.Name] = strings.TrimSpace(v)
	}
	whole := func(key string) int64 { return number(values[key]) }
	age := func(key string) time.Duration { return milliseconds(number(values[key])) }
	ratio, _ := strconv.ParseFloat(values["min.cleanable.dirty.ratio"], 64)
	policies := splitList(values["cleanup.policy"])
	c := TopicConfig{
		SegmentBytes:         whole("segment.bytes"),
		SegmentIndexBytes:    whole("segment.index.bytes"),
		SegmentAge:           age("segment.ms"),
		RetentionBytes:       whole("retention.bytes"),
		RetentionAge:         age("retention.ms"),
		MaxMessageBytes:      int(whole("max.message.bytes")),
		IndexIntervalBytes:   int(whole("index.interval.bytes")),
		Delete:               slices.Contains(policies, "delete"),
		Compact:              slices.Contains(policies, "compact"),
		DeleteRetention:      age("delete.retention.ms"),
		MinCompactionLag:     age("min.compaction.lag.ms"),
		MaxCompactionLag:     age("max.compaction.lag.ms"),
		MinCleanableRatio:    ratio,
		FileDeleteDelay:      age("file.delete.delay.ms"),
		LogAppendTime:        values["message.timestamp.type"] == "LogAppendTime",
		TimestampBeforeMax:   age("message.timestamp.before.max.ms"),
		TimestampAfterMax:    age("message.timestamp.after.max.ms"),
		MinInsyncReplicas:    int(whole("min.insync.replicas")),
		UncleanElection:      strings.EqualFold(values["unclean.leader.election.enable"], "true"),
		MaxDecompressedBytes: int(whole("max.decompressed.message.bytes")),
	}
	c.MaxCompactionLag = max(c.MaxCompactionLag, c.MinCompactionLag) // set in two places they may contradict each other
	return c
}

// milliseconds keeps -1 as -1 and does not overflow.
func milliseconds(n int64) time.Duration {
	switch {
	case n < 0:
		return -1
	case n > math.MaxInt64/int64(time.Millisecond):
		return math.MaxInt64
	}
	return time.Duration(n) * time.Millisecond
}

// NodeConfig is the effective configuration of this node, typed.
type NodeConfig struct {
	AutoCreateTopics           bool
	NumPartitions              int32
	DefaultReplicationFactor   int16
	ProducerIDExpiration       time.Duration
	GroupInitialRebalanceDelay time.Duration
	GroupMinSessionTimeout     time.Duration
	GroupMaxSessionTimeout     time.Duration
	GroupMaxSize               int
	OffsetMetadataMaxBytes     int
	OffsetsRetention           time.Duration
	OffsetsPartitions          int32
}

// NodeConfig resolves it as of image.
func (q *Quorum) NodeConfig(image *Image) NodeConfig {
	definitions := slices.Concat(ownDefinitions(), groupDefinitions())
	value := func(key string) string {
		d, ok := find(definitions, key)
		if !ok {
			panic("BUG: no definition of " + key)
		}
		return strings.TrimSpace(*q.values(image, Resource{Type: BrokerResource, Name: q.self()}, d)[0].Value)
	}
	age := func(key string) time.Duration { return milliseconds(number(value(key))) }
	return NodeConfig{
		AutoCreateTopics:           strings.EqualFold(value(keyAutoCreate), "true"),
		NumPartitions:              int32(number(value(keyNumPartitions))),
		DefaultReplicationFactor:   int16(number(value(keyReplicationFactor))),
		ProducerIDExpiration:       age("producer.id.expiration.ms"),
		GroupInitialRebalanceDelay: age("group.initial.rebalance.delay.ms"),
		GroupMinSessionTimeout:     age("group.min.session.timeout.ms"),
		GroupMaxSessionTimeout:     age("group.max.session.timeout.ms"),
		GroupMaxSize:               int(number(value("group.max.size"))),
		OffsetMetadataMaxBytes:     int(number(value("offset.metadata.max.bytes"))),
		OffsetsRetention:           milliseconds(number(value("offsets.retention.minutes")) * minuteMs),
		OffsetsPartitions:          int32(number(value("offsets.topic.num.partitions"))),
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
