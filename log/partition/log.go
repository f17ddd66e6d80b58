package partition

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/log/segment"
)

// Log is one partition. Its methods are safe for concurrent use.
//
// Append and roll hold mu. Whoever changes files besides (flush, retention, deletion, close) holds maintain, and takes mu within it for a moment.
// Readers take neither: they load what was published.
type Log struct {
	dir  *Directory
	id   ID
	path string // of its directory
	name string // of the topic

	config   atomic.Pointer[Config]
	pieces   atomic.Pointer[[]*piece] // by base offset; the last one is active; none while the log never held a record
	start    atomic.Int64             // ≤ durable
	durable  atomic.Pointer[mark]     // its start is not used
	epochs   atomic.Pointer[epochs]
	state    atomic.Pointer[logState]
	progress atomic.Pointer[func()]
	dirty    atomic.Bool  // in the flusher's list
	count    atomic.Int64 // of producers

	mu struct {
		sync.Mutex
		producers *producers
		rolled    []*piece       // sealed since the last flush
		entries   bool           // a segment was created since the last sync of the directory
		snapshots []snapshotFile // taken, and written once everything below is durable
		sinceTake int64          // bytes appended since the last snapshot was taken
	}
	maintain struct {
		sync.Mutex
		epochsOnDisk epochs
		unsettled    []*piece     // sealed and synced, not yet settled
		indexed      segment.Mark // base offset of the active segment whose index entries were written, and up to which position
		onDisk       []int64      // offsets of the snapshot files, rising
		idle         bool         // nothing was written since a clean start
	}
}

// piece is a segment with what the log knows of it.
type piece struct {
	*segment.Segment
	since    int64        // ms: the first append, for the age
	appended atomic.Int64 // ms: the last append, for the retention of records from the future
}

// snapshotFile is producer state on its way to the disk.
type snapshotFile struct {
	offset int64
	bytes  []byte
}

// logState is why a log does not serve.
type logState struct{ err error }

// snapshotDistance bounds the bytes whose headers are read after an unclean stop to rebuild producer state and indexes.
const snapshotDistance = 64 << 20

// ID names the partition.
func (l *Log) ID() ID { return l.id }

// Start is the first offset that may be read.
func (l *Log) Start() int64 { return l.start.Load() }

// End is the offset that the next record gets.
func (l *Log) End() int64 {
	if p := l.active(); p != nil {
		return p.Next()
	}
	return 0
}

// Durable is the offset below which every record is on disk.
func (l *Log) Durable() int64 { return l.durable.Load().durable }

// Watermark is the offset below which records may be acked and read on a cluster of one: Durable in mode Fsync, else End. After a disk error it is
// Durable in either mode.
func (l *Log) Watermark() int64 {
	if l.dir.cfg.Durability == Replicated && !l.dir.failed() {
		return l.End()
	}
	return l.Durable()
}

// Epoch is the newest leader epoch, -1 if there is none.
func (l *Log) Epoch() int32 { return l.epochs.Load().latest() }

// EpochEnd answers OffsetForLeaderEpoch (KIP-101): the largest epoch ≤ epoch and where the next one starts, or the end of the log. As in Kafka, an
// epoch above all known ones gives (-1, -1), one below all known ones ends where the first starts.
func (l *Log) EpochEnd(epoch int32) (foundEpoch int32, end int64) {
	return l.epochs.Load().end(epoch, l.End())
}

// EpochAt is the leader epoch of the record at an offset, -1 if it is not known.
func (l *Log) EpochAt(offset int64) int32 { return l.epochs.Load().at(offset) }

// StartEpoch says that records from End on belong to a new leader epoch. An older epoch is refused with ErrStaleEpoch.
func (l *Log) StartEpoch(epoch int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if epoch < l.Epoch() {
		return ErrStaleEpoch
	}
	l.startEpoch(epoch, l.End())
	return nil
}

// startEpoch is called with mu held.
func (l *Log) startEpoch(epoch int32, offset int64) {
	if e := *l.epochs.Load(); epoch > e.latest() {
		e = e.with(epoch, offset)
		l.epochs.Store(&e)
	}
}

// SetConfig changes the configuration; it holds for the next append and the next look at retention.
func (l *Log) SetConfig(c Config) {
	c = c.filled()
	l.config.Store(&c)
}

// SetProgress sets what is called after End, Durable, Start or the state has moved. At most one function; it is called without a lock of the log, by
// several goroutines, and must be quick: appends and flushes wait for it.
func (l *Log) SetProgress(fn func()) { l.progress.Store(&fn) }

func (l *Log) progressed() {
	if fn := l.progress.Load(); fn != nil && *fn != nil {
		(*fn)()
	}
}

// Err is nil while the log serves, else why it does not: *OfflineError, ErrDeleted, ErrClosed, ErrDirectoryFailed.
func (l *Log) Err() error {
	if s := l.state.Load(); s != nil {
		return s.err
	}
	return l.dir.Err()
}

// stop sets the state for good; the first reason stays, but for a deletion.
func (l *Log) stop(err error) {
	if !l.state.CompareAndSwap(nil, &logState{err}) && errors.Is(err, ErrDeleted) {
		l.state.Store(&logState{err})
	}
}

func (l *Log) all() []*piece {
	if p := l.pieces.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *Log) active() *piece {
	all := l.all()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// damaged turns damage that a reader or the recovery found into the state of the log. The file keeps its bytes under a new name: it is
// never cut, never served and never removed.
func (l *Log) damaged(err error) error {
	bad, ok := errors.AsType[*segment.CorruptError](err)
	if !ok {
		return err
	}
	offline := &OfflineError{ID: l.id, File: bad.Path + quarantineSuffix, Offset: bad.Offset, Err: err}
	if l.state.CompareAndSwap(nil, &logState{offline}) {
		if moved := l.quarantine(bad.Path); moved != nil {
			offline.File = bad.Path
			l.dir.cfg.Logger.Error("cannot quarantine a damaged file", "file", bad.Path, "err", moved)
		}
		l.dir.cfg.Logger.Error("partition is offline", "partition", l.id.String(), "file", offline.File, "position", bad.Position, "offset", bad.Offset, "err", bad.Err)
		l.progressed()
	}
	return l.Err()
}

const quarantineSuffix = ".quarantined"

func (l *Log) quarantine(file string) error {
	if err := l.dir.cfg.FS.Rename(file, file+quarantineSuffix); err != nil {
		return err
	}
	return l.dir.cfg.FS.SyncDir(path.Dir(file))
}

// gone tells whether an error only means that retention took the segment away meanwhile.
func (l *Log) gone(err error, offset int64) bool {
	return errors.Is(err, fs.ErrNotExist) && offset < l.Start()
}

func (id ID) compare(other ID) int {
	return cmp.Or(id.Topic.Compare(other.Topic), cmp.Compare(id.Partition, other.Partition))
}

func (l *Log) segmentConfig() segment.Config {
	c := l.config.Load()
	return segment.Config{
		FS: l.dir.cfg.FS, Dir: l.path, Cache: l.dir.cache,
		IndexInterval: c.IndexIntervalBytes, Step: l.dir.cfg.PreallocateStep, MaxBytes: c.SegmentBytes,
		Full: l.dir.space.isFull,
	}
}
