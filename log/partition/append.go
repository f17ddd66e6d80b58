package partition

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/segment"
)

// Origin says where a batch comes from, and so what is checked.
type Origin int

const (
	FromClient      Origin = iota // all checks
	FromCoordinator               // records of our own: goes on from the reserve when the disk is full
	FromLeader                    // replication: offsets are given, state is updated, nothing but damage is refused
)

// AppendRequest is one batch to append.
type AppendRequest struct {
	Batch       record.Batch // one whole batch; the log patches base offset, epoch and append time in it; not kept after Append returns
	LeaderEpoch int32        // ≥ 0
	Origin      Origin
}

// Appended says where a batch is.
type Appended struct {
	Base, Next int64 // offsets of the batch: [Base, Next)
	Time       int64 // log append time in ms, -1 with create time
	Start      int64 // log start offset
	Duplicate  bool  // one of the last five batches of this producer came again: Base is the first answer's
}

// Append writes one batch at the end of the log. It returns once the batch can be read back from memory; it is acked to nobody before Watermark
// reaches Next.
//
// Errors: *record.InvalidError, ErrTooLarge, ErrTooLargeForSegment, ErrTransactional, ErrTimestamp, ErrProducerFenced,
// ErrOutOfOrderSequence, ErrStaleEpoch, ErrUnexpectedOffset, ErrNoSpace, ErrDirectoryFailed, ErrDeleted, ErrClosed, *OfflineError. After an error
// the log is as it was.
func (l *Log) Append(r AppendRequest) (Appended, error) {
	cfg, now := l.config.Load(), l.dir.cfg.Now()
	if err := check(r, cfg, now); err != nil {
		return Appended{}, err
	}
	if r.Origin == FromClient && l.dir.space.isFull() {
		return Appended{}, ErrNoSpace
	}
	a, err := l.append(r, cfg, now)
	if r.Origin == FromCoordinator && errors.Is(err, ErrNoSpace) && l.dir.space.release() {
		a, err = l.append(r, cfg, now)
	}
	if err != nil {
		return Appended{}, err
	}
	if !a.Duplicate {
		l.dir.enqueue(l, int64(len(r.Batch)))
		l.progressed()
	}
	return a, nil
}

// check is what can be said without the state of the log, and so without its lock.
func check(r AppendRequest, cfg *Config, now time.Time) error {
	b := r.Batch
	if r.Origin == FromLeader {
		return b.CheckStored()
	}
	if err := b.Check(); err != nil {
		return err
	}
	if b.Transactional() {
		return ErrTransactional
	}
	if len(b) > cfg.MaxMessageBytes && r.Origin == FromClient {
		return ErrTooLarge
	}
	if int64(len(b)) > cfg.SegmentBytes {
		return ErrTooLargeForSegment
	}
	if r.LeaderEpoch < 0 {
		return ErrStaleEpoch
	}
	if r.Origin == FromClient && cfg.Compact {
		if err := b.CheckKeys(cfg.MaxDecompressedBytes); err != nil {
			return err
		}
	}
	if r.Origin == FromClient && !cfg.LogAppendTime {
		return checkTime(b, cfg, now.UnixMilli())
	}
	return nil
}

func checkTime(b record.Batch, cfg *Config, now int64) error {
	if b.LogAppendTime() {
		return fmt.Errorf("%w: the batch claims to have a log append time", ErrTimestamp)
	}
	if after := cfg.TimestampAfterMax; after >= 0 && b.MaxTimestamp() > now+after.Milliseconds() {
		return fmt.Errorf("%w: %d is more than %v ahead", ErrTimestamp, b.MaxTimestamp(), after)
	}
	before := cfg.TimestampBeforeMax
	if before < 0 {
		return nil
	}
	// The header does not tell the oldest record: the first one need not be it.
	for r, err := range b.Records(cfg.MaxDecompressedBytes) {
		if err != nil {
			return err
		}
		if r.Timestamp < now-before.Milliseconds() {
			return fmt.Errorf("%w: %d is more than %v old", ErrTimestamp, r.Timestamp, before)
		}
	}
	return nil
}

func (l *Log) append(r AppendRequest, cfg *Config, now time.Time) (Appended, error) {
	b := r.Batch
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return Appended{}, err
	}
	if r.Origin != FromLeader && r.LeaderEpoch < l.Epoch() {
		return Appended{}, ErrStaleEpoch
	}
	done := Appended{Base: l.End(), Time: -1, Start: l.Start()}
	if r.Origin == FromLeader {
		// A log that never held a record may begin anywhere; after that there are no holes, as nothing is compacted.
		if b.BaseOffset() != done.Base && done.Base > 0 || b.LeaderEpoch() < l.Epoch() {
			return Appended{}, ErrUnexpectedOffset
		}
		done.Base = b.BaseOffset()
	} else {
		if done.Base > math.MaxInt64-1-int64(b.LastOffsetDelta()) {
			return Appended{}, ErrTooLarge
		}
		b.SetBaseOffset(done.Base)
		b.SetLeaderEpoch(r.LeaderEpoch)
	}
	h, err := segment.ParseHeader(b)
	if err != nil {
		return Appended{}, err
	}
	if r.Origin == FromClient && h.ProducerID >= 0 {
		was, duplicate, err := l.mu.producers.check(h, done.Base > 0)
		if err != nil {
			return Appended{}, err
		}
		if duplicate {
			done.Base, done.Next, done.Duplicate = was.base, was.base+int64(h.LastDelta)+1, true
			return done, nil
		}
	}
	if r.Origin != FromLeader && cfg.LogAppendTime {
		done.Time = now.UnixMilli()
		b.SetLogAppendTime(done.Time)
		h.MaxTimestamp = done.Time
	}
	if err := l.write(b, h, cfg, now.UnixMilli()); err != nil {
		return Appended{}, l.writeFailed(err)
	}
	l.startEpoch(b.LeaderEpoch(), h.Base)
	l.applied(h, cfg)
	done.Next = h.Next()
	return done, nil
}

// applied brings the state of producers up to a batch that was written.
func (l *Log) applied(h segment.Header, cfg *Config) {
	p := l.mu.producers
	p.apply(h, cfg.ProducerIDExpiration.Milliseconds())
	l.count.Store(int64(p.len()))
	l.mu.sinceTake += h.Size
	if l.mu.sinceTake >= snapshotDistance {
		l.takeSnapshot(h.Next())
	}
}

func (l *Log) takeSnapshot(offset int64) {
	l.mu.snapshots = append(l.mu.snapshots, snapshotFile{offset, l.mu.producers.encode(offset)})
	l.mu.sinceTake = 0
}

// write puts a batch into the active segment, or a new one.
func (l *Log) write(b record.Batch, h segment.Header, cfg *Config, now int64) error {
	p := l.active()
	if p == nil || l.full(p, h, cfg, now) {
		next, err := l.roll(h.Base)
		if err != nil {
			return err
		}
		p = next
	}
	if err := p.Segment.Append(b, h); err != nil {
		return err
	}
	if p.since == 0 {
		p.since = now
	}
	p.appended.Store(now)
	return nil
}

func (l *Log) full(p *piece, h segment.Header, cfg *Config, now int64) bool {
	size := p.Size()
	if size == 0 {
		return !p.Fits(h.Next() - 1)
	}
	return size+h.Size > cfg.SegmentBytes || p.IndexFull() || !p.Fits(h.Next()-1) || now-p.since >= cfg.SegmentAge.Milliseconds()
}

// roll makes a new active segment. Nothing is synced here: the flusher trims and syncs the old one, and syncs the directory, before anything in the
// new one counts as durable.
func (l *Log) roll(base int64) (*piece, error) {
	s, err := segment.Create(l.segmentConfig(), base)
	if err != nil {
		return nil, err
	}
	p := &piece{Segment: s}
	if old := l.active(); old != nil {
		old.Seal()
		l.mu.rolled = append(l.mu.rolled, old)
		l.takeSnapshot(base)
	}
	l.mu.entries = true
	pieces := append(slices.Clone(l.all()), p)
	l.pieces.Store(&pieces)
	return p, nil
}

// writeFailed decides what a failed write means. No space passes; anything else may have damaged what we cannot see.
func (l *Log) writeFailed(err error) error {
	failed, ok := errors.AsType[*segment.WriteError](err)
	if disk.NoSpace(err) && !(ok && failed.Dirty) {
		l.dir.space.ranOut(err)
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	l.dir.fail(err)
	return fmt.Errorf("%w: %w", ErrDirectoryFailed, err)
}
