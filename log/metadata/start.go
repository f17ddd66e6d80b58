package metadata

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// setDefaults fills in and checks a configuration.
func (cfg *Config) setDefaults() error {
	if cfg.Dir == "" {
		return errors.New("cannot open metadata: no directory is configured")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.ReadyTimeout == 0 {
		cfg.ReadyTimeout = defaultReadyTimeout
	}
	cfg.Static = maps.Clone(cfg.Static)
	cfg.Voters = slices.Clone(cfg.Voters)
	if len(cfg.Voters) == 0 {
		cfg.Voters = []Voter{{NodeID: cfg.NodeID}}
	}
	seen := make(map[int32]bool, len(cfg.Voters))
	for _, v := range cfg.Voters {
		if v.NodeID < 0 || seen[v.NodeID] {
			return fmt.Errorf("cannot open metadata: voter %d is negative or named twice", v.NodeID)
		}
		seen[v.NodeID] = true
		if len(cfg.Voters) > 1 && cfg.Transport == nil && v.Address == "" {
			return fmt.Errorf("cannot open metadata: voter %d has no address", v.NodeID)
		}
	}
	if !seen[cfg.NodeID] {
		return fmt.Errorf("cannot open metadata: node %d is not among the voters", cfg.NodeID)
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = Timing{Heartbeat: votersPatience, Election: votersPatience, Lease: votersLease}
		if len(cfg.Voters) == 1 {
			cfg.Timing = Timing{Heartbeat: lonePatience, Election: lonePatience, Lease: lonePatience}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Static)) {
		if err := checkStatic(key, cfg.Static[key]); err != nil {
			return fmt.Errorf("cannot open metadata: %w", err)
		}
	}
	return nil
}

func (cfg *Config) self() Voter {
	at := slices.IndexFunc(cfg.Voters, func(v Voter) bool { return v.NodeID == cfg.NodeID })
	return cfg.Voters[at]
}

func (cfg *Config) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = serverID(cfg.NodeID)
	c.HeartbeatTimeout = cfg.Timing.Heartbeat
	c.ElectionTimeout = cfg.Timing.Election
	c.LeaderLeaseTimeout = cfg.Timing.Lease
	c.SnapshotThreshold = snapshotThreshold
	c.SnapshotInterval = snapshotInterval
	c.TrailingLogs = trailingEntries
	c.Logger = newRaftLogger(cfg.Logger, len(cfg.Voters) == 1)
	c.NoLegacyTelemetry = true
	// Not BatchApplyCh: raft batches what waits anyway, and the buffer would break the deadline of a proposal, and lose those in it at a stop.
	c.BatchApplyCh = false
	return c
}

// servers are the voters as raft knows them.
func (cfg *Config) servers() raft.Configuration {
	var c raft.Configuration
	for _, v := range cfg.Voters {
		c.Servers = append(c.Servers, raft.Server{Suffrage: raft.Voter, ID: serverID(v.NodeID), Address: v.address()})
	}
	return c
}

// start opens the stores and runs raft on them.
func (q *Quorum) start() error {
	stores, err := openStores(&q.cfg, q.latch)
	if err != nil {
		return err
	}
	q.stores = stores
	transport, err := newTransport(&q.cfg, q.cfg.self())
	if err != nil {
		return errors.Join(err, stores.close())
	}
	if err := q.run(transport); err != nil {
		if q.raft != nil {
			return errors.Join(err, q.shutdown().Error(), stores.close())
		}
		if c, ok := transport.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
		return errors.Join(err, stores.close())
	}
	q.leading.Go(q.lead)
	return nil
}

// run starts raft; at the very first start it founds the quorum, with the voters of the configuration.
func (q *Quorum) run(transport raft.Transport) error {
	log, err := raft.NewLogCache(entryCache, q.stores.log)
	if err != nil {
		return err
	}
	known, err := raft.HasExistingState(log, q.stores.log, q.stores.snapshots)
	if err != nil {
		return err
	}
	conf := q.cfg.raftConfig()
	servers := q.cfg.servers()
	if !known {
		if err := raft.BootstrapCluster(conf, log, q.stores.log, q.stores.snapshots, transport, servers); err != nil {
			return fmt.Errorf("cannot found the quorum: %w", err)
		}
	}
	node, err := raft.NewRaft(conf, q.fsm, log, q.stores.log, q.stores.snapshots, transport)
	if err != nil {
		return err
	}
	q.raft = node
	q.shutdown = sync.OnceValue(node.Shutdown)
	q.latch.onTrip(func() { q.shutdown() })
	return q.checkVoters()
}

// checkVoters refuses a data directory of a quorum with other members: to go on would be to elect a leader the others know nothing of.
func (q *Quorum) checkVoters() error {
	future := q.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return err
	}
	var have, want []int32
	for _, s := range future.Configuration().Servers {
		have = append(have, nodeOf(s.ID))
	}
	for _, v := range q.cfg.Voters {
		want = append(want, v.NodeID)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("%w: its voters are %v, the configuration names %v", ErrForeignQuorum, have, want)
	}
	return nil
}
