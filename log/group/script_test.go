package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestGroupScript tells the life of groups: see the prose in testdata/scripts. Every step is also checked against a restart (rig.check).
func TestGroupScript(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		r := newRig(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			r.t = t
			if d.Cmd == "new" {
				r = newRig(t, configure(t, d))
				return ""
			}
			return step(t, d, r)
		})
	})
}

// configure reads: new [delay=3s] [members=5000] [retention=168h]
func configure(t *testing.T, d *datadriven.TestData) func(*Config) {
	return func(cfg *Config) {
		cfg.InitialRebalanceDelay = duration(t, d, "delay", "0s")
		cfg.MaxMembers = number(t, d, "members", 0)
		cfg.Retention = duration(t, d, "retention", "0s")
	}
}

// step carries out one command and prints the replies and records that it led to.
func step(t *testing.T, d *datadriven.TestData, r *rig) string {
	before := len(r.records)
	var mine uint64
	switch d.Cmd {
	case "tick":
		r.advance(duration(t, d, "after", "0s"))
	case "cancel":
		r.carryOut(r.m.Cancel(r.now, uint64(number(t, d, "request", 0))))
	case "restart":
		r.restart()
		return dump(r.m)
	case "unload":
		r.carryOut(r.m.Unload())
	case "fail":
		r.fail = true
	case "state":
		return dump(r.m)
	case "topic":
		r.topics.add(d.CmdArgs[0].Key, byte(number(t, d, "id", 0)), int32(number(t, d, "partitions", 1)))
	case "topic-deleted":
		name := d.CmdArgs[0].Key
		id := r.topics.byName[name]
		delete(r.topics.byName, name)
		r.carryOut(r.m.TopicDeleted(r.now, id, name))
	default:
		mine = r.send(word(d, "client", "c"), request(t, d))
	}
	var b strings.Builder
	var tokens []uint64
	for token := range r.replies {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		fmt.Fprintf(&b, "#%d: %s\n", token, summary(take[kmsg.Response](r, token)))
	}
	if mine != 0 && !slices.Contains(tokens, mine) {
		if r.dropped[mine] {
			fmt.Fprintf(&b, "#%d: not appended\n", mine)
		} else {
			fmt.Fprintf(&b, "#%d: parked\n", mine)
		}
	}
	for _, record := range r.records[before:] {
		fmt.Fprintf(&b, "%s\n", recordSummary(record))
	}
	return b.String()
}

// request makes a request of a command line: <api> <group> key=value…
func request(t *testing.T, d *datadriven.TestData) kmsg.Request {
	group := ""
	if len(d.CmdArgs) > 0 && len(d.CmdArgs[0].Vals) == 0 {
		group = d.CmdArgs[0].Key
	}
	id, generation := word(d, "id", ""), int32(number(t, d, "gen", -1))
	version := func(def int) int16 { return int16(number(t, d, "v", def)) }
	switch d.Cmd {
	case "join":
		return joinRequest(t, d, group, id, version(9))
	case "sync":
		q := kmsg.NewPtrSyncGroupRequest()
		q.Version, q.Group, q.MemberID, q.InstanceID, q.Generation = version(5), group, id, optional(d, "instance"), generation
		q.Protocol = optional(d, "protocol")
		for _, share := range words(d, "assign") {
			who, what, _ := strings.Cut(share, "=")
			q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: who, MemberAssignment: []byte(what)})
		}
		return q
	case "heartbeat":
		q := kmsg.NewPtrHeartbeatRequest()
		q.Version, q.Group, q.MemberID, q.InstanceID, q.Generation = version(4), group, id, optional(d, "instance"), generation
		return q
	case "leave":
		q := kmsg.NewPtrLeaveGroupRequest()
		q.Version, q.Group, q.MemberID = version(5), group, id
		for _, who := range words(d, "ids") {
			q.Members = append(q.Members, kmsg.LeaveGroupRequestMember{MemberID: who})
		}
		for _, instance := range words(d, "instances") {
			q.Members = append(q.Members, kmsg.LeaveGroupRequestMember{InstanceID: &instance})
		}
		return q
	case "commit":
		return commitRequest(t, d, group, id, generation)
	case "fetch":
		return fetchRequest(t, d, group)
	case "describe":
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Version, q.Groups = version(6), []string{group}
		return q
	case "list":
		q := kmsg.NewPtrListGroupsRequest()
		q.Version, q.StatesFilter, q.TypesFilter = version(5), words(d, "states"), words(d, "types")
		return q
	case "delete":
		q := kmsg.NewPtrDeleteGroupsRequest()
		q.Version, q.Groups = version(2), []string{group}
		return q
	case "delete-offset":
		q := kmsg.NewPtrOffsetDeleteRequest()
		q.Group = group
		topic := kmsg.NewOffsetDeleteRequestTopic()
		topic.Topic = word(d, "topic", "orders")
		topic.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: int32(number(t, d, "partition", 0))}}
		q.Topics = append(q.Topics, topic)
		return q
	}
	d.Fatalf(t, "unknown command %s", d.Cmd)
	return nil
}

func joinRequest(t *testing.T, d *datadriven.TestData, group, id string, version int16) kmsg.Request {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.InstanceID = version, group, id, optional(d, "instance")
	q.SessionTimeoutMillis = int32(duration(t, d, "session", "10s").Milliseconds())
	q.RebalanceTimeoutMillis = int32(duration(t, d, "rebalance", "60s").Milliseconds())
	q.ProtocolType = word(d, "type", "consumer")
	topics := words(d, "topics")
	if topics == nil {
		topics = []string{"orders"}
	}
	names := words(d, "protocols")
	if names == nil {
		names = []string{"range"}
	}
	for _, name := range names {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, consumerMetadata(topics...)
		if raw := word(d, "metadata", ""); raw != "" {
			p.Metadata = []byte(raw)
		}
		q.Protocols = append(q.Protocols, p)
	}
	return q
}

func commitRequest(t *testing.T, d *datadriven.TestData, group, id string, generation int32) kmsg.Request {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.InstanceID, q.Generation = int16(number(t, d, "v", 9)), group, id, optional(d, "instance"), generation
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID[15] = word(d, "topic", "orders"), byte(number(t, d, "topic-id", 0))
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = int32(number(t, d, "partition", 0)), int64(number(t, d, "offset", 0)), optional(d, "metadata")
	if n := number(t, d, "metadata-bytes", 0); n > 0 {
		long := strings.Repeat("x", n)
		p.Metadata = &long
	}
	topic.Partitions = append(topic.Partitions, p)
	q.Topics = append(q.Topics, topic)
	return q
}

func fetchRequest(t *testing.T, d *datadriven.TestData, group string) kmsg.Request {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version, q.Group = int16(number(t, d, "v", 9)), group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	if name, id := word(d, "topic", ""), number(t, d, "topic-id", 0); name != "" || id != 0 {
		partition := int32(number(t, d, "partition", 0))
		q.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: name, Partitions: []int32{partition}}}
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, TopicID: [16]byte{15: byte(id)}, Partitions: []int32{partition}}}
	}
	q.Groups = append(q.Groups, g)
	return q
}

func word(d *datadriven.TestData, key, def string) string {
	if arg, ok := d.Arg(key); ok && len(arg.Vals) > 0 {
		return arg.Vals[0]
	}
	return def
}

func words(d *datadriven.TestData, key string) []string {
	if arg, ok := d.Arg(key); ok {
		return arg.Vals
	}
	return nil
}

func optional(d *datadriven.TestData, key string) *string {
	if v := word(d, key, ""); v != "" {
		return &v
	}
	return nil
}

func number(t *testing.T, d *datadriven.TestData, key string, def int) int {
	d.MaybeScanArgs(t, key, &def)
	return def
}

func duration(t *testing.T, d *datadriven.TestData, key, def string) time.Duration {
	v, err := time.ParseDuration(word(d, key, def))
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}
