package metadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/millrace/millrace/log/disk"
)

// Bounds and defaults of a quorum.
const (
	maxProposals        = 1024                   // in flight at once; more wait for their turn, or their context
	defaultReadyTimeout = 30 * time.Second       // for Open
	readyInterval       = 5 * time.Millisecond   // between two looks of Open
	snapshotThreshold   = 1024                   // entries after which a snapshot is worth its while
	snapshotInterval    = 30 * time.Second       // how often raft looks at that
	trailingEntries     = 1024                   // kept behind a snapshot, for voters that lag a little
	drainPatience       = 5 * time.Second        // for proposals in flight, at Close
	closeSnapshotAfter  = 128                    // entries since the last snapshot from which on Close takes one: it makes the next start quick
	entryCache          = 128                    // entries kept in memory for other voters
	lonePatience        = 20 * time.Millisecond  // heartbeat, election and lease timeout of a voter who has nobody to wait for
	votersPatience      = 1 * time.Second        // heartbeat and election timeout of several
	votersLease         = 500 * time.Millisecond // and their lease
)

// Voter is one member of the quorum.
type Voter struct {
	NodeID  int32
	Address string // host:port of its raft listener; unused with a Transport of one's own and for a lone voter
}

// Timing is raft's patience. Lease ≤ Heartbeat ≤ Election.
type Timing struct {
	Heartbeat, Election, Lease time.Duration
}

// Config is what a quorum member is made of. Dir is required; the rest has defaults.
type Config struct {
	Dir    string // made if missing; raft's own files, not the disk seam's
	NodeID int32
	Voters []Voter // the whole quorum with this node; none: this node alone

	// Transport connects the voters; raft owns what it returns and closes it. nil: TCP on ListenAddress, or no network at all for a lone voter.
	Transport     func(self raft.ServerAddress) (raft.Transport, error)
	ListenAddress string // host:port

	// Static are the node's own configuration values by Kafka's names, as its configuration file gives them ("log.retention.ms", "num.partitions").
	Static map[string]string

	Timing       Timing        // zero: 20 ms for a lone voter; 1 s, 1 s and 500 ms for several
	ReadyTimeout time.Duration // how long Open may take; zero: 30 s
	Logger       *slog.Logger  // nil: none

	// WrapStore, if set, stands between raft and its store: a seam for tests that make a store fail. nil: nothing in between.
	WrapStore func(Store) Store
}

// Store is what raft keeps its log, term and vote in.
type Store interface {
	raft.LogStore
	raft.StableStore
}

// Quorum is this node's member of the controller quorum: the metadata image, and the one way to change it.
type Quorum struct {
	cfg    Config
	log    *slog.Logger
	raft   *raft.Raft
	fsm    *machine
	stores *stores
	latch  *latch

	topicKeys []Definition // TopicDefinitions, made once: every topic is resolved at a start

	proposals chan struct{} // a slot per proposal in flight
	closing   chan struct{} // closed first: no new proposals
	stopped   chan struct{} // closed when raft has ended: nobody answers any more
	once      sync.Once
	closeErr  error
	leading   sync.WaitGroup     // the goroutine of lead
	shutdown  func() raft.Future // of raft; the same future every time
}

// Open opens or founds the quorum in cfg.Dir and returns when this node has applied the first entry of the current leader's term: from then on its
// image holds everything that was committed before. With several voters that needs a majority of them to be up. It fails with ErrNewerFormat,
// ErrDamaged or ErrForeignQuorum, wrapped with what to do about it, rather than start on a log it cannot read whole.
func Open(cfg Config) (*Quorum, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	q := &Quorum{
		cfg: cfg, log: cfg.Logger, latch: newLatch(cfg.Logger), topicKeys: TopicDefinitions(),
		proposals: make(chan struct{}, maxProposals), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	q.fsm = newMachine(q.latch)
	if err := q.start(); err != nil {
		return nil, fmt.Errorf("cannot open metadata in %s: %w", cfg.Dir, err)
	}
	if err := q.ready(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open metadata in %s: %w", cfg.Dir, err), q.Close())
	}
	return q, nil
}

// Image is the newest applied state.
func (q *Quorum) Image() *Image { return q.fsm.image.Load() }

// Subscribe has fn called for every change from now on, in order, on the applying goroutine and before the proposer's call returns: what fn did is
// done when CreateTopics answers. Several entries may come as one change. It returns the image that the first change will have as old. fn must not
// propose anything (it would wait for itself), should be quick, and a panic in it ends the process: a state that some applied and some did not is
// worse than a stop.
func (q *Quorum) Subscribe(fn func(old, new *Image)) *Image { return q.fsm.subscribe(fn) }

// Failed is closed at the first error of raft's log, term or snapshot store: the node takes part in nothing any more, and the process should end
// with Err. A store that failed once cannot be trusted again: a second fsync says yes to data that is gone.
func (q *Quorum) Failed() <-chan struct{} { return q.latch.failed }

// Err is why Failed is closed, else nil.
func (q *Quorum) Err() error { return q.latch.Err() }

// Stats are figures for metrics and DescribeQuorum.
type Stats struct {
	Term, LastIndex, CommitIndex, AppliedIndex uint64
	Leader                                     int32 // -1: none known
	Voters                                     []int32
}

// Stats reads them.
func (q *Quorum) Stats() Stats {
	s := Stats{
		Term: q.raft.CurrentTerm(), LastIndex: q.raft.LastIndex(), CommitIndex: q.raft.CommitIndex(), Leader: -1,
		AppliedIndex: max(q.raft.AppliedIndex(), q.Image().Version()), // raft counts an entry after it is applied
	}
	if _, id := q.raft.LeaderWithID(); id != "" {
		s.Leader = nodeOf(id)
	}
	for _, v := range q.cfg.Voters {
		s.Voters = append(s.Voters, v.NodeID)
	}
	return s
}

// Close stops this node's member. Proposals in flight are given a moment, new ones get ErrClosed.
func (q *Quorum) Close() error { return q.stop(true) }

// Kill stops it as if the process died: no snapshot, nobody is waited for. For tests.
func (q *Quorum) Kill() { _ = q.stop(false) }

func (q *Quorum) stop(clean bool) error {
	q.once.Do(func() {
		close(q.closing)
		if clean {
			q.drain()
			q.closeErr = q.snapshotBeforeClose()
		}
		err := q.shutdown().Error()
		close(q.stopped)
		q.leading.Wait()
		q.latch.close()
		q.closeErr = errors.Join(q.closeErr, err, q.stores.close())
	})
	return q.closeErr
}

// drain waits for the proposals in flight: one that has the slots has no one beside it.
func (q *Quorum) drain() {
	patience := time.NewTimer(drainPatience)
	defer patience.Stop()
	for range maxProposals {
		select {
		case q.proposals <- struct{}{}:
		case <-q.latch.failed:
			return
		case <-patience.C:
			return
		}
	}
}

// snapshotBeforeClose saves the next start the replay of many entries.
func (q *Quorum) snapshotBeforeClose() error {
	if q.latch.Err() != nil || q.Image().Version() < q.stores.lastSnapshot()+closeSnapshotAfter {
		return nil
	}
	err := q.raft.Snapshot().Error()
	switch {
	case disk.NoSpace(err):
		q.log.Warn("there is no space for a metadata snapshot", "err", err) // the next start replays more
	case err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot):
		return fmt.Errorf("cannot take a metadata snapshot: %w", err)
	}
	return nil
}

// ready waits for the first entry of the current term. That a leader is known comes first: until then the term is the one of the last run, and its
// first entry may have come with a snapshot.
func (q *Quorum) ready() error {
	timeout := time.NewTimer(q.cfg.ReadyTimeout)
	defer timeout.Stop()
	look := time.NewTicker(readyInterval)
	defer look.Stop()
	for {
		if _, leader := q.raft.LeaderWithID(); leader != "" && q.Image().controllerTerm == q.raft.CurrentTerm() {
			return nil
		}
		select {
		case <-q.fsm.control:
		case <-look.C: // a leader that is heard of makes no noise
		case <-q.latch.failed:
			return q.latch.Err()
		case <-timeout.C:
			return fmt.Errorf("%w: no controller was elected within %s", ErrTimeout, q.cfg.ReadyTimeout)
		}
	}
}

// lead makes the claim of every leadership this node wins.
func (q *Quorum) lead() {
	for {
		select {
		case <-q.closing:
			return
		case leads := <-q.raft.LeaderCh():
			if !leads {
				q.log.Info("this node leads the metadata quorum no more", "node", q.cfg.NodeID)
				continue
			}
			claim := &takeControl{node: q.cfg.NodeID, clusterID: newClusterID(), metadataLevel: MaxMetadataVersion}
			if _, err := q.propose(context.Background(), claim); err != nil {
				q.log.Warn("cannot take control of the metadata quorum", "node", q.cfg.NodeID, "err", err) // it stepped down, or is about to stop
				continue
			}
			q.log.Info("this node leads the metadata quorum", "node", q.cfg.NodeID, "term", q.Image().controllerTerm)
		}
	}
}

// answer is how a proposal ended.
type answer struct {
	result any
	err    error
}

// propose has the command committed and applied, and returns its result. When ctx ends first the answer is ErrTimeout, and the command may still be
// applied.
func (q *Quorum) propose(ctx context.Context, c command) (any, error) {
	if err := q.latch.Err(); err != nil {
		return nil, err
	}
	entry := encodeCommand(c)
	if len(entry) > maxEntryBytes {
		return nil, fmt.Errorf("%w: the change takes %d bytes, %d are allowed", ErrPolicyViolation, len(entry), maxEntryBytes)
	}
	select {
	case <-q.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case q.proposals <- struct{}{}:
	case <-ctx.Done():
		return nil, timedOut(ctx)
	case <-q.closing:
		return nil, ErrClosed
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-q.proposals }()
		done <- q.commit(ctx, entry)
	}()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		return nil, timedOut(ctx)
	case <-q.latch.failed:
		return nil, q.latch.Err()
	case <-q.stopped: // raft forgets those whose entry waits for the state machine
		return nil, ErrClosed
	}
}

// commit waits for raft; it outlives the proposer's patience, not the raft node.
func (q *Quorum) commit(ctx context.Context, entry []byte) answer {
	var patience time.Duration // to get it into raft's hands; 0: for ever
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline), time.Nanosecond)
	}
	future := q.raft.Apply(entry, patience)
	err := future.Error()
	switch {
	case q.latch.Err() != nil: // first: the state machine then answers with that, whatever the command
		return answer{err: q.latch.Err()}
	case err == nil:
		return answer{result: future.Response()}
	case errors.Is(err, raft.ErrRaftShutdown):
		return answer{err: ErrClosed}
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return answer{err: fmt.Errorf("%w: %w", ErrTimeout, context.DeadlineExceeded)}
	}
	return answer{err: fmt.Errorf("%w: %w", ErrNotController, err)}
}

func timedOut(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
}
