package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Defaults of GroupConfig: Kafka's own.
const (
	DefaultSessionTimeout    = 45 * time.Second
	DefaultRebalanceTimeout  = 60 * time.Second
	DefaultHeartbeatInterval = 3 * time.Second
)

// Reset says where a member starts in a partition without a committed offset, or whose committed offset is gone.
type Reset int8

const (
	ResetEarliest Reset = iota
	ResetLatest
	// ResetNone reports ErrNoCommittedOffset or ErrOffsetOutOfRange in Fetched.Err instead.
	ResetNone
)

// GroupConfig configures a member of a group. ID and Topics or TopicPattern are needed.
type GroupConfig struct {
	FetchConfig
	ID         string
	InstanceID string // not empty: a static member, which takes its seat again after a restart without a rebalance (KIP-345)

	Topics       []string
	TopicPattern string // a regular expression instead of Topics; internal topics never match

	SessionTimeout    time.Duration // default DefaultSessionTimeout
	RebalanceTimeout  time.Duration // how long OnRevoked may take; default DefaultRebalanceTimeout
	HeartbeatInterval time.Duration // default DefaultHeartbeatInterval, at most a third of SessionTimeout

	Balancer Balancer // nil: cooperative-sticky
	Reset    Reset
	// ResetByTopic overrides Reset for some topics when there is no committed offset.
	ResetByTopic map[string]Reset
	// StartAt are topics that are read, when there is no committed offset, from the first record with a timestamp at or after the
	// one given, in ms; from the end if there is none. It goes before ResetByTopic.
	StartAt map[string]int64

	// The callbacks run on the goroutine that calls Poll or Leave, inside of that call, so they never run beside its other work.
	// They may use Commit, Committed, Seek, Pause and Resume, but not Poll, Leave or Close.

	// OnAssigned is called after each rebalance, before records of the new partitions come, also when there are none.
	OnAssigned func(Assigned)
	// OnRevoked is called before partitions are given up: the last chance to commit them.
	OnRevoked func([]TopicPartition)
	// OnLost is called when partitions are gone already: a commit would be refused.
	OnLost func([]TopicPartition)
}

// Assigned is the outcome of a rebalance.
type Assigned struct {
	Added      []TopicPartition // sorted; with a cooperative balancer only what is new
	UserData   UserData         // the balancer's, for this member
	MemberID   string
	Generation int32
}

// Group is a member of a consumer group (classic protocol, with a balancer on the leading member). It belongs to one goroutine,
// which must call Poll at least every RebalanceTimeout; Close may be called from another. It never commits by itself.
type Group struct {
	cl      *kgo.Client
	adm     *kadm.Client
	cfg     GroupConfig
	adapter *balancerAdapter // nil with the library's balancer
	owned   map[TopicPartition]struct{}
	calls   callbacks
}

// JoinGroup starts to join the group and returns; Poll tells when the member has partitions.
func (c *Client) JoinGroup(cfg GroupConfig) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("cannot join group %q: %w", cfg.ID, err)
	}
	g := &Group{cfg: cfg, owned: make(map[TopicPartition]struct{})}
	g.calls.init()
	cl, err := c.dial(append(g.cfg.options(), g.groupOptions()...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot join group %q: %w", cfg.ID, err)
	}
	g.cl, g.adm = cl, kadm.NewClient(cl)
	return g, nil
}

func (cfg *GroupConfig) check() error {
	switch {
	case cfg.ID == "":
		return errors.New("no group id")
	case len(cfg.Topics) == 0 && cfg.TopicPattern == "":
		return errors.New("no topics and no pattern")
	case len(cfg.Topics) > 0 && cfg.TopicPattern != "":
		return errors.New("both topics and a pattern")
	case cfg.Balancer != nil && cfg.Balancer.Protocol() == "":
		return errors.New("balancer without a protocol name")
	}
	cfg.setDefaults()
	cfg.SessionTimeout = cmp.Or(cfg.SessionTimeout, DefaultSessionTimeout)
	cfg.RebalanceTimeout = cmp.Or(cfg.RebalanceTimeout, DefaultRebalanceTimeout)
	cfg.HeartbeatInterval = cmp.Or(cfg.HeartbeatInterval, min(DefaultHeartbeatInterval, cfg.SessionTimeout/3))
	if cfg.HeartbeatInterval >= cfg.SessionTimeout {
		return fmt.Errorf("heartbeat interval %v is not below session timeout %v", cfg.HeartbeatInterval, cfg.SessionTimeout)
	}
	return nil
}

func (g *Group) groupOptions() []kgo.Opt {
	cfg := &g.cfg
	opts := []kgo.Opt{
		kgo.ConsumerGroup(cfg.ID),
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.RebalanceTimeout(cfg.RebalanceTimeout),
		kgo.HeartbeatInterval(cfg.HeartbeatInterval),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(cfg.Reset.start()),
		kgo.ConsumeResetOffset(cfg.Reset.reset()),
		kgo.AdjustFetchOffsetsFn(g.resetByTopic),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, m map[string][]int32) { g.calls.deliver(assigned, m) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { g.calls.deliver(revoked, m) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { g.calls.deliver(lost, m) }),
	}
	if cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(cfg.InstanceID))
	}
	if cfg.TopicPattern != "" {
		opts = append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics(cfg.TopicPattern))
	} else {
		opts = append(opts, kgo.ConsumeTopics(cfg.Topics...))
	}
	if cfg.Balancer != nil {
		g.adapter = &balancerAdapter{Balancer: cfg.Balancer}
		return append(opts, kgo.Balancers(g.adapter))
	}
	return append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
}

func (r Reset) start() kgo.Offset {
	switch r {
	case ResetLatest:
		return kgo.NewOffset().AtEnd()
	case ResetNone:
		return kgo.NewOffset().AtCommitted()
	}
	return kgo.NewOffset().AtStart()
}

func (r Reset) reset() kgo.Offset {
	if r == ResetNone {
		return kgo.NoResetOffset()
	}
	return r.start()
}

// resetByTopic replaces the start of partitions that have no committed offset.
func (g *Group) resetByTopic(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	none := g.cfg.Reset.start()
	for topic, partitions := range offsets {
		start := none
		if reset, ok := g.cfg.ResetByTopic[topic]; ok {
			start = reset.start()
		}
		if ms, ok := g.cfg.StartAt[topic]; ok {
			start = kgo.NewOffset().AfterMilli(ms)
		}
		for p, at := range partitions {
			if at == none {
				partitions[p] = start
			}
		}
	}
	return offsets, nil
}

// Poll runs the callbacks of a rebalance under way, or waits for records of this member's partitions as Consumer.Poll does. It
// returns nothing and no error right after callbacks ran. A lost session is reported as an error that wraps ErrFenced,
// ErrUnknownMember or the like, after OnLost; all but ErrFenced cure themselves by joining again if polling goes on.
func (g *Group) Poll(ctx context.Context) ([]Fetched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g.runCallbacks() {
		return nil, nil
	}
	pollCtx, done := g.calls.watch(ctx)
	all, err := convert(poll(pollCtx, g.cl, g.cfg.MaxPollRecords), g.isOwned)
	interrupted := pollCtx.Err() != nil
	done()
	findStarts(ctx, g.cl, all)
	if interrupted && errors.Is(err, context.Canceled) {
		err = nil
	}
	switch {
	case len(all) > 0: // ctx and the callbacks have their turn at the next Poll
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case g.runCallbacks():
	case interrupted: // closed
		err = ErrClosed
	}
	if err != nil {
		err = fmt.Errorf("cannot poll in group %q: %w", g.cfg.ID, err)
	}
	return all, err
}

func (g *Group) isOwned(tp TopicPartition) bool {
	_, ok := g.owned[tp]
	return ok
}

// Assigned returns the partitions this member has now, sorted.
func (g *Group) Assigned() []TopicPartition {
	return slices.SortedFunc(maps.Keys(g.owned), TopicPartition.Compare)
}

// Generation returns the member id and the generation of the group this member is in; "" and -1 before the first join.
func (g *Group) Generation() (memberID string, generation int32) { return g.cl.GroupMetadata() }

// Commit commits offsets for this member's generation and waits for the answer. A partition that is not this member's is
// refused with ErrNotAssigned before anything is sent. Errors to expect: ErrFenced, ErrUnknownMember, ErrIllegalGeneration,
// ErrRebalance; partitions may have been committed all the same when one failed.
func (g *Group) Commit(ctx context.Context, offsets map[TopicPartition]OffsetAndMetadata) error {
	if len(offsets) == 0 {
		return nil
	}
	commit := make(map[string]map[int32]kgo.EpochOffset)
	for tp, o := range offsets {
		if !g.isOwned(tp) {
			return fmt.Errorf("cannot commit %s for group %q: %w", tp, g.cfg.ID, ErrNotAssigned)
		}
		if commit[tp.Topic] == nil {
			commit[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		commit[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: o.LeaderEpoch, Offset: o.Offset}
	}
	var err error
	withMetadata := kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		setCommitMetadata(req, offsets)
		return nil
	})
	g.cl.CommitOffsetsSync(withMetadata, commit,
		func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, commitErr error) {
			err = commitError(req, resp, commitErr)
		})
	if err != nil {
		return fmt.Errorf("cannot commit for group %q: %w", g.cfg.ID, err)
	}
	return nil
}

func setCommitMetadata(req *kmsg.OffsetCommitRequest, offsets map[TopicPartition]OffsetAndMetadata) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			p.Metadata = kmsg.StringPtr(offsets[TopicPartition{t.Topic, p.Partition}].Metadata)
		}
	}
}

// commitError returns the first error of a commit. From version 10 on the answer names topics by id.
func commitError(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return translate(err)
	}
	names := make(map[[16]byte]string)
	for _, t := range req.Topics {
		names[t.TopicID] = t.Topic
	}
	for _, t := range resp.Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID]
		}
		for _, p := range t.Partitions {
			if err := fromCode(p.ErrorCode, nil); err != nil {
				return fmt.Errorf("%s: %w", TopicPartition{name, p.Partition}, err)
			}
		}
	}
	return nil
}

// Committed returns what the group has committed for tps, or for every partition when none is given. Partitions without a
// commit are missing. It waits out transactions that are about to commit offsets.
func (g *Group) Committed(ctx context.Context, tps ...TopicPartition) (map[TopicPartition]OffsetAndMetadata, error) {
	all, err := fetchOffsets(ctx, g.adm, g.cfg.ID)
	if err != nil || len(tps) == 0 {
		return all, err
	}
	some := make(map[TopicPartition]OffsetAndMetadata, len(tps))
	for _, tp := range tps {
		if o, ok := all[tp]; ok {
			some[tp] = o
		}
	}
	return some, nil
}

// Seek moves a partition of this member.
func (g *Group) Seek(tp TopicPartition, offset int64) error {
	if !g.isOwned(tp) {
		return fmt.Errorf("cannot seek in %s: %w", tp, ErrNotAssigned)
	}
	if offset < 0 {
		return fmt.Errorf("cannot seek in %s to %d: %w", tp, offset, ErrOffsetOutOfRange)
	}
	g.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{tp.Topic: {tp.Partition: {Epoch: -1, Offset: offset}}})
	return nil
}

// Pause stops the fetching of partitions; best done in OnAssigned, before it begins. What was fetched already is kept back.
func (g *Group) Pause(tps ...TopicPartition) { pause(g.cl, tps) }

// Resume ends a Pause.
func (g *Group) Resume(tps ...TopicPartition) { resume(g.cl, tps) }

// Rejoin makes the group rebalance: the balancer's Subscription has changed, or it is time to probe. May be called from any goroutine.
func (g *Group) Rejoin() { g.cl.ForceRebalance() }

// Leave gives the partitions up (OnRevoked), leaves the group and closes. A static member keeps its seat until the session
// times out. When ctx ends first the member closes anyway and ctx's error is returned.
func (g *Group) Leave(ctx context.Context) error {
	left := make(chan error, 1)
	go func() { left <- g.cl.LeaveGroupContext(ctx) }()
	for {
		select {
		case err := <-left:
			g.Close()
			if err != nil {
				return fmt.Errorf("cannot leave group %q: %w", g.cfg.ID, translate(err))
			}
			return nil
		case <-g.calls.wake:
			g.runCallbacks()
		}
	}
}

// Close leaves the group without calling back and waits for the member's goroutines. A Poll under way returns ErrClosed.
func (g *Group) Close() {
	g.calls.close()
	g.cl.Close()
}
