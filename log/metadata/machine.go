package metadata

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// machine is raft's state machine: it decodes, applies, publishes, tells the subscribers. raft calls it on one goroutine at a time. There is no
// recover around it: a panic in a command or a subscriber ends the process.
type machine struct {
	image   atomic.Pointer[Image]
	latch   *latch
	control chan struct{} // capacity 1: a leader's first entry was applied

	mu struct {
		sync.Mutex
		subscribers []func(old, new *Image)
	}
}

func newMachine(l *latch) *machine {
	m := &machine{latch: l, control: make(chan struct{}, 1)}
	m.image.Store(emptyImage())
	return m
}

func (m *machine) subscribe(fn func(old, new *Image)) *Image {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.subscribers = append(m.mu.subscribers, fn)
	return m.image.Load()
}

// publish makes next the image and returns when every subscriber is done with it. The lock is held over the store only, so that a subscriber either
// gets this change or was given next.
func (m *machine) publish(next *Image) {
	m.mu.Lock()
	old := m.image.Swap(next)
	subscribers := m.mu.subscribers
	m.mu.Unlock()
	for _, fn := range subscribers {
		fn(old, next)
	}
	if old.controllerTerm != next.controllerTerm {
		select {
		case m.control <- struct{}{}:
		default:
		}
	}
}

// Apply is ApplyBatch for one.
func (m *machine) Apply(entry *raft.Log) any { return m.ApplyBatch([]*raft.Log{entry})[0] }

// ApplyBatch applies what was committed together and publishes once.
func (m *machine) ApplyBatch(entries []*raft.Log) []any {
	results := make([]any, len(entries))
	image := m.image.Load()
	for i, entry := range entries {
		if entry.Type != raft.LogCommand {
			continue
		}
		if err := m.latch.Err(); err != nil {
			results[i] = err
			continue
		}
		c, err := decodeCommand(entry.Data)
		if err != nil {
			results[i] = m.latch.trip(fmt.Errorf("cannot apply metadata entry %d: %w", entry.Index, err))
			continue
		}
		image, results[i] = step(image, c, position{index: entry.Index, term: entry.Term})
	}
	if image != m.image.Load() {
		m.publish(image)
	}
	return results
}

// step applies one command. Every command makes a new version, also one that changed nothing.
func step(old *Image, c command, at position) (*Image, any) {
	if at.index <= old.version {
		panic(fmt.Sprintf("BUG: metadata entry %d comes after %d", at.index, old.version))
	}
	next, result := c.apply(old, at)
	if next == old {
		next = old.clone()
	}
	next.version = at.index
	return next, result
}

// Snapshot is quick: the image is immutable.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return snapshot{m.image.Load()}, nil }

// Restore replaces the state by a snapshot's.
func (m *machine) Restore(from io.ReadCloser) error {
	defer from.Close()
	b, err := io.ReadAll(from)
	if err != nil {
		return fmt.Errorf("cannot read metadata snapshot: %w", err)
	}
	image, err := decodeImage(b)
	if err != nil {
		return err
	}
	m.publish(image)
	return nil
}

// snapshot is an image on its way to the disk.
type snapshot struct{ image *Image }

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(encodeImage(s.image)); err != nil {
		return fmt.Errorf("cannot write metadata snapshot: %w", errors.Join(err, sink.Cancel()))
	}
	return sink.Close()
}

func (snapshot) Release() {}
