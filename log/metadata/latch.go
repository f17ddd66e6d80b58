package metadata

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/millrace/millrace/log/disk"
)

// latch stops the node for good at the first error of a store. hashicorp/raft only logs such an error, fails the proposals, steps down and goes on,
// with a log in memory that may differ from the one on disk.
type latch struct {
	log    *slog.Logger
	failed chan struct{}

	mu struct {
		sync.Mutex
		err      error
		closed   bool
		shutdown func() // of the raft node; does not wait
	}
}

func newLatch(log *slog.Logger) *latch { return &latch{log: log, failed: make(chan struct{})} }

// onTrip sets what stops the raft node; if it is too late for that, it is called at once.
func (l *latch) onTrip(shutdown func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.shutdown = shutdown
	if l.mu.err != nil {
		shutdown()
	}
}

// trip latches err and returns what every caller gets from now on. raft is told to stop before it hears of the error: it would else go on to the next
// election, fail to save its term, and panic.
func (l *latch) trip(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return l.mu.err
	}
	if l.mu.closed {
		return ErrClosed
	}
	l.mu.err = fmt.Errorf("%w: %w", ErrFailed, err)
	l.log.Error("the metadata store failed; this node stops", "err", err)
	if l.mu.shutdown != nil {
		l.mu.shutdown()
	}
	close(l.failed)
	return l.mu.err
}

// Err is the first error, or nil.
func (l *latch) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// close ends it: what calls a store from now on, as a goroutine of raft that nobody waits for may, gets ErrClosed and trips nothing.
func (l *latch) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
}

func (l *latch) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil && l.mu.closed {
		return ErrClosed
	}
	return l.mu.err
}

// run calls f unless an error came before; an error of f trips the latch.
func (l *latch) run(what string, f func() error) error {
	if err := l.check(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return l.trip(fmt.Errorf("cannot %s: %w", what, err))
	}
	return nil
}

// latchedStore is a Store behind the latch.
type latchedStore struct {
	store Store
	latch *latch
}

func (s *latchedStore) FirstIndex() (index uint64, err error) {
	err = s.latch.run("read the first index of the metadata log", func() error { index, err = s.store.FirstIndex(); return err })
	return index, err
}

func (s *latchedStore) LastIndex() (index uint64, err error) {
	err = s.latch.run("read the last index of the metadata log", func() error { index, err = s.store.LastIndex(); return err })
	return index, err
}

// GetLog may say that there is no such entry: that is an answer.
func (s *latchedStore) GetLog(index uint64, entry *raft.Log) error {
	missing := false
	err := s.latch.run("read the metadata log", func() error {
		err := s.store.GetLog(index, entry)
		missing = errors.Is(err, raft.ErrLogNotFound)
		if missing {
			return nil
		}
		return err
	})
	if missing {
		return raft.ErrLogNotFound
	}
	return err
}

func (s *latchedStore) StoreLog(entry *raft.Log) error {
	return s.latch.run("write the metadata log", func() error { return s.store.StoreLog(entry) })
}

func (s *latchedStore) StoreLogs(entries []*raft.Log) error {
	return s.latch.run("write the metadata log", func() error { return s.store.StoreLogs(entries) })
}

func (s *latchedStore) DeleteRange(first, last uint64) error {
	return s.latch.run("cut the metadata log", func() error { return s.store.DeleteRange(first, last) })
}

func (s *latchedStore) Set(key, value []byte) error {
	return s.latch.run("save the vote", func() error { return s.store.Set(key, value) })
}

func (s *latchedStore) SetUint64(key []byte, value uint64) error {
	return s.latch.run("save the term", func() error { return s.store.SetUint64(key, value) })
}

// keyNotFound is what raft expects of a StableStore that has no such key: it compares the text.
const keyNotFound = "not found"

func (s *latchedStore) Get(key []byte) (value []byte, err error) {
	err = s.get("read the vote", func() error { value, err = s.store.Get(key); return err })
	return value, err
}

func (s *latchedStore) GetUint64(key []byte) (value uint64, err error) {
	err = s.get("read the term", func() error { value, err = s.store.GetUint64(key); return err })
	return value, err
}

// get runs f; that there is no such key is an answer.
func (s *latchedStore) get(what string, f func() error) error {
	var missing error
	err := s.latch.run(what, func() error {
		err := f()
		if err != nil && err.Error() == keyNotFound {
			missing = err
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return missing
}

// runSnapshot is run for what writes a snapshot: that there is no space for one is no damage, as the log is kept until there is.
func (l *latch) runSnapshot(what string, f func() error) error {
	var full error
	err := l.run(what, func() error {
		err := f()
		if disk.NoSpace(err) {
			full = fmt.Errorf("cannot %s: %w", what, err)
			return nil
		}
		return err
	})
	return errors.Join(err, full)
}

// latchedSnapshots is a SnapshotStore behind the latch.
type latchedSnapshots struct {
	store   raft.SnapshotStore
	latch   *latch
	damaged map[string]bool // found unreadable at the start, and not needed: raft does not get to see them
}

func (s *latchedSnapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64,
	transport raft.Transport,
) (sink raft.SnapshotSink, err error) {
	err = s.latch.runSnapshot("create a metadata snapshot", func() error {
		sink, err = s.store.Create(version, index, term, configuration, configurationIndex, transport)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &latchedSink{SnapshotSink: sink, latch: s.latch}, nil
}

func (s *latchedSnapshots) List() (kept []*raft.SnapshotMeta, err error) {
	err = s.latch.run("list the metadata snapshots", func() error {
		all, err := s.store.List()
		for _, meta := range all {
			if !s.damaged[meta.ID] {
				kept = append(kept, meta)
			}
		}
		return err
	})
	return kept, err
}

func (s *latchedSnapshots) Open(id string) (meta *raft.SnapshotMeta, content io.ReadCloser, err error) {
	err = s.latch.run("open a metadata snapshot", func() error { meta, content, err = s.store.Open(id); return err })
	return meta, content, err
}

// latchedSink is a snapshot being written, behind the latch.
type latchedSink struct {
	raft.SnapshotSink
	latch *latch
}

func (s *latchedSink) Write(p []byte) (n int, err error) {
	err = s.latch.runSnapshot("write a metadata snapshot", func() error { n, err = s.SnapshotSink.Write(p); return err })
	return n, err
}

func (s *latchedSink) Close() error {
	return s.latch.runSnapshot("finish a metadata snapshot", s.SnapshotSink.Close)
}
