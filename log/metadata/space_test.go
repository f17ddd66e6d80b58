package metadata

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// TestStoreHasItsSpace: on a full disk a store that wants to grow stops the node for good. So its space is taken before, and many changes fit in it.
func TestStoreHasItsSpace(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		q, err := Open(Config{Dir: dir, NodeID: 1})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			if _, err := q.AllocateProducerIDs(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, storeFile))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() != storeBytes {
			t.Errorf("the store has %d bytes, %d were taken for it", info.Size(), storeBytes)
		}
		if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken < storeBytes {
			t.Errorf("%d of %d bytes are on the disk", taken, storeBytes)
		}
	}
}

// failingSnapshots cannot create a snapshot.
type failingSnapshots struct {
	raft.SnapshotStore
	err error
}

func (s failingSnapshots) Create(raft.SnapshotVersion, uint64, uint64, raft.Configuration, uint64, raft.Transport) (raft.SnapshotSink, error) {
	return nil, s.err
}

// TestSnapshotWithoutSpaceIsNoDamage: the log is still there; any other error stops the node.
func TestSnapshotWithoutSpaceIsNoDamage(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		l := newLatch(discard())
		s := &latchedSnapshots{store: failingSnapshots{err: cause}, latch: l}
		if sink, err := s.Create(1, 1, 1, raft.Configuration{}, 1, nil); sink != nil || !errors.Is(err, cause) {
			t.Errorf("%v: create returned %v, %v", cause, sink, err)
		}
		if stopped := l.Err() != nil; stopped != (cause == syscall.EIO) {
			t.Errorf("%v: the latch says %v", cause, l.Err())
		}
	}
}
