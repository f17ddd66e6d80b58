package client

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestUserData(t *testing.T) {
	for _, c := range []struct {
		data UserData
		wire string
	}{
		{UserData{}, ""},
		{UserData{Version: 1}, "\x00\x01"},
		{UserData{Version: 258, Bytes: []byte("ab")}, "\x01\x02ab"},
		{UserData{Version: 0, Bytes: []byte("x")}, "\x00\x00x"},
		{UserData{Version: -1}, "\xff\xff"},
	} {
		if got := string(c.data.encode()); got != c.wire {
			t.Errorf("%+v encodes as %q, want %q", c.data, got, c.wire)
		}
		back, err := decodeUserData([]byte(c.wire))
		if err != nil || !cmp.Equal(back, c.data) {
			t.Errorf("%q decodes as %+v, %v", c.wire, back, err)
		}
	}
	if _, err := decodeUserData([]byte{1}); err == nil {
		t.Error("half a version was taken")
	}
}

func FuzzUserData(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := decodeUserData(b)
		if err == nil && !bytes.Equal(u.encode(), b) && !bytes.Equal(b, []byte{0, 0}) {
			t.Errorf("%x decodes as %+v, which encodes as %x", b, u, u.encode())
		}
	})
}

var someShare = Share{
	Partitions: []TopicPartition{{"a", 0}, {"a", 7}, {"b", 1}},
	UserData:   UserData{Version: 2, Bytes: []byte("u")},
}

func FuzzShare(f *testing.F) {
	f.Add(Share{}.encode())
	f.Add(someShare.encode())
	f.Add(someShare.encode()[:9])
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		share, err := decodeShare(b)
		if err != nil {
			return
		}
		again, err := decodeShare(share.encode())
		if err != nil || len(again.Partitions) != len(share.Partitions) {
			t.Errorf("%+v became %+v, %v", share, again, err)
		}
	})
}

// scripted is a balancer whose answer is given.
type scripted struct {
	shares      map[string]Share
	err         error
	cooperative bool
	data        UserData
	members     []Member
	partitions  map[string]int32
}

func (b *scripted) Protocol() string       { return "scripted" }
func (b *scripted) Cooperative() bool      { return b.cooperative }
func (b *scripted) Subscription() UserData { return b.data }
func (b *scripted) Assign(members []Member, partitions map[string]int32) (map[string]Share, error) {
	b.members, b.partitions = members, partitions
	return b.shares, b.err
}

func joined(id, instance string, metadata []byte) kmsg.JoinGroupResponseMember {
	m := kmsg.NewJoinGroupResponseMember()
	m.MemberID, m.ProtocolMetadata = id, metadata
	if instance != "" {
		m.InstanceID = &instance
	}
	return m
}

func (b *scripted) balance(t *testing.T, partitions map[string]int32, members ...kmsg.JoinGroupResponseMember) (map[string]Share, error) {
	t.Helper()
	mb, topics, err := (&balancerAdapter{Balancer: b}).MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	for topic := range partitions {
		if _, ok := topics[topic]; !ok {
			t.Errorf("topic %s is not among %v", topic, topics)
		}
	}
	into, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(partitions)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Share)
	for _, a := range into.IntoSyncAssignment() {
		share, err := decodeShare(a.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		out[a.MemberID] = share
	}
	return out, nil
}

func TestBalancerRound(t *testing.T) {
	b := &scripted{data: UserData{Version: 5, Bytes: []byte("me")}, cooperative: true}
	adapter := &balancerAdapter{Balancer: b}
	owner := adapter.JoinGroupMetadata([]string{"a", "b"}, map[string][]int32{"b": {1}, "a": {0, 7}}, 41)
	other := adapter.JoinGroupMetadata([]string{"a", "gone"}, nil, -1)
	b.shares = map[string]Share{
		"m1": {Partitions: []TopicPartition{{"b", 0}, {"b", 1}}, UserData: UserData{Version: 1, Bytes: []byte("to m1")}},
		"m2": {Partitions: []TopicPartition{{"a", 7}, {"a", 1}}, UserData: UserData{Version: 1}},
	}
	got, err := b.balance(t, map[string]int32{"a": 8, "b": 2, "gone": 0}, joined("m1", "seat", owner), joined("m2", "", other))
	if err != nil {
		t.Fatal(err)
	}
	wantMembers := []Member{
		{ID: "m1", InstanceID: "seat", Topics: []string{"a", "b"}, Owned: []TopicPartition{{"a", 0}, {"a", 7}, {"b", 1}}, Generation: 41, UserData: b.data},
		{ID: "m2", Topics: []string{"a", "gone"}, Generation: -1, UserData: b.data},
	}
	if diff := cmp.Diff(wantMembers, b.members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int32{"a": 8, "b": 2}, b.partitions); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	want := map[string]Share{
		"m1": {Partitions: []TopicPartition{{"b", 0}, {"b", 1}}, UserData: UserData{Version: 1, Bytes: []byte("to m1")}},
		"m2": {Partitions: []TopicPartition{{"a", 1}}, UserData: UserData{Version: 1}}, // a-7 only when m1 has let go
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	b.cooperative = false
	if got, err = b.balance(t, map[string]int32{"a": 8, "b": 2}, joined("m1", "seat", owner), joined("m2", "", other)); err != nil || len(got["m2"].Partitions) != 2 {
		t.Errorf("eager: %+v, %v", got, err)
	}
}

func TestBalancerMistakes(t *testing.T) {
	b := &scripted{}
	meta := (&balancerAdapter{Balancer: b}).JoinGroupMetadata([]string{"a"}, nil, -1)
	narrow := (&balancerAdapter{Balancer: b}).JoinGroupMetadata([]string{"b"}, nil, -1)
	one := func(tps ...TopicPartition) Share { return Share{Partitions: tps} }
	for _, c := range []struct {
		name   string
		shares map[string]Share
		err    error
		want   string
	}{
		{"twice", map[string]Share{"m1": one(TopicPartition{"a", 0}, TopicPartition{"a", 0})}, nil, "a-0 shared to both"},
		{"beyond", map[string]Share{"m1": one(TopicPartition{"a", 2})}, nil, "does not exist"},
		{"negative", map[string]Share{"m1": one(TopicPartition{"a", -1})}, nil, "does not exist"},
		{"unknown topic", map[string]Share{"m1": one(TopicPartition{"z", 0})}, nil, "does not exist"},
		{"stranger", map[string]Share{"m9": {}}, nil, "not in the group"},
		{"not subscribed", map[string]Share{"m2": one(TopicPartition{"a", 0})}, nil, "does not subscribe"},
		{"fails", nil, errors.New("too hard"), "cannot balance group with scripted: too hard"},
	} {
		b.shares, b.err = c.shares, c.err
		_, err := b.balance(t, map[string]int32{"a": 2, "b": 1}, joined("m1", "", meta), joined("m2", "", narrow))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	bad := kmsg.NewConsumerMemberMetadata()
	bad.Topics, bad.UserData = []string{"a"}, []byte{7}
	if _, err := b.balance(t, nil, joined("m1", "", bad.AppendTo(nil))); err == nil {
		t.Error("malformed user data was taken")
	}
	if _, err := b.balance(t, nil, joined("m1", "", []byte("junk"))); err == nil {
		t.Error("malformed metadata was taken")
	}
}

func TestAdapterKeepsUserData(t *testing.T) {
	a := &balancerAdapter{Balancer: &scripted{}}
	parts, err := a.ParseSyncAssignment(someShare.encode())
	if err != nil || !cmp.Equal(parts, map[string][]int32{"a": {0, 7}, "b": {1}}) {
		t.Fatalf("%v, %v", parts, err)
	}
	if got := a.lastUserData(); !cmp.Equal(got, someShare.UserData) {
		t.Errorf("user data %+v", got)
	}
	if _, err := a.ParseSyncAssignment([]byte("x")); err == nil {
		t.Error("a malformed assignment was taken")
	}
	if got := a.lastUserData(); !cmp.Equal(got, someShare.UserData) {
		t.Errorf("a malformed assignment left user data %+v", got)
	}
	if a.ProtocolName() != "scripted" || a.IsCooperative() {
		t.Error("name or kind lost")
	}
}
