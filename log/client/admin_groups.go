package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ListedGroup is a group in a list.
type ListedGroup struct {
	ID           string
	ProtocolType string // "consumer"; "connect" for Kafka Connect's; "" for a group that only has offsets
	State        string // Kafka's name, as Stable
	Coordinator  int32
}

// ListGroups lists all groups, by id.
func (a *Admin) ListGroups(ctx context.Context) ([]ListedGroup, error) {
	listed, err := a.adm.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list groups: %w", translate(err))
	}
	groups := make([]ListedGroup, 0, len(listed))
	for _, g := range listed.Sorted() {
		groups = append(groups, ListedGroup{ID: g.Group, ProtocolType: g.ProtocolType, State: g.State, Coordinator: g.Coordinator})
	}
	return groups, nil
}

// GroupDescription describes a group.
type GroupDescription struct {
	ID, State, ProtocolType string
	Protocol                string // the balancer's name
	Coordinator             int32
	Members                 []GroupMember
}

// GroupMember describes a member as the coordinator knows it. Subscription and assignment are empty unless it speaks the
// "consumer" protocol type.
type GroupMember struct {
	ID, InstanceID, ClientID, Host string
	Topics                         []string
	Assigned                       []TopicPartition
}

// DescribeGroup describes a group. ErrUnknownGroup if there is none; older logs describe that as a group in the state Dead.
func (a *Admin) DescribeGroup(ctx context.Context, id string) (GroupDescription, error) {
	described, err := a.adm.DescribeGroups(ctx, id)
	if err == nil {
		var g kadm.DescribedGroup
		if g, err = described.On(id, nil); err == nil {
			if err = translateDetail(g.Err, g.ErrMessage); err == nil {
				return convertGroup(g), nil
			}
		}
	}
	return GroupDescription{}, fmt.Errorf("cannot describe group %q: %w", id, translate(err))
}

func convertGroup(g kadm.DescribedGroup) GroupDescription {
	out := GroupDescription{ID: g.Group, State: g.State, ProtocolType: g.ProtocolType, Protocol: g.Protocol, Coordinator: g.Coordinator.NodeID}
	for _, m := range g.Members {
		member := GroupMember{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			member.InstanceID = *m.InstanceID
		}
		if join, ok := m.Join.AsConsumer(); ok {
			member.Topics = join.Topics
		}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					member.Assigned = append(member.Assigned, TopicPartition{t.Topic, p})
				}
			}
			slices.SortFunc(member.Assigned, TopicPartition.Compare)
		}
		out.Members = append(out.Members, member)
	}
	return out
}

// DeleteGroups deletes groups and their offsets, and returns one error (or nil) per id: ErrUnknownGroup, ErrGroupNotEmpty.
func (a *Admin) DeleteGroups(ctx context.Context, ids ...string) ([]error, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	resp, err := a.adm.DeleteGroups(ctx, ids...)
	if err != nil && len(resp) == 0 {
		return nil, fmt.Errorf("cannot delete groups: %w", translate(err))
	}
	errs := make([]error, len(ids))
	for i, id := range ids {
		r, ok := resp[id]
		groupErr := translateDetail(r.Err, r.ErrMessage)
		if !ok {
			groupErr = errNoAnswer
		}
		if groupErr != nil {
			errs[i] = fmt.Errorf("cannot delete group %q: %w", id, groupErr)
		}
	}
	return errs, nil
}

// RemoveStaticMembers makes members leave a group by their instance ids: what Leave does not do for them.
func (a *Admin) RemoveStaticMembers(ctx context.Context, group string, instanceIDs ...string) error {
	resp, err := a.adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instanceIDs...))
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return fmt.Errorf("cannot remove members of group %q: %w", group, translate(err))
	}
	return nil
}

// FetchOffsets returns everything a group has committed. An unknown group has committed nothing.
func (a *Admin) FetchOffsets(ctx context.Context, group string) (map[TopicPartition]OffsetAndMetadata, error) {
	return fetchOffsets(ctx, a.adm, group)
}

func fetchOffsets(ctx context.Context, adm *kadm.Client, group string) (map[TopicPartition]OffsetAndMetadata, error) {
	resp, err := adm.FetchOffsets(kadm.RequireStable(ctx), group)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot fetch offsets of group %q: %w", group, translate(err))
	}
	offsets := make(map[TopicPartition]OffsetAndMetadata)
	resp.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			offsets[TopicPartition{o.Topic, o.Partition}] = OffsetAndMetadata{Offset: o.At, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata}
		}
	})
	return offsets, nil
}

// CommitOffsets sets offsets of a group that has no members; with members it fails with ErrUnknownMember or ErrGroupNotEmpty.
func (a *Admin) CommitOffsets(ctx context.Context, group string, offsets map[TopicPartition]OffsetAndMetadata) error {
	if len(offsets) == 0 {
		return nil
	}
	commit := make(kadm.Offsets)
	for tp, o := range offsets {
		commit.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata})
	}
	resp, err := a.adm.CommitOffsets(ctx, group, commit)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return fmt.Errorf("cannot commit offsets of group %q: %w", group, translate(err))
	}
	return nil
}

// PartitionLag is how far a group is behind in one partition.
type PartitionLag struct {
	TopicPartition
	Member    string // the member that reads it; "" when nobody does
	Committed int64  // -1: nothing
	LogStart  int64
	LogEnd    int64
	Lag       int64 // LogEnd - Committed, or everything there is without a commit; -1 with an Err
	Err       error
}

// Lag returns how far a group is behind in every partition it has committed or is assigned, sorted.
func (a *Admin) Lag(ctx context.Context, group string) ([]PartitionLag, error) {
	lags, err := a.adm.Lag(ctx, group)
	if err == nil {
		l := lags[group]
		if err = l.Error(); err == nil {
			return convertLag(l.Lag), nil
		}
	}
	return nil, fmt.Errorf("cannot find lag of group %q: %w", group, translate(err))
}

func convertLag(l kadm.GroupLag) []PartitionLag {
	var out []PartitionLag
	for _, m := range l.Sorted() {
		lag := PartitionLag{
			TopicPartition: TopicPartition{m.Topic, m.Partition}, Committed: m.Commit.At,
			LogStart: m.Start.Offset, LogEnd: m.End.Offset, Lag: m.Lag, Err: translate(m.Err),
		}
		if m.Member != nil {
			lag.Member = m.Member.MemberID
		}
		out = append(out, lag)
	}
	slices.SortFunc(out, func(a, b PartitionLag) int { return a.TopicPartition.Compare(b.TopicPartition) })
	return out
}
