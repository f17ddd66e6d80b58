package worker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"uuid"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// planOf has a part per count, each with one topic "t<part>" and as many tasks.
func planOf(counts ...int32) *plan {
	p := &plan{partitions: make(map[string]int32)}
	for id, n := range counts {
		topic := fmt.Sprintf("t%d", id)
		p.partitions[topic] = n
		p.subs = append(p.subs, subPlan{id: id, topics: []string{topic}, partitions: []int32{n}, tasks: n})
	}
	return p
}

// tasks reads "0_1 1_0".
func tasks(s string) []engine.TaskID {
	var ids []engine.TaskID
	for _, f := range strings.Fields(s) {
		var id engine.TaskID
		if _, err := fmt.Sscanf(f, "%d_%d", &id.Subtopology, &id.Partition); err != nil {
			panic("BUG: " + err.Error())
		}
		ids = append(ids, id)
	}
	return ids
}

func format(shares [][]engine.TaskID) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, strings.Trim(fmt.Sprint(s), "[]"))
	}
	return strings.Join(parts, " | ")
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name   string
		plan   *plan
		claims []claim
		want   string
	}{
		{"one member has all", planOf(2, 2), []claim{{}}, "0_0 1_0 0_1 1_1"},
		{"each part is spread", planOf(2, 2), []claim{{}, {}}, "0_0 1_1 | 1_0 0_1"},
		{"more members than tasks", planOf(2), []claim{{}, {}, {}}, "0_0 | 0_1 | "},
		{"nobody has nothing", planOf(2), nil, ""},
		{"what one has it keeps", planOf(4), []claim{{}, {1, tasks("0_0 0_3")}}, "0_1 0_2 | 0_0 0_3"},
		{"a joiner gets half, evenly of each part", planOf(2, 2), []claim{{1, tasks("0_0 0_1 1_0 1_1")}, {}}, "0_0 1_0 | 0_1 1_1"},
		{"one leaves: the others keep theirs", planOf(6), []claim{{1, tasks("0_0 0_1")}, {1, tasks("0_4 0_5")}}, "0_0 0_1 0_2 | 0_3 0_4 0_5"},
		{"the odd one stays where it is", planOf(3), []claim{{1, tasks("0_0")}, {1, tasks("0_1 0_2")}}, "0_0 | 0_1 0_2"},
		{"the newer generation is believed", planOf(2), []claim{{3, tasks("0_0 0_1")}, {5, tasks("0_0")}}, "0_1 | 0_0"},
		{"tasks that do not exist are ignored", planOf(1), []claim{{1, tasks("7_0 0_9")}, {}}, "0_0 | "},
	} {
		if got := format(share(c.plan, c.claims)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestShareProperties: whatever members claim, each task has one owner, counts differ by at most one, order of the same
// members gives the same shares, sharing again moves nothing, and a member keeps all it may keep.
func TestShareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Int32Range(1, 9), 1, 4).Draw(t, "tasks")
		p := planOf(counts...)
		total := 0
		for _, n := range counts {
			total += int(n)
		}
		claims := make([]claim, rapid.IntRange(1, 7).Draw(t, "members"))
		for i := range claims {
			claims[i].generation = rapid.Int32Range(-1, 3).Draw(t, "generation")
			for range rapid.IntRange(0, 8).Draw(t, "claims") {
				sub := rapid.IntRange(0, len(counts)-1).Draw(t, "part")
				claims[i].tasks = append(claims[i].tasks, engine.TaskID{Subtopology: sub, Partition: rapid.Int32Range(0, 9).Draw(t, "partition")})
			}
		}
		shares := share(p, claims)
		checkShares(t, p, shares, total)
		again := make([]claim, len(claims))
		for i, s := range shares {
			again[i] = claim{generation: 4, tasks: s}
		}
		if second := share(p, again); format(second) != format(shares) {
			t.Fatalf("sharing again moved tasks: %s, then %s", format(shares), format(second))
		}
		for i, c := range claims {
			kept, could := 0, 0
			for _, sub := range p.subs {
				for part := range sub.tasks {
					if id := (engine.TaskID{Subtopology: sub.id, Partition: part}); owner(claims, id) == i {
						could++
						if slices.Contains(shares[i], id) {
							kept++
						}
					}
				}
			}
			if want := min(could, total/len(claims)); kept < want {
				t.Fatalf("member %d keeps %d of %d tasks, may keep %d: %v", i, kept, could, want, c)
			}
		}
		// A member joins, then the first one leaves.
		joined := share(p, append(slices.Clone(again), claim{generation: -1}))
		checkShares(t, p, joined, total)
		for i := range shares {
			for _, id := range joined[i] {
				if !slices.Contains(shares[i], id) {
					t.Fatalf("a join gave task %v to an old member: %s, then %s", id, format(shares), format(joined))
				}
			}
		}
		if len(again) > 1 {
			left := share(p, again[1:])
			checkShares(t, p, left, total)
			for i, s := range shares[1:] {
				for _, id := range s {
					if !slices.Contains(left[i], id) {
						t.Fatalf("a leave took task %v from a member that stays: %s, then %s", id, format(shares), format(left))
					}
				}
			}
		}
	})
}

func checkShares(t *rapid.T, p *plan, shares [][]engine.TaskID, total int) {
	seen := make(map[engine.TaskID]bool)
	least, most := total, 0
	for _, s := range shares {
		least, most = min(least, len(s)), max(most, len(s))
		for _, id := range s {
			if seen[id] || id.Partition >= p.sub(id.Subtopology).tasks {
				t.Fatalf("task %v twice, or not one: %s", id, format(shares))
			}
			seen[id] = true
		}
	}
	if len(seen) != total || most-least > 1 {
		t.Fatalf("%d of %d tasks, between %d and %d each: %s", len(seen), total, least, most, format(shares))
	}
}

// TestBalancerRolling: the protocol's view of it: user data, owned partitions, whole tasks of several topics, changed topics.
func TestBalancerRolling(t *testing.T) {
	p := &plan{subs: []subPlan{{id: 0, topics: []string{"a", "b"}, partitions: []int32{3, 2}, tasks: 3}}}
	counts := map[string]int32{"a": 3, "b": 2}
	b := &balancer{plan: p, process: uuid.NewV4()}
	b.hold(tasks("0_2 0_0 0_1"))
	member := func(id string, u client.UserData, owned ...client.TopicPartition) client.Member {
		return client.Member{ID: id, Topics: []string{"a", "b"}, UserData: u, Owned: owned, Generation: 1}
	}
	shares, err := b.Assign([]client.Member{member("old", b.Subscription()), member("new", client.UserData{})}, counts)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(shares["old"].Partitions, shares["new"].Partitions); got != "[a-0 b-0 a-1 b-1] [a-2]" {
		t.Errorf("shares %s", got)
	}
	shares, err = b.Assign([]client.Member{member("x", client.UserData{}), member("y", client.UserData{}, client.TopicPartition{Topic: "a", Partition: 0})}, counts)
	if err != nil {
		t.Fatal(err)
	}
	if got := shares["y"].Partitions; !slices.Contains(got, client.TopicPartition{Topic: "b", Partition: 0}) {
		t.Errorf("y owned a-0 and got %v: not the whole task", got)
	}
	if _, err := b.Assign([]client.Member{member("x", client.UserData{})}, map[string]int32{"a": 3}); err == nil || b.err() != nil {
		t.Errorf("missing topic: %v, %v", err, b.err())
	}
	if _, err := b.Assign([]client.Member{member("x", client.UserData{})}, map[string]int32{"a": 4, "b": 2}); err == nil || b.err() == nil {
		t.Errorf("more partitions: %v, %v", err, b.err())
	}
	if _, err := b.Assign([]client.Member{member("x", client.UserData{Version: 1, Bytes: []byte{1}})}, counts); err == nil {
		t.Error("damaged user data was taken")
	}
}

func TestSubscription(t *testing.T) {
	s := subscription{process: uuid.NewV4(), active: tasks("0_1 3_200"), standby: []standby{{engine.TaskID{Subtopology: 1, Partition: 2}, 1000}}}
	got, err := decodeSubscription(s.encode())
	if err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
		t.Errorf("%v, %v; want %v", got, err, s)
	}
	later := s.encode()
	later.Version, later.Bytes = 2, append(later.Bytes, "more"...)
	if got, err = decodeSubscription(later); err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
		t.Errorf("a later version: %v, %v", got, err)
	}
	if got := fmt.Sprintf("%x", s.encode().Bytes[16:]); got != "02"+"0001"+"03c801"+"01"+"0102e807" {
		t.Errorf("layout %s", got)
	}
}

func FuzzSubscription(f *testing.F) {
	good := (&subscription{active: tasks("0_1 1_1"), standby: []standby{{engine.TaskID{}, 7}}}).encode()
	f.Add(good.Bytes)
	f.Add(good.Bytes[:20])
	f.Add(append(make([]byte, 16), 0xff, 0xff, 0xff, 0x7f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSubscription(client.UserData{Version: 1, Bytes: b})
		if err != nil {
			return
		}
		again, err := decodeSubscription(s.encode())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
			t.Fatalf("%v, %v; want %v", again, err, s)
		}
	})
}
