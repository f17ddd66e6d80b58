package partition

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"uuid"

	"github.com/millrace/millrace/log/segment"
)

// Directory is a log directory: the partitions of one node on one disk. Its methods are safe for concurrent use.
type Directory struct {
	cfg     DirectoryConfig
	id      uuid.UUID
	clean   bool
	lock    io.Closer
	marks   *marks
	cache   *segment.Cache
	space   space
	flusher flusher
	latch   latch

	loaded   atomic.Bool // Load was called: whatever an unclean stop left behind has been dealt with
	closed   atomic.Bool
	stopping chan struct{}
	loops    sync.WaitGroup // the flusher and the janitor

	mu struct {
		sync.RWMutex
		logs map[ID]loaded
	}
}

// loaded is a partition that serves, or why it does not.
type loaded struct {
	log *Log
	err error
}

// latch is the end of a directory: the first failed sync or write. Nothing is published as durable after that.
type latch struct {
	mu     sync.Mutex // publishing and failing exclude each other
	err    atomic.Pointer[error]
	failed chan struct{}
}

func (d *Directory) failed() bool { return d.latch.err.Load() != nil }

// fail sets the latch. It may be called with locks held; the janitor tells the logs.
func (d *Directory) fail(err error) {
	d.latch.mu.Lock()
	defer d.latch.mu.Unlock()
	if d.failed() {
		return
	}
	err = fmt.Errorf("%w: %w", ErrDirectoryFailed, err)
	d.latch.err.Store(&err)
	close(d.latch.failed)
	d.cfg.Logger.Error("the log directory is offline", "err", err)
}

// publish runs fn unless the directory has failed: a sync that succeeds after another one has failed acks nothing.
func (d *Directory) publish(fn func()) error {
	d.latch.mu.Lock()
	defer d.latch.mu.Unlock()
	if err := d.latch.err.Load(); err != nil {
		return *err
	}
	fn()
	return nil
}

// Failed is closed when the directory has gone offline for good.
func (d *Directory) Failed() <-chan struct{} { return d.latch.failed }

// Err is nil while the directory serves, else ErrDirectoryFailed with its cause, or ErrClosed.
func (d *Directory) Err() error {
	if err := d.latch.err.Load(); err != nil {
		return *err
	}
	if d.closed.Load() {
		return ErrClosed
	}
	return nil
}

// ID is the identity of the directory, made when it was first opened.
func (d *Directory) ID() uuid.UUID { return d.id }

// CleanStart tells whether the directory was closed properly the last time (or is new): then nothing was lost and nothing is scanned.
func (d *Directory) CleanStart() bool { return d.clean }

// OpenDirectory locks a log directory, making it if it is empty, and starts its flusher and janitor. No partition is open yet: see Load.
// Errors: *disk.LockedError; ErrWrongDirectory for another cluster's or node's directory; ErrNewerFormat.
func OpenDirectory(cfg DirectoryConfig) (*Directory, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	d := &Directory{cfg: cfg, stopping: make(chan struct{}), cache: segment.NewCache(cfg.OpenFiles)}
	d.mu.logs = make(map[ID]loaded)
	d.latch.failed = make(chan struct{})
	d.flusher.wake = make(chan struct{}, 1)
	d.space = space{fs: cfg.FS, logger: cfg.Logger, reserve: cfg.ReserveBytes, need: cfg.PreallocateStep, wake: make(chan struct{}, 1)}
	lock, err := cfg.FS.Lock(lockFile)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the log directory: %w", err)
	}
	d.lock = lock
	if err := d.open(); err != nil {
		if d.marks != nil {
			err = errors.Join(err, d.marks.close())
		}
		return nil, errors.Join(err, lock.Close())
	}
	d.loops.Go(d.flushLoop)
	d.loops.Go(d.janitorLoop)
	return d, nil
}

func (d *Directory) open() error {
	id, found, err := d.readIdentity()
	if err != nil {
		return err
	}
	if d.marks, err = openMarks(d.cfg.FS, !found); err != nil {
		return err
	}
	if !found {
		if d.id, err = d.makeIdentity(); err != nil {
			return err
		}
		d.clean = true
	} else {
		d.id = id
		if d.clean, err = d.consumeClean(); err != nil {
			return err
		}
	}
	return d.space.open()
}

// Log returns a partition that was created or loaded. ErrUnknownPartition; *OfflineError or another reason why it is not served.
func (d *Directory) Log(id ID) (*Log, error) {
	d.mu.RLock()
	l, ok := d.mu.logs[id]
	d.mu.RUnlock()
	switch {
	case !ok:
		return nil, ErrUnknownPartition
	case l.err != nil:
		return nil, l.err
	}
	if s := l.log.state.Load(); s != nil {
		return nil, s.err
	}
	return l.log, nil
}

func (d *Directory) known(id ID) (loaded, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	l, ok := d.mu.logs[id]
	return l, ok
}

// logs returns all that are open, by id.
func (d *Directory) logs() []*Log {
	d.mu.RLock()
	defer d.mu.RUnlock()
	logs := make([]*Log, 0, len(d.mu.logs))
	for _, l := range d.mu.logs {
		if l.log != nil {
			logs = append(logs, l.log)
		}
	}
	slices.SortFunc(logs, func(a, b *Log) int { return a.id.compare(b.id) })
	return logs
}

// Strays lists the partitions that have a directory here and were neither created nor loaded. They are left alone: that nobody knows them may mean
// that the metadata is behind. Whoever has read in committed metadata that a topic is deleted calls Delete.
func (d *Directory) Strays() ([]ID, error) {
	entries, err := d.cfg.FS.List(".")
	if err != nil {
		return nil, fmt.Errorf("cannot list the log directory: %w", err)
	}
	var strays []ID
	for _, e := range entries {
		id, ok := parseID(e.Name)
		if !ok || !e.Dir {
			continue
		}
		if _, known := d.known(id); !known {
			strays = append(strays, id)
		}
	}
	return strays, nil
}
