package worker

import (
	"fmt"
	"slices"
	"sync"
	"uuid"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// balancerProtocol is the name under which the workers of an application find each other.
const balancerProtocol = "millrace-streams"

// balancer shares out whole tasks: all inputs of a task go to one member. It is cooperative: what stays where it was is read
// on through a rebalance, and a task that moves is given up by its old owner, with a last commit, before the new one gets it.
type balancer struct {
	plan    *plan
	process uuid.UUID

	mu struct {
		sync.Mutex
		active []engine.TaskID // what this member holds
		err    error           // why a rebalance cannot succeed, whatever is tried
	}
}

func (b *balancer) Protocol() string  { return balancerProtocol }
func (b *balancer) Cooperative() bool { return true }

// Subscription implements client.Balancer.
func (b *balancer) Subscription() client.UserData {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := subscription{process: b.process, active: b.mu.active}
	return s.encode()
}

// hold says what this member holds from now on.
func (b *balancer) hold(ids []engine.TaskID) {
	sortTasks(ids)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.active = ids
}

// err is why this member, as leader, could not share the tasks out.
func (b *balancer) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.err
}

// Assign implements client.Balancer.
func (b *balancer) Assign(members []client.Member, partitions map[string]int32) (map[string]client.Share, error) {
	if err := b.check(partitions); err != nil {
		return nil, err
	}
	claims := make([]claim, len(members))
	for i, m := range members {
		s, err := decodeSubscription(m.UserData)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", m.ID, err)
		}
		claims[i] = claim{generation: m.Generation, tasks: append(b.owned(m.Owned), s.active...)}
	}
	shares := make(map[string]client.Share)
	for i, tasks := range share(b.plan, claims) {
		var s client.Share
		for _, id := range tasks {
			s.Partitions = append(s.Partitions, b.plan.sub(id.Subtopology).inputs(id.Partition)...)
		}
		shares[members[i].ID] = s
	}
	return shares, nil
}

// check holds the topics to what they were when the application started: more partitions would be more tasks, whose
// changelogs do not exist, and keys that have moved.
func (b *balancer) check(partitions map[string]int32) error {
	for _, sub := range b.plan.subs {
		for i, topic := range sub.topics {
			have, ok := partitions[topic]
			if !ok {
				return fmt.Errorf("%w: %s", ErrMissingTopics, topic)
			}
			if have != sub.partitions[i] {
				err := fmt.Errorf("topic %s has %d partitions now, %d when the application started: its state does not fit any more",
					topic, have, sub.partitions[i])
				b.mu.Lock()
				b.mu.err = err
				b.mu.Unlock()
				return err
			}
		}
	}
	return nil
}

// owned are the tasks of partitions.
func (b *balancer) owned(tps []client.TopicPartition) []engine.TaskID {
	var ids []engine.TaskID
	for _, tp := range tps {
		if id, ok := b.plan.taskOf(tp); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// claim is what a member had, and in which generation of the group.
type claim struct {
	generation int32
	tasks      []engine.TaskID
}

// share gives each member (by index) its tasks. Every task goes to exactly one member; counts differ by at most one; a member
// keeps what it had as far as that allows; and equal input gives equal output, on whichever member it runs.
func share(p *plan, claims []claim) [][]engine.TaskID {
	shares := make([][]engine.TaskID, len(claims))
	if len(claims) == 0 {
		return shares
	}
	var free []engine.TaskID
	total := 0
	for _, sub := range p.subs {
		for part := range sub.tasks {
			id := engine.TaskID{Subtopology: sub.id, Partition: part}
			total++
			if owner := owner(claims, id); owner >= 0 {
				shares[owner] = append(shares[owner], id)
			} else {
				free = append(free, id)
			}
		}
	}
	base, extra := total/len(claims), total%len(claims)
	for i := range shares {
		quota := base
		if len(shares[i]) > base && extra > 0 {
			quota++
			extra--
		}
		for len(shares[i]) > quota {
			var shed engine.TaskID
			shares[i], shed = shedOne(shares[i])
			free = append(free, shed)
		}
	}
	sortTasks(free)
	for _, id := range free {
		i := neediest(shares, id.Subtopology)
		shares[i] = append(shares[i], id)
	}
	for _, s := range shares {
		sortTasks(s)
	}
	return shares
}

// owner is the member that had a task most recently: the first of those with the highest generation; -1 if nobody had it.
func owner(claims []claim, id engine.TaskID) int {
	best := -1
	for i, c := range claims {
		if slices.Contains(c.tasks, id) && (best < 0 || c.generation > claims[best].generation) {
			best = i
		}
	}
	return best
}

// shedOne takes away a task of the part of which the member has most, the one with the highest partition.
func shedOne(tasks []engine.TaskID) ([]engine.TaskID, engine.TaskID) {
	best := 0
	for i, id := range tasks {
		n, most := countOf(tasks, id.Subtopology), countOf(tasks, tasks[best].Subtopology)
		if n > most || (n == most && compareTasks(id, tasks[best]) > 0) {
			best = i
		}
	}
	shed := tasks[best]
	return slices.Delete(tasks, best, best+1), shed
}

// neediest is the member with the fewest tasks, among those the one with the fewest of the part, the first of equals.
func neediest(shares [][]engine.TaskID, sub int) int {
	best := 0
	for i := range shares {
		if n, least := len(shares[i]), len(shares[best]); n < least ||
			(n == least && countOf(shares[i], sub) < countOf(shares[best], sub)) {
			best = i
		}
	}
	return best
}

func countOf(tasks []engine.TaskID, sub int) int {
	n := 0
	for _, id := range tasks {
		if id.Subtopology == sub {
			n++
		}
	}
	return n
}
