package group

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"uuid"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a host without a log: it applies what a machine emits, hands out replies at once, and after every step loads a second machine from the
// records, which must be in the same durable state.
type rig struct {
	t       testing.TB
	cfg     Config
	m       *Machine
	now     time.Duration
	token   uint64
	ids     int
	records []Record
	replies map[uint64]kmsg.Response // not taken yet
	order   []uint64                 // of the replies
	after   func()                   // called after every step, if set
	fail    bool                     // the next append fails
	dropped map[uint64]bool          // tokens whose reply a failed append took
	topics  fakeTopics
}

type fakeTopics struct {
	byName map[string]uuid.UUID
	parts  map[string]int32
}

func (f fakeTopics) TopicName(id uuid.UUID) (string, bool) {
	for name, other := range f.byName {
		if other == id {
			return name, true
		}
	}
	return "", false
}

func (f fakeTopics) TopicByName(name string) (uuid.UUID, int32, bool) {
	id, ok := f.byName[name]
	return id, f.parts[name], ok
}

func (f fakeTopics) add(name string, id byte, partitions int32) {
	f.byName[name], f.parts[name] = uuid.UUID{15: id}, partitions
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	r := &rig{
		t: t, replies: map[uint64]kmsg.Response{}, dropped: map[uint64]bool{},
		topics: fakeTopics{byName: map[string]uuid.UUID{}, parts: map[string]int32{}},
	}
	r.topics.add("orders", 1, 4)
	r.topics.add("payments", 2, 4)
	r.cfg = Config{
		NewMemberID: func(prefix string) string { r.ids++; return fmt.Sprintf("%s-%d", prefix, r.ids) },
		Topics:      r.topics,
	}
	for _, c := range change {
		c(&r.cfg)
	}
	r.restart()
	return r
}

// load is a machine as a restart would make it.
func (r *rig) load() *Machine {
	r.t.Helper()
	m := New(r.cfg)
	for i, record := range r.records {
		if err := m.Apply(record, int64(i)); err != nil {
			r.t.Fatalf("cannot apply record %d: %v", i, err)
		}
	}
	return m
}

func (r *rig) restart() {
	r.m = r.load()
	r.carryOut(r.m.Tick(r.now))
}

// send submits a request and returns its token.
func (r *rig) send(client string, req kmsg.Request) uint64 {
	r.t.Helper()
	r.token++
	r.carryOut(r.m.Handle(r.now, r.token, Client{ID: client, Host: "/127.0.0.1"}, req))
	return r.token
}

// ask is send for requests that are answered at once.
func ask[R kmsg.Response](r *rig, client string, req kmsg.Request) R {
	r.t.Helper()
	return take[R](r, r.send(client, req))
}

// take returns the reply to a token, which must be there.
func take[R kmsg.Response](r *rig, token uint64) R {
	r.t.Helper()
	response, ok := r.replies[token]
	if !ok {
		r.t.Fatalf("no reply to request %d", token)
	}
	delete(r.replies, token)
	return response.(R)
}

func (r *rig) parked(token uint64) bool {
	_, answered := r.replies[token]
	return !answered && !r.dropped[token]
}

func (r *rig) carryOut(e Effects) {
	r.t.Helper()
	if len(e.Records) > 0 && r.fail {
		r.fail = false
		for _, reply := range e.Replies {
			r.dropped[reply.Token] = true
			if more := r.m.Cancel(r.now, reply.Token); len(more.Records)+len(more.Replies) > 0 {
				r.t.Fatalf("cancelling has effects: %v", more)
			}
		}
		r.stepped()
		return
	}
	for _, record := range e.Records {
		r.records = append(r.records, record)
		if err := r.m.Apply(record, int64(len(r.records)-1)); err != nil {
			r.t.Fatalf("cannot apply an own record: %v", err)
		}
	}
	for _, reply := range e.Replies {
		if _, twice := r.replies[reply.Token]; twice {
			r.t.Fatalf("request %d was answered twice", reply.Token)
		}
		r.replies[reply.Token] = reply.Response
		r.order = append(r.order, reply.Token)
		reply.Response.AppendTo(nil) // it can be encoded
	}
	r.stepped()
}

func (r *rig) stepped() {
	r.t.Helper()
	r.check()
	if r.after != nil {
		r.after()
	}
}

// advance moves time on, stopping at every timer as a host does.
func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	end := r.now + d
	for {
		at, ok := r.m.NextTick()
		if !ok || at > end {
			break
		}
		r.now = max(r.now, at)
		failing := r.fail
		r.carryOut(r.m.Tick(r.now))
		if failing && !r.fail {
			r.now += time.Second // as the host waits after a failed append
		}
	}
	r.now = max(r.now, end)
}

// check holds the machine to what a restart would make of its records, and to its own rules.
func (r *rig) check() {
	r.t.Helper()
	restarted := r.load()
	if diff := cmp.Diff(durable(restarted, r.m), durable(r.m, r.m)); diff != "" {
		r.t.Fatalf("a restart would differ (-restarted +live):\n%s", diff)
	}
	for _, g := range r.m.sortedGroups() {
		if err := g.invalid(r.m); err != "" {
			r.t.Fatalf("group %s: %s\n%s", g.name, err, dump(r.m))
		}
	}
}

// durable is the durable state: of groups that rebalance in live only the offsets, since a restart takes those back to where they were.
func durable(m, live *Machine) string {
	var b strings.Builder
	for _, g := range m.sortedGroups() {
		steady := true
		if l, ok := live.groups[g.name]; ok {
			steady = l.state == Empty || l.state == Stable
		}
		if !g.stored && len(g.offsets) == 0 {
			continue // nothing of it is in the log
		}
		fmt.Fprintf(&b, "%s stored=%v\n", g.name, g.stored)
		if steady && g.stored {
			writeMembers(&b, g)
		}
		writeOffsets(&b, g)
	}
	return b.String()
}

func writeMembers(b *strings.Builder, g *group) {
	fmt.Fprintf(b, "  %s generation=%d type=%q protocol=%q leader=%q since=%d\n", g.state, g.generation, g.protocolType, g.protocol, g.leader, g.since)
	for _, mem := range g.sorted() {
		metadata, _ := mem.metadata(g.protocol)
		fmt.Fprintf(b, "  member %s instance=%s client=%s%s session=%v rebalance=%v metadata=%q assignment=%q\n", mem.id, text(mem.instance), mem.clientID,
			mem.clientHost, mem.sessionTimeout, mem.rebalanceTimeout, metadata, mem.assignment)
	}
}

func writeOffsets(b *strings.Builder, g *group) {
	for _, key := range g.sortedOffsets() {
		o := g.offsets[key]
		fmt.Fprintf(b, "  offset %s-%d: %d epoch=%d metadata=%q committed=%d id=%x record=%d\n", key.topic, key.partition, o.offset, o.leaderEpoch,
			o.metadata, o.committed, o.topicID[15:], o.record)
	}
}

// dump is everything, for people.
func dump(m *Machine) string {
	var b strings.Builder
	for _, g := range m.sortedGroups() {
		fmt.Fprintf(&b, "%s\n", g.name)
		writeMembers(&b, g)
		for id := range g.pending {
			fmt.Fprintf(&b, "  pending %s\n", id)
		}
		writeOffsets(&b, g)
	}
	return b.String()
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// invalid names a broken rule of the group, "" if there is none. The rules are those of the fields in state.go.
func (g *group) invalid(m *Machine) string {
	switch {
	case (len(g.members) == 0) != (g.state == Empty):
		return "Empty and members disagree"
	case len(g.members) > 0 && g.members[g.leader] == nil:
		return "the leader is no member"
	case g.joinTimer.set() && g.state != PreparingRebalance:
		return "join timer outside PreparingRebalance"
	case g.state == PreparingRebalance && !g.joinTimer.set():
		return "PreparingRebalance without a timer that ends it"
	case g.state == CompletingRebalance && !g.syncTimer.set():
		return "CompletingRebalance without a timer that ends it"
	case len(g.members)+len(g.pending) > m.cfg.MaxMembers:
		return "too many members"
	}
	for instance, id := range g.instances {
		if mem := g.members[id]; mem == nil || text(mem.instance) != instance {
			return "instance " + instance + " leads nowhere"
		}
	}
	for id, mem := range g.members {
		parked := mem.join != nil || mem.sync != nil
		switch {
		case mem.id != id || mem.group != g:
			return "member " + id + " is filed wrong"
		case mem.join != nil && mem.sync != nil:
			return "member " + id + " waits twice"
		case !parked && m.started && !mem.session.set():
			return "member " + id + " has no session"
		case mem.join != nil && m.parked[mem.join.token] != mem, mem.sync != nil && m.parked[mem.sync.token] != mem:
			return "the token of member " + id + " leads elsewhere"
		case mem.instance != nil && g.instances[*mem.instance] != id:
			return "static member " + id + " is not filed"
		}
		for other := range g.members {
			if _, ok := g.members[other].metadata(g.protocol); g.state >= CompletingRebalance && !ok {
				return "member " + other + " does not speak the protocol"
			}
		}
	}
	for token, mem := range m.parked {
		if mem.group == g && g.members[mem.id] != mem {
			return fmt.Sprintf("token %d belongs to nobody", token)
		}
	}
	return ""
}

// consumerMetadata is what a consumer says when it wants topics.
func consumerMetadata(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}
