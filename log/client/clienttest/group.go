package clienttest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/log/client"
)

// weighted gives partition 0 to the heaviest member and the rest to the others; its user data says who is how heavy.
type weighted struct{ weight byte }

const weightedVersion = 3

func (w weighted) Protocol() string  { return "suite-weighted" }
func (w weighted) Cooperative() bool { return false }
func (w weighted) Subscription() client.UserData {
	return client.UserData{Version: weightedVersion, Bytes: []byte{w.weight}}
}

func (w weighted) Assign(members []client.Member, partitions map[string]int32) (map[string]client.Share, error) {
	members = slices.Clone(members)
	for _, m := range members {
		if m.UserData.Version != weightedVersion || len(m.UserData.Bytes) != 1 {
			return nil, fmt.Errorf("member %s says %+v", m.ID, m.UserData)
		}
	}
	slices.SortFunc(members, func(a, b client.Member) int { return int(b.UserData.Bytes[0]) - int(a.UserData.Bytes[0]) })
	shares := make(map[string]client.Share)
	for topic, n := range partitions {
		for p := range n {
			m := members[min(int(p), len(members)-1)]
			share := shares[m.ID]
			share.Partitions = append(share.Partitions, client.TopicPartition{Topic: topic, Partition: p})
			share.UserData = client.UserData{Version: weightedVersion, Bytes: []byte{m.UserData.Bytes[0], byte(len(members))}}
			shares[m.ID] = share
		}
	}
	return shares, nil
}

func testRebalance(s *suite) {
	topic := s.topic(3, nil)
	group := s.unique("group")
	light := s.join(client.GroupConfig{ID: group, Topics: []string{topic}, Balancer: weighted{1}})
	s.awaitShares(topic, 3, light)
	if got := light.last().UserData; got.Version != weightedVersion || !slices.Equal(got.Bytes, []byte{1, 1}) {
		s.Errorf("alone: user data %+v", got)
	}
	heavy := s.join(client.GroupConfig{ID: group, Topics: []string{topic}, Balancer: weighted{9}})
	s.awaitShares(topic, 3, light, heavy)
	if got := heavy.partitions(); len(got) != 1 || got[0].Partition != 0 {
		s.Errorf("the heavy member has %v", got)
	}
	if got := heavy.last().UserData.Bytes; !slices.Equal(got, []byte{9, 2}) {
		s.Errorf("the heavy member's user data is %v", got)
	}
	if _, revoked, lost, _ := light.counts(); revoked != 1 || lost != 0 {
		s.Errorf("the light member was revoked %d times and lost %d times, want 1 and 0", revoked, lost)
	}
	description, err := s.c.Admin().DescribeGroup(s.ctx, group)
	s.must(err)
	if description.State != "Stable" || description.Protocol != "suite-weighted" || len(description.Members) != 2 {
		s.Errorf("described as %+v", description)
	}

	p := numbered(topic, 0, 2)
	s.write(append(p, numbered(topic, 2, 2)...)...)
	s.await("both read their own", func() bool {
		_, _, _, a := light.counts()
		_, _, _, b := heavy.counts()
		return a == 2 && b == 2
	})
	heavy.halt()
	s.must(heavy.g.Leave(s.ctx))
	if len(heavy.partitions()) != 0 {
		s.Error("left, and no partition was revoked")
	}
	s.awaitShares(topic, 3, light)
}

func testCooperative(s *suite) {
	topic := s.topic(4, nil)
	group := s.unique("group")
	first := s.join(client.GroupConfig{ID: group, Topics: []string{topic}})
	s.awaitShares(topic, 4, first)
	second := s.join(client.GroupConfig{ID: group, TopicPattern: "^" + topic + "$"})
	s.awaitShares(topic, 4, first, second)
	if a, b := first.partitions(), second.partitions(); len(a) != 2 || len(b) != 2 {
		s.Errorf("shared as %v and %v", a, b)
	}
	if _, _, lost, _ := first.counts(); lost != 0 {
		s.Errorf("lost partitions %d times", lost)
	}
}

func testCommit(s *suite) {
	topic := s.topic(2, nil)
	group := s.unique("group")
	s.write(append(numbered(topic, 0, 5), numbered(topic, 1, 5)...)...)
	p0, p1 := client.TopicPartition{Topic: topic}, client.TopicPartition{Topic: topic, Partition: 1}
	want := map[client.TopicPartition]client.OffsetAndMetadata{
		p0: {Offset: 3, LeaderEpoch: 0, Metadata: "note \x00 ü"},
		p1: {Offset: 4, LeaderEpoch: -1},
	}
	m := s.join(client.GroupConfig{ID: group, Topics: []string{topic}})
	s.awaitShares(topic, 2, m)
	m.do(s, func() {
		s.must(m.g.Commit(s.ctx, want))
		other := map[client.TopicPartition]client.OffsetAndMetadata{{Topic: topic, Partition: 7}: {Offset: 1}}
		s.wantErr(m.g.Commit(s.ctx, other), client.ErrNotAssigned)
		got, err := m.g.Committed(s.ctx, p0)
		s.must(err)
		if len(got) != 1 || got[p0] != want[p0] {
			s.Errorf("committed %+v, want %+v", got, want[p0])
		}
	})
	got, err := s.c.Admin().FetchOffsets(s.ctx, group)
	s.must(err)
	if len(got) != 2 || got[p0] != want[p0] || got[p1] != want[p1] {
		s.Errorf("committed %+v, want %+v", got, want)
	}
	m.halt()
	s.must(m.g.Leave(s.ctx))

	next := s.join(client.GroupConfig{ID: group, Topics: []string{topic}})
	s.await("the rest is read", func() bool { _, _, _, n := next.counts(); return n >= 3 })
	next.halt()
	for _, r := range next.mu.records {
		tp := client.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if r.Offset < want[tp].Offset {
			s.Errorf("%s: read offset %d, which is below the committed %d", tp, r.Offset, want[tp].Offset)
		}
	}
}

func testResetNone(s *suite) {
	topic := s.topic(1, nil)
	m := s.join(client.GroupConfig{ID: s.unique("group"), Topics: []string{topic}, Reset: client.ResetNone})
	s.await("the missing commit is reported", func() bool { return m.sawError(client.ErrNoCommittedOffset) })
	early := s.join(client.GroupConfig{
		ID: s.unique("group"), Topics: []string{topic}, Reset: client.ResetNone, ResetByTopic: map[string]client.Reset{topic: client.ResetEarliest},
	})
	s.write(numbered(topic, 0, 1)...)
	s.await("the topic's own reset is used", func() bool { _, _, _, n := early.counts(); return n == 1 })
}

func staticMember(group, topic, instance string) client.GroupConfig {
	return client.GroupConfig{ID: group, InstanceID: instance, Topics: []string{topic}, Balancer: weighted{instance[len(instance)-1]}, SessionTimeout: 30 * time.Second}
}

func testStaticRestart(s *suite) {
	topic := s.topic(2, nil)
	group := s.unique("group")
	a := s.join(staticMember(group, topic, "seat-a"))
	b := s.join(staticMember(group, topic, "seat-b"))
	s.awaitShares(topic, 2, a, b)
	before, seat := b.last(), a.partitions()
	_, revokedBefore, _, _ := b.counts() // if it came first, it had everything at first
	a.halt()
	s.must(a.g.Leave(s.ctx))
	again := s.join(staticMember(group, topic, "seat-a"))
	s.await("the seat is taken again", func() bool { return slices.Equal(again.partitions(), seat) })
	if got := again.last(); got.Generation != before.Generation || !slices.Equal(got.UserData.Bytes, []byte{'a', 2}) {
		s.Errorf("after the restart %+v, want generation %d and the old user data", got, before.Generation)
	}
	if _, revoked, _, _ := b.counts(); revoked != revokedBefore || b.last().Generation != before.Generation {
		s.Errorf("the other member was disturbed: %+v", b.last())
	}
}

func testStaticFencing(s *suite) {
	topic := s.topic(1, nil)
	group := s.unique("group")
	tp := client.TopicPartition{Topic: topic}
	one := map[client.TopicPartition]client.OffsetAndMetadata{tp: {Offset: 1, LeaderEpoch: -1}}
	old := s.join(staticMember(group, topic, "seat-x"))
	s.awaitShares(topic, 1, old)
	old.halt()
	s.must(old.g.Commit(s.ctx, one))
	young := s.join(staticMember(group, topic, "seat-x"))
	s.awaitShares(topic, 1, young)
	s.wantErr(old.g.Commit(s.ctx, one), client.ErrFenced)
	young.do(s, func() { s.must(young.g.Commit(s.ctx, one)) })

	young.halt()
	s.must(s.c.Admin().RemoveStaticMembers(s.ctx, group, "seat-x"))
	s.wantErr(young.g.Commit(s.ctx, one), client.ErrUnknownMember)
}

func testSlowMember(s *suite) {
	topic := s.topic(1, nil)
	group := s.unique("group")
	tp := client.TopicPartition{Topic: topic}
	one := map[client.TopicPartition]client.OffsetAndMetadata{tp: {Offset: 1, LeaderEpoch: -1}}
	cfg := client.GroupConfig{ID: group, Topics: []string{topic}, Balancer: weighted{1}, RebalanceTimeout: time.Second}
	slow := s.join(cfg)
	s.awaitShares(topic, 1, slow)
	slow.halt()
	s.must(slow.g.Commit(s.ctx, one))
	_, before := slow.g.Generation()
	other := s.join(cfg)
	s.awaitShares(topic, 1, other)
	if got := other.last().Generation; got <= before {
		s.Errorf("generation %d after %d", got, before)
	}
	if err := slow.g.Commit(s.ctx, one); !errors.Is(err, client.ErrUnknownMember) && !errors.Is(err, client.ErrIllegalGeneration) {
		s.Errorf("a commit of the old generation: %v", err)
	}
	other.do(s, func() { s.must(other.g.Commit(s.ctx, one)) })
}

func testGroups(s *suite) {
	topic := s.topic(2, nil)
	admin := s.c.Admin()
	group := s.unique("group")
	p0, p1 := client.TopicPartition{Topic: topic}, client.TopicPartition{Topic: topic, Partition: 1}
	s.write(numbered(topic, 0, 10)...)
	s.must(admin.CommitOffsets(s.ctx, group, map[client.TopicPartition]client.OffsetAndMetadata{p0: {Offset: 3, LeaderEpoch: -1, Metadata: "by hand"}}))
	lags, err := admin.Lag(s.ctx, group)
	s.must(err)
	i := slices.IndexFunc(lags, func(l client.PartitionLag) bool { return l.TopicPartition == p0 })
	if i < 0 || lags[i].Lag != 7 || lags[i].Committed != 3 || lags[i].LogEnd != 10 || lags[i].Member != "" || lags[i].Err != nil {
		s.Errorf("lag %+v", lags)
	}
	groups, err := admin.ListGroups(s.ctx)
	s.must(err)
	if !slices.ContainsFunc(groups, func(g client.ListedGroup) bool { return g.ID == group && g.State == "Empty" }) {
		s.Errorf("the group is not listed as empty: %+v", groups)
	}

	m := s.join(client.GroupConfig{ID: group, Topics: []string{topic}})
	s.awaitShares(topic, 2, m)
	errs, err := admin.DeleteGroups(s.ctx, group)
	s.must(err)
	s.wantErr(errs[0], client.ErrGroupNotEmpty)
	lags, err = admin.Lag(s.ctx, group)
	s.must(err)
	if len(lags) != 2 || lags[0].Member == "" || lags[1].TopicPartition != p1 || lags[1].Lag != 0 {
		s.Errorf("lag with a member: %+v", lags)
	}
	m.halt()
	s.must(m.g.Leave(s.ctx))
	errs, err = admin.DeleteGroups(s.ctx, group, s.unique("missing"))
	s.must(err)
	s.must(errs[0])
	s.wantErr(errs[1], client.ErrUnknownGroup)
	offsets, err := admin.FetchOffsets(s.ctx, group)
	s.must(err)
	if len(offsets) != 0 {
		s.Errorf("offsets of a deleted group: %+v", offsets)
	}
}
