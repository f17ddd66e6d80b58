package metadata

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDefinitions: every table is sound, and every default is a value of its own key.
func TestDefinitions(t *testing.T) {
	for what, definitions := range map[string][]Definition{"topic": TopicDefinitions(), "node": NodeDefinitions()} {
		seen := make(map[string]bool)
		for i := range definitions {
			d := &definitions[i]
			if seen[d.Name] {
				t.Errorf("%s key %s is defined twice", what, d.Name)
			}
			seen[d.Name] = true
			if d.Doc == "" || !strings.HasSuffix(d.Doc, ".") {
				t.Errorf("%s key %s: doc %q", what, d.Name, d.Doc)
			}
			if err := d.Check(d.Default); (err == nil) == d.NoValue {
				t.Errorf("%s key %s: default %q: %v", what, d.Name, d.Default, err)
			}
			if what == "topic" && (len(d.Synonyms) == 0 || d.Synonyms[0].Factor != 1) {
				t.Errorf("topic key %s has no synonym of the same unit", d.Name)
			}
		}
	}
}

func TestCheckTopicConfig(t *testing.T) {
	for _, c := range []struct {
		key, value, reason string
	}{
		{"cleanup.policy", "delete", ""},
		{"cleanup.policy", "compact, delete", ""},
		{"cleanup.policy", "", "empty"},
		{"cleanup.policy", "delete,shred", `"shred" is none of`},
		{"compression.type", "producer", ""},
		{"compression.type", "zstd", "kept as the producer compressed them"},
		{"compression.type", "rar", "none of"},
		{"flush.messages", "9223372036854775807", ""},
		{"flush.messages", "1", "durability"},
		{"max.message.bytes", "1000000", ""},
		{"max.message.bytes", "-1", "not between 0 and 2147483647"},
		{"max.message.bytes", "2147483648", "not between"},
		{"max.message.bytes", "1e6", "not a whole number"},
		{"min.cleanable.dirty.ratio", "0.25", ""},
		{"min.cleanable.dirty.ratio", "1.5", "between 0 and 1"},
		{"min.cleanable.dirty.ratio", "NaN", "between 0 and 1"},
		{"message.timestamp.type", "LogAppendTime", ""},
		{"message.timestamp.type", "logappendtime", "none of"},
		{"min.insync.replicas", "0", "not between 1"},
		{"preallocate", "TRUE", ""},
		{"preallocate", "yes", "neither true nor false"},
		{"retention.ms", "-1", ""},
		{"retention.ms", " 10 ", ""},
		{"retention.ms", "-2", "not between -1"},
		{"segment.bytes", "1048576", ""},
		{"segment.bytes", "1024", "not between 1048576"},
		{"segment.jitter.ms", "5", "exactly"},
		{"retention.seconds", "1", "no such key"},
		{"log.retention.ms", "1", "no such key"},
		{"max.message.bytes", strings.Repeat(" ", maxConfigValue) + "1", "longer than"},
	} {
		err := CheckTopicConfig(map[string]string{c.key: c.value})
		var refused *ConfigError
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s=%q: %v", c.key, c.value, err)
		case c.reason != "" && (!errors.As(err, &refused) || refused.Key != c.key || !strings.Contains(refused.Reason, c.reason)):
			t.Errorf("%s=%q: %v, want %q", c.key, c.value, err, c.reason)
		}
	}
	if err := CheckTopicConfig(map[string]string{"min.compaction.lag.ms": "2", "max.compaction.lag.ms": "1"}); err == nil {
		t.Error("the smallest compaction lag is larger than the largest")
	}
}

func TestTopicConfig(t *testing.T) {
	q, err := Open(Config{Dir: t.TempDir(), NodeID: 1, Static: map[string]string{
		"log.retention.hours": "2", "log.segment.bytes": "2097152", "message.max.bytes": "500000", "log.roll.hours": "2147483647",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	register(t, q, 1, false)
	made := create(t, q, TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{
		"max.message.bytes": "7000", "cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime", "min.compaction.lag.ms": "10",
	}})[0]
	got := q.TopicConfig(q.Image(), made)
	want := TopicConfig{
		SegmentBytes: 2097152, SegmentIndexBytes: 10485760, SegmentAge: math.MaxInt64, RetentionBytes: -1, RetentionAge: 2 * time.Hour,
		MaxMessageBytes: 7000, IndexIntervalBytes: 4096, Delete: true, Compact: true, DeleteRetention: 24 * time.Hour,
		MinCompactionLag: 10 * time.Millisecond, MaxCompactionLag: math.MaxInt64, MinCleanableRatio: 0.5, FileDeleteDelay: time.Minute,
		LogAppendTime: true, TimestampBeforeMax: math.MaxInt64, TimestampAfterMax: time.Hour, MinInsyncReplicas: 1, MaxDecompressedBytes: 64 << 20,
	}
	if got != want {
		t.Errorf("topic config\n%+v, want\n%+v", got, want)
	}
	for _, step := range []struct {
		resource Resource
		op       ConfigOp
		want     time.Duration // of retention
	}{
		{Resource{BrokerResource, ""}, ConfigOp{Key: "log.retention.ms", Value: "3000"}, 3 * time.Second},
		{Resource{BrokerResource, "1"}, ConfigOp{Key: "log.retention.ms", Value: "2000"}, 2 * time.Second},
		{Resource{TopicResource, "t"}, ConfigOp{Key: "retention.ms", Value: "-1"}, -1},
		{Resource{TopicResource, "t"}, ConfigOp{Key: "retention.ms", Op: Delete}, 2 * time.Second},
		{Resource{BrokerResource, "1"}, ConfigOp{Key: "log.retention.ms", Op: Delete}, 3 * time.Second},
		{Resource{BrokerResource, ""}, ConfigOp{Key: "log.retention.ms", Op: Delete}, 2 * time.Hour},
	} {
		if errs := q.AlterConfigs(t.Context(), []ConfigChange{{Resource: step.resource, Ops: []ConfigOp{step.op}}}, false); errs[0] != nil {
			t.Fatalf("%v %v: %v", step.resource, step.op, errs[0])
		}
		now, _ := q.Image().Topic("t")
		if got := q.TopicConfig(q.Image(), now).RetentionAge; got != step.want {
			t.Errorf("after %v on %v the retention is %s, want %s", step.op, step.resource, got, step.want)
		}
	}
}

func TestNodeConfig(t *testing.T) {
	q, err := Open(Config{Dir: t.TempDir(), NodeID: 1, Static: map[string]string{"num.partitions": "6", "auto.create.topics.enable": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	want := NodeConfig{
		NumPartitions: 6, DefaultReplicationFactor: 1, ProducerIDExpiration: 24 * time.Hour, GroupInitialRebalanceDelay: 3 * time.Second,
		GroupMinSessionTimeout: 6 * time.Second, GroupMaxSessionTimeout: 30 * time.Minute, GroupMaxSize: 5000, OffsetMetadataMaxBytes: 4096,
		OffsetsRetention: 7 * 24 * time.Hour, OffsetsPartitions: 50,
	}
	if got := q.NodeConfig(q.Image()); got != want {
		t.Errorf("node config\n%+v, want\n%+v", got, want)
	}
	register(t, q, 1, false)
	if made := create(t, q, topic("t", UseDefault))[0]; len(made.Partitions) != 6 {
		t.Errorf("%d partitions, the default is 6", len(made.Partitions))
	}
}

func TestAlterConfigs(t *testing.T) {
	q := open(t, t.TempDir())
	register(t, q, 1, false)
	create(t, q, topic("t", 1))
	onTopic := Resource{TopicResource, "t"}
	invalid := &ConfigError{}
	for _, c := range []struct {
		name    string
		change  ConfigChange
		refused any    // an error to be, or to be as
		want    string // of the resource, if it is not refused
	}{
		{"set", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "retention.ms", Value: "5"}}}, nil, "map[retention.ms:5]"},
		{"append to the default", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "cleanup.policy", Op: Append, Value: "compact"}}}, nil, "map[cleanup.policy:delete,compact retention.ms:5]"},
		{"append what is there", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "cleanup.policy", Op: Append, Value: "compact"}}}, nil, "map[cleanup.policy:delete,compact retention.ms:5]"},
		{"subtract", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "cleanup.policy", Op: Subtract, Value: "delete"}}}, nil, "map[cleanup.policy:compact retention.ms:5]"},
		{"subtract all", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "cleanup.policy", Op: Subtract, Value: "compact"}}}, invalid, ""},
		{"append nonsense", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "cleanup.policy", Op: Append, Value: "shred"}}}, invalid, ""},
		{"append to a number", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "retention.ms", Op: Append, Value: "1"}}}, invalid, ""},
		{"bad value", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "retention.ms", Value: "x"}}}, invalid, ""},
		{"bad key", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "x", Value: "x"}}}, invalid, ""},
		{"bad operation", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "retention.ms", Op: 9}}}, ErrInvalidRequest, ""},
		{"one key twice", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "retention.ms", Value: "1"}, {Key: "retention.ms", Op: Delete}}}, ErrInvalidRequest, ""},
		{"contradiction", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "min.compaction.lag.ms", Value: "9"}, {Key: "max.compaction.lag.ms", Value: "8"}}}, invalid, ""},
		{"replace", ConfigChange{Resource: onTopic, Replace: true, Ops: []ConfigOp{{Key: "segment.ms", Value: "6"}}}, nil, "map[segment.ms:6]"},
		{"delete", ConfigChange{Resource: onTopic, Ops: []ConfigOp{{Key: "segment.ms", Op: Delete}}}, nil, "map[]"},
		{"unknown topic", ConfigChange{Resource: Resource{TopicResource, "u"}}, ErrUnknownTopic, ""},
		{"unknown broker", ConfigChange{Resource: Resource{BrokerResource, "2"}}, ErrUnknownResource, ""},
		{"broker 01", ConfigChange{Resource: Resource{BrokerResource, "01"}}, ErrUnknownResource, ""},
		{"unknown type", ConfigChange{Resource: Resource{8, "x"}}, ErrUnknownResource, ""},
		{"broker", ConfigChange{Resource: Resource{BrokerResource, "1"}, Ops: []ConfigOp{{Key: "log.retention.ms", Value: "5"}}}, nil, "map[log.retention.ms:5]"},
		{"read-only", ConfigChange{Resource: Resource{BrokerResource, "1"}, Ops: []ConfigOp{{Key: "num.partitions", Value: "5"}}}, invalid, ""},
		{"many", ConfigChange{Resource: onTopic, Ops: make([]ConfigOp, maxConfigOps+1)}, ErrPolicyViolation, ""},
	} {
		before := q.Image()
		dry := q.AlterConfigs(t.Context(), []ConfigChange{c.change}, true)[0]
		if q.Image() != before {
			t.Errorf("%s: validate-only made a new image", c.name)
		}
		err := q.AlterConfigs(t.Context(), []ConfigChange{c.change}, false)[0]
		if fmt.Sprint(err) != fmt.Sprint(dry) {
			t.Errorf("%s: %v, validated: %v", c.name, err, dry)
		}
		var bad *ConfigError
		sentinel, _ := c.refused.(error)
		switch {
		case c.refused == nil && (err != nil || fmt.Sprint(q.Image().Config(c.change.Resource)) != c.want):
			t.Errorf("%s: %v, %v, want %s", c.name, err, q.Image().Config(c.change.Resource), c.want)
		case c.refused == any(invalid) && !errors.As(err, &bad), c.refused != nil && c.refused != any(invalid) && !errors.Is(err, sentinel):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	twice := q.AlterConfigs(t.Context(), []ConfigChange{{Resource: onTopic}, {Resource: onTopic}}, false)
	if twice[0] != nil || !errors.Is(twice[1], ErrInvalidRequest) {
		t.Errorf("one resource twice: %v", twice)
	}
}

func TestDescribeConfigs(t *testing.T) {
	q, err := Open(Config{Dir: t.TempDir(), NodeID: 1, Static: map[string]string{"log.retention.hours": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	register(t, q, 1, false)
	create(t, q, TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "1"}})
	errs := q.AlterConfigs(t.Context(), []ConfigChange{{Resource: Resource{BrokerResource, ""}, Ops: []ConfigOp{{Key: "log.retention.ms", Value: "2"}}}}, false)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	show := func(r Resource, keys ...string) string {
		t.Helper()
		entries, err := q.DescribeConfigs(q.Image(), r, keys)
		if err != nil {
			return err.Error()
		}
		var lines []string
		for _, e := range entries {
			line := e.Name + ":"
			for _, v := range e.Synonyms {
				text := "null"
				if v.Value != nil {
					text = *v.Value
				}
				line += fmt.Sprintf(" %s=%s/%d", v.Name, text, v.Source)
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n")
	}
	for _, c := range []struct {
		r    Resource
		keys []string
		want string
	}{
		{Resource{TopicResource, "t"}, []string{"retention.ms", "nonsense", "cleanup.policy"}, "cleanup.policy: log.cleanup.policy=delete/5\n" +
			"retention.ms: retention.ms=1/1 log.retention.ms=2/3 log.retention.hours=7200000/4 log.retention.ms=604800000/5"},
		{Resource{BrokerResource, "1"}, []string{"log.retention.ms", "node.id", "log.retention.minutes"},
			"log.retention.minutes: log.retention.minutes=null/5\nlog.retention.ms: log.retention.ms=2/3 log.retention.ms=604800000/5\nnode.id: node.id=1/4"},
		{Resource{BrokerResource, ""}, nil, "log.retention.ms: log.retention.ms=2/3 log.retention.ms=604800000/5"},
		{Resource{TopicResource, "u"}, nil, `unknown topic: "u"`},
		{Resource{BrokerResource, "2"}, nil, `unknown resource: this is broker 1, not "2"`},
		{Resource{8, "1"}, nil, "unknown resource: type 8"},
	} {
		if got := show(c.r, c.keys...); got != c.want {
			t.Errorf("%v %v:\n%s\nwant\n%s", c.r, c.keys, got, c.want)
		}
	}
	all, err := q.DescribeConfigs(q.Image(), Resource{TopicResource, "t"}, nil)
	if err != nil || len(all) != len(TopicDefinitions()) {
		t.Errorf("%d entries, %v", len(all), err)
	}
	if !slices.IsSortedFunc(all, func(a, b ConfigEntry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("entries are not in order")
	}
}
