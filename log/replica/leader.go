package replica

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
)

// ErrNotLeader answers whoever reaches a partition that this node leads no longer.
var ErrNotLeader = errors.New("this node does not lead the partition")

// Leader is one partition led by this node. Safe for concurrent use.
type Leader struct {
	log   *partition.Log
	epoch int32

	// committed is the high watermark: it never falls while this Leader lives.
	committed atomic.Int64

	mu struct {
		sync.Mutex
		watchers map[*Watcher]awaited
		stopped  error
	}
}

// Lead starts to lead log in the given leader epoch: records appended from now on carry it.
func Lead(log *partition.Log, epoch int32) (*Leader, error) {
	if err := log.StartEpoch(epoch); err != nil {
		return nil, err
	}
	l := &Leader{log: log, epoch: epoch}
	l.mu.watchers = make(map[*Watcher]awaited)
	l.advance()
	log.SetProgress(l.progressed)
	l.progressed() // what moved between the first look and SetProgress
	return l, nil
}

// Log is the local log; callers read through it and append through the leader.
func (l *Leader) Log() *partition.Log { return l.log }

// Epoch is the leader epoch this node leads in.
func (l *Leader) Epoch() int32 { return l.epoch }

// HighWatermark is the offset below which every record is committed: it may be acked and read.
func (l *Leader) HighWatermark() int64 { return l.committed.Load() }

// LastStable is the offset below which no transaction is open: the high watermark, as long as there are none.
func (l *Leader) LastStable() int64 { return l.committed.Load() }

// Append writes one batch from a client. The batch is patched in place and not kept.
func (l *Leader) Append(b record.Batch) (partition.Appended, error) {
	return l.append(b, partition.FromClient)
}

// AppendOwn writes one batch that a coordinator of this node made.
func (l *Leader) AppendOwn(b record.Batch) (partition.Appended, error) {
	return l.append(b, partition.FromCoordinator)
}

func (l *Leader) append(b record.Batch, origin partition.Origin) (partition.Appended, error) {
	if err := l.Err(); err != nil {
		return partition.Appended{}, err
	}
	return l.log.Append(partition.AppendRequest{Batch: b, LeaderEpoch: l.epoch, Origin: origin})
}

// Err is nil while the leader serves, and afterwards why it does not.
func (l *Leader) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.stopped
}

// Stop ends the leadership: appends answer err, every watcher fires.
func (l *Leader) Stop(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.stopped != nil {
		return
	}
	l.mu.stopped = err
	for w := range l.mu.watchers {
		w.fire()
	}
}

// HighWatermark is the highest offset that every in-sync replica holds. A position is the offset up to which a replica holds the log in the sense
// of the durability mode: on its disk, or in its memory.
func HighWatermark(positions ...int64) int64 {
	low := positions[0]
	for _, p := range positions[1:] {
		low = min(low, p)
	}
	return low
}

// advance raises the high watermark to what the in-sync set holds.
func (l *Leader) advance() int64 {
	for {
		old := l.committed.Load()
		now := HighWatermark(l.log.Watermark())
		if now <= old || l.committed.CompareAndSwap(old, now) {
			return max(old, now)
		}
	}
}

// progressed runs after the log moved: its end, its durable mark, its start or its state.
func (l *Leader) progressed() {
	hw, start := l.advance(), l.log.Start()
	failed := l.log.Err() != nil
	l.mu.Lock()
	defer l.mu.Unlock()
	for w, wanted := range l.mu.watchers {
		if hw >= wanted.hw || failed || start > wanted.start {
			w.fire()
		}
	}
}
