package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// player sends requests chosen by bytes and holds the answers to the rules that clients rely on. The rig checks the state and the restart.
type player struct {
	*rig
	input   []byte
	ids     []string // member ids that were given out
	waiting map[uint64]kmsg.Request
	highest map[string]int32 // the newest generation that a join was told of, per group
}

// maxSteps keeps one input short: every step loads all records again.
const maxSteps = 120

func play(t testing.TB, input []byte) {
	r := newRig(t, func(c *Config) {
		c.MaxMembers, c.Retention = 6, 2*time.Hour
		if len(input)%2 == 0 {
			c.InitialRebalanceDelay = 3 * time.Second
		}
	})
	p := &player{
		rig: r, input: input, ids: []string{"", "nobody"}, waiting: map[uint64]kmsg.Request{},
		highest: map[string]int32{},
	}
	r.after = p.collect
	for range maxSteps {
		if len(p.input) == 0 {
			break
		}
		p.step()
	}
	p.carryOut(r.m.Unload())
	if len(p.waiting) > 0 {
		t.Fatalf("%d requests were never answered", len(p.waiting))
	}
}

// pick is the next byte, below n.
func (p *player) pick(n int) int {
	if len(p.input) == 0 {
		return 0
	}
	b := p.input[0]
	p.input = p.input[1:]
	return int(b) % n
}

func pickOf[T any](p *player, items ...T) T { return items[p.pick(len(items))] }

func (p *player) step() {
	switch p.pick(16) {
	case 0, 1, 2, 3:
		p.submit(p.join())
	case 4, 5, 6:
		p.submit(p.sync())
	case 7:
		q := kmsg.NewPtrHeartbeatRequest()
		q.Group, q.MemberID, q.Generation = p.group(), p.id(), p.generation()
		p.submit(q)
	case 8:
		q := kmsg.NewPtrLeaveGroupRequest()
		q.Version, q.Group, q.MemberID = pickOf[int16](p, 1, 5), p.group(), p.id()
		q.Members = []kmsg.LeaveGroupRequestMember{{MemberID: p.id()}, {MemberID: "", InstanceID: p.instance()}}
		p.submit(q)
	case 9, 10:
		q := commitAs(p.id(), p.generation(), int64(p.pick(256)))
		q.Group, q.Topics[0].Topic = p.group(), pickOf(p, "orders", "payments", "unknown")
		q.Topics[0].Partitions[0].Partition = int32(p.pick(6)) - 1
		p.submit(q)
	case 11:
		p.advance(pickOf(p, time.Second, 9*time.Second, time.Minute, time.Hour))
	case 12:
		tokens := slices.Sorted(maps.Keys(p.waiting))
		if len(tokens) > 0 {
			token := tokens[p.pick(len(tokens))]
			delete(p.waiting, token)
			p.carryOut(p.m.Cancel(p.now, token))
		}
	case 13:
		p.fail = true
	case 14:
		p.submit(p.admin())
	case 15:
		p.restart()
		clear(p.waiting)
		clear(p.highest)
		for _, g := range p.m.sortedGroups() {
			p.highest[g.name] = g.generation
		}
	}
}

func (p *player) group() string { return pickOf(p, "g", "g", "g", "h", "") }
func (p *player) id() string    { return p.ids[p.pick(len(p.ids))] }
func (p *player) generation() int32 {
	return pickOf(p, p.highest["g"], p.highest["g"], p.highest["h"], 1, -1)
}
func (p *player) instance() *string {
	if s := pickOf(p, "", "", "i", "j"); s != "" {
		return &s
	}
	return nil
}

func (p *player) join() kmsg.Request {
	q := joinAs(pickOf[int16](p, 0, 3, 4, 9), p.id())
	q.Group, q.InstanceID = p.group(), p.instance()
	q.SessionTimeoutMillis = pickOf[int32](p, 6000, 10_000, 1_800_000)
	q.RebalanceTimeoutMillis = pickOf[int32](p, 5000, 60_000, -1)
	if p.pick(4) == 0 {
		protocols(pickOf(p, "range", "sticky"), "both")(q)
	}
	return q
}

// sync assigns a share that names generation and sync, so that shares of two syncs can be told apart.
func (p *player) sync() kmsg.Request {
	q := syncAs(p.id(), p.generation())
	q.Group = p.group()
	for _, id := range p.ids {
		share := fmt.Sprintf("%s/%d/%d", q.Group, q.Generation, p.token+1)
		q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(share)})
	}
	return q
}

func (p *player) admin() kmsg.Request {
	switch p.pick(5) {
	case 0:
		q := kmsg.NewPtrDeleteGroupsRequest()
		q.Groups = []string{p.group(), p.group()}
		return q
	case 1:
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Version, q.Groups = 6, []string{p.group()}
		return q
	case 2:
		return kmsg.NewPtrListGroupsRequest()
	case 3:
		q := kmsg.NewPtrOffsetFetchRequest()
		q.Version, q.Groups = 8, []kmsg.OffsetFetchRequestGroup{{Group: p.group()}, {}}
		return q
	default:
		q := kmsg.NewPtrOffsetDeleteRequest()
		q.Group = p.group()
		q.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}
		return q
	}
}

func (p *player) submit(req kmsg.Request) {
	p.waiting[p.token+1] = req
	p.send("c", req)
}

// collect reads the answers of one step.
func (p *player) collect() {
	for token := range p.dropped {
		delete(p.waiting, token)
	}
	for _, token := range p.order {
		if req, ok := p.waiting[token]; ok {
			delete(p.waiting, token)
			p.judge(req, p.replies[token])
		}
		delete(p.replies, token)
	}
	p.order = nil
	for name := range p.highest {
		if p.m.groups[name] == nil {
			delete(p.highest, name) // deleted or expired: the next group of the name starts anew
		}
	}
}

// judge holds an answer to the rules: generations rise, one generation's shares come from one sync, and only the newest generation may commit.
func (p *player) judge(req kmsg.Request, response kmsg.Response) {
	switch r := response.(type) {
	case *kmsg.JoinGroupResponse:
		name := req.(*kmsg.JoinGroupRequest).Group
		if r.MemberID != "" {
			p.ids = append(p.ids, r.MemberID)
		}
		if r.ErrorCode != noError {
			return
		}
		if r.Generation < p.highest[name] {
			p.t.Fatalf("a join was told of generation %d after %d", r.Generation, p.highest[name])
		}
		p.highest[name] = r.Generation
	case *kmsg.SyncGroupResponse:
		q := req.(*kmsg.SyncGroupRequest)
		if r.ErrorCode != noError {
			return
		}
		if q.Generation != p.highest[q.Group] {
			p.t.Fatalf("a sync of generation %d was answered in %d", q.Generation, p.highest[q.Group])
		}
		p.own(q, string(r.MemberAssignment))
	case *kmsg.OffsetCommitResponse:
		q := req.(*kmsg.OffsetCommitRequest)
		if code := r.Topics[0].Partitions[0].ErrorCode; code == noError && q.Generation >= 0 && q.Generation != p.highest[q.Group] {
			p.t.Fatalf("a commit of generation %d was accepted in %d", q.Generation, p.highest[q.Group])
		}
	}
}

// own checks that everybody in a generation owns what the same sync decided.
func (p *player) own(q *kmsg.SyncGroupRequest, share string) {
	g := p.m.groups[q.Group]
	if share == "" || g == nil || g.state != Stable || g.generation != q.Generation {
		return
	}
	for _, mem := range g.members {
		if len(mem.assignment) > 0 && string(mem.assignment) != share {
			p.t.Fatalf("generation %d of %s has the shares %q and %q", q.Generation, q.Group, mem.assignment, share)
		}
	}
}

// TestRandomRequests plays random games from fixed seeds.
func TestRandomRequests(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		input := make([]byte, 600+seed%2)
		for i := range input {
			input[i] = byte(rng.Uint32())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, input) })
	}
}

func FuzzRequests(f *testing.F) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 2))
		input := make([]byte, 200)
		for i := range input {
			input[i] = byte(rng.Uint32())
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) { play(t, input) })
}

// FuzzApply: whatever stands in the log, a machine takes it or refuses it, and what it took it can be ticked and asked about.
func FuzzApply(f *testing.F) {
	r := newRig(f)
	stable(r)
	r.wantCode(commitCode(r, "a-1", 1), noError)
	for _, record := range r.records {
		f.Add(record.Key, record.Value)
	}
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0, 3, 0, 1, 'g'}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := New(r.cfg)
		if m.Apply(Record{Key: key, Value: value}, 5) != nil {
			return
		}
		if m.Apply(Record{Key: key, Value: value}, 6) != nil {
			t.Fatal("the same record was taken once and refused then")
		}
		m.Tick(time.Second)
		list := m.Handle(time.Second, 1, Client{}, kmsg.NewPtrListGroupsRequest())
		for _, g := range list.Replies[0].Response.(*kmsg.ListGroupsResponse).Groups {
			q := kmsg.NewPtrDescribeGroupsRequest()
			q.Groups = []string{g.Group}
			m.Handle(time.Second, 2, Client{}, q)
		}
		if err := m.Apply(Record{Key: key}, 7); err != nil {
			t.Fatalf("cannot apply the tombstone: %v", err)
		}
	})
}
