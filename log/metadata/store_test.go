package metadata

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

const childDir = "MILLRACE_METADATA_CHILD"

var errDisk = errors.New("input/output error")

// failing is a store whose writes fail from a moment on.
type failing struct {
	Store
	broken atomic.Bool
	writes atomic.Int64 // after it broke
}

func (f *failing) StoreLogs(entries []*raft.Log) error {
	if f.broken.Load() {
		f.writes.Add(1)
		return errDisk
	}
	return f.Store.StoreLogs(entries)
}

func TestStoreErrorIsFinal(t *testing.T) {
	dir := t.TempDir()
	var store *failing
	q, err := Open(Config{Dir: dir, NodeID: 1, WrapStore: func(s Store) Store { store = &failing{Store: s}; return store }})
	if err != nil {
		t.Fatal(err)
	}
	register(t, q, 1, false)
	create(t, q, topic("before", 1))
	store.broken.Store(true)
	r := q.CreateTopics(t.Context(), []TopicSpec{topic("during", 1)}, false)[0]
	if !errors.Is(r.Err, ErrFailed) || !errors.Is(r.Err, errDisk) {
		t.Errorf("create on a broken store: %v", r.Err)
	}
	<-q.Failed()
	store.broken.Store(false) // the disk says that all is well again
	if r := q.CreateTopics(t.Context(), []TopicSpec{topic("after", 1)}, false)[0]; !errors.Is(r.Err, ErrFailed) {
		t.Errorf("create after the first error: %v", r.Err)
	}
	if n := store.writes.Load(); n != 1 {
		t.Errorf("%d writes after the store broke, want the one that failed", n)
	}
	if err := q.Err(); !errors.Is(err, errDisk) {
		t.Errorf("Err: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	i := open(t, dir).Image()
	if _, ok := i.Topic("before"); !ok || i.TopicCount() != 1 {
		t.Errorf("%d topics after a restart, want the one before the error", i.TopicCount())
	}
}

// TestLatch calls every method of the wrapped stores before and after an error of each.
func TestLatch(t *testing.T) {
	calls := map[string]func(s *latchedStore, n *latchedSnapshots) error{
		"FirstIndex":  func(s *latchedStore, _ *latchedSnapshots) error { _, err := s.FirstIndex(); return err },
		"LastIndex":   func(s *latchedStore, _ *latchedSnapshots) error { _, err := s.LastIndex(); return err },
		"GetLog":      func(s *latchedStore, _ *latchedSnapshots) error { return s.GetLog(1, &raft.Log{}) },
		"StoreLog":    func(s *latchedStore, _ *latchedSnapshots) error { return s.StoreLog(&raft.Log{}) },
		"StoreLogs":   func(s *latchedStore, _ *latchedSnapshots) error { return s.StoreLogs(nil) },
		"DeleteRange": func(s *latchedStore, _ *latchedSnapshots) error { return s.DeleteRange(1, 2) },
		"Set":         func(s *latchedStore, _ *latchedSnapshots) error { return s.Set(nil, nil) },
		"SetUint64":   func(s *latchedStore, _ *latchedSnapshots) error { return s.SetUint64(nil, 1) },
		"Get":         func(s *latchedStore, _ *latchedSnapshots) error { _, err := s.Get(nil); return err },
		"GetUint64":   func(s *latchedStore, _ *latchedSnapshots) error { _, err := s.GetUint64(nil); return err },
		"List":        func(_ *latchedStore, n *latchedSnapshots) error { _, err := n.List(); return err },
		"Open":        func(_ *latchedStore, n *latchedSnapshots) error { _, _, err := n.Open(""); return err },
		"Create": func(_ *latchedStore, n *latchedSnapshots) error {
			_, err := n.Create(1, 1, 1, raft.Configuration{}, 1, nil)
			return err
		},
		"Write": func(_ *latchedStore, n *latchedSnapshots) error {
			_, err := (&latchedSink{SnapshotSink: sick{}, latch: n.latch}).Write(nil)
			return err
		},
		"Close": func(_ *latchedStore, n *latchedSnapshots) error {
			return (&latchedSink{SnapshotSink: sick{}, latch: n.latch}).Close()
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			stopped := 0
			l := newLatch(discard())
			l.onTrip(func() { stopped++ })
			s, n := &latchedStore{store: sick{}, latch: l}, &latchedSnapshots{store: sick{}, latch: l}
			if err := call(s, n); !errors.Is(err, errDisk) || !errors.Is(err, ErrFailed) {
				t.Errorf("first: %v", err)
			}
			select {
			case <-l.failed:
			default:
				t.Error("the latch is not tripped")
			}
			s.store, n.store = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
			for other, call := range calls {
				if err := call(s, n); !errors.Is(err, errDisk) {
					t.Errorf("%s after it: %v", other, err)
				}
			}
			if stopped != 1 {
				t.Errorf("raft was stopped %d times", stopped)
			}
		})
	}
}

func TestLatchLetsAnswersThrough(t *testing.T) {
	l := newLatch(discard())
	s := &latchedStore{store: raft.NewInmemStore(), latch: l}
	if err := s.GetLog(7, &raft.Log{}); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("GetLog of a missing entry: %v", err)
	}
	if _, err := s.Get([]byte("k")); err == nil || err.Error() != keyNotFound {
		t.Errorf("Get of a missing key: %v", err)
	}
	if l.Err() != nil {
		t.Errorf("tripped by an answer: %v", l.Err())
	}
	l.close()
	if err := s.StoreLog(&raft.Log{Index: 1}); !errors.Is(err, ErrClosed) || l.Err() != nil {
		t.Errorf("after close: %v, %v", err, l.Err())
	}
}

func TestNewerFormatsAreRefused(t *testing.T) {
	newer := &writer{}
	newer.uint(entryVersion + 1)
	newer.uint(uint64(kindTakeControl))
	unknown := &writer{}
	unknown.uint(entryVersion)
	unknown.uint(99)
	for name, entry := range map[string][]byte{"version": newer.b, "kind": unknown.b} {
		dir := t.TempDir()
		q := open(t, dir)
		last := q.raft.LastIndex()
		term := q.raft.CurrentTerm()
		q.Kill()
		edit(t, dir, func(s Store) error { return s.StoreLog(&raft.Log{Index: last + 1, Term: term, Data: entry}) })
		if _, err := Open(Config{Dir: dir, NodeID: 1}); !errors.Is(err, ErrNewerFormat) {
			t.Errorf("a log with an entry of a newer %s: %v", name, err)
		}
	}

	dir := t.TempDir()
	q := open(t, dir)
	image := encodeImage(q.Image())
	image[len(imageMagic)] = imageVersion + 1
	snapshotOf(t, q, image)
	q.Kill()
	if _, err := Open(Config{Dir: dir, NodeID: 1}); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("a newer snapshot: %v", err)
	}
}

// TestNewerEntryStopsARunningNode: a leader of a newer version would replicate it.
func TestNewerEntryStopsARunningNode(t *testing.T) {
	q := open(t, t.TempDir())
	err := q.raft.Apply([]byte{entryVersion + 1, 1}, 0)
	if err.Error(); !errors.Is(q.Err(), ErrNewerFormat) {
		t.Errorf("Err: %v", q.Err())
	}
	if _, err := q.AllocateProducerIDs(t.Context(), 1); !errors.Is(err, ErrFailed) {
		t.Errorf("proposal after it: %v", err)
	}
}

// TestNothingIsAppliedAfterAGap: what comes after an entry that could not be applied must not be applied either, even if it came along with it.
func TestNothingIsAppliedAfterAGap(t *testing.T) {
	m := newMachine(newLatch(discard()))
	good := encodeCommand(&allocateProducerIDs{count: 5})
	results := m.ApplyBatch([]*raft.Log{{Index: 1, Data: good}, {Index: 2, Data: []byte{entryVersion + 1, 1}}, {Index: 3, Data: good}})
	if i := m.image.Load(); i.version != 1 || i.nextProducerID != 5 {
		t.Errorf("version %d, next id %d: only the first entry may be applied", i.version, i.nextProducerID)
	}
	for _, r := range results[1:] {
		if err, _ := r.(error); !errors.Is(err, ErrNewerFormat) {
			t.Errorf("result %v", r)
		}
	}
}

func TestDamage(t *testing.T) {
	damages := map[string]func(t *testing.T, dir string){
		"a hole in the log": func(t *testing.T, dir string) {
			edit(t, dir, func(s Store) error { return s.DeleteRange(1, 2) })
		},
		"a broken entry": func(t *testing.T, dir string) {
			edit(t, dir, func(s Store) error {
				var entry raft.Log
				last, _ := s.LastIndex()
				if err := s.GetLog(last, &entry); err != nil {
					return err
				}
				entry.Data = entry.Data[:len(entry.Data)/2]
				return s.StoreLog(&entry)
			})
		},
		"a file of zeros": func(t *testing.T, dir string) { write(t, dir, make([]byte, 1<<15)) },
		"a short file": func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, storeFile), 8192); err != nil {
				t.Fatal(err)
			}
		},
		"pages of garbage": func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, storeFile))
			if err != nil {
				t.Fatal(err)
			}
			for at := 2 * os.Getpagesize(); at < len(b); at++ {
				b[at] = byte(at * 31)
			}
			write(t, dir, b)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			q := open(t, dir)
			fill(t, q)
			q.Kill()
			damage(t, dir)
			reopened, err := Open(Config{Dir: dir, NodeID: 1})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("opened with %v", err)
			}
			if reopened != nil {
				reopened.Kill()
			}
		})
	}
}

func TestLostStoreBesideSnapshots(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	fill(t, q)
	snapshotOf(t, q, nil)
	q.Kill()
	if err := os.Remove(filepath.Join(dir, storeFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, NodeID: 1}); !errors.Is(err, ErrDamaged) {
		t.Errorf("snapshots without a store: %v", err)
	}
}

// TestDamagedSnapshot: the log of so few entries still begins at 1, so the damaged snapshot is not needed; once it is, the node must not start.
func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	fill(t, q)
	snapshotOf(t, q, nil)
	want := content(q.Image())
	at := q.stores.lastSnapshot()
	q.Kill()
	states, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(states) != 1 {
		t.Fatalf("snapshots: %v, %v", states, err)
	}
	b, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(states[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir)
	if !bytes.Equal(content(q.Image()), want) {
		t.Error("the log without its damaged snapshot gives another image")
	}
	q.Kill()
	edit(t, dir, func(s Store) error { return s.DeleteRange(1, at-1) })
	if _, err := Open(Config{Dir: dir, NodeID: 1}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged snapshot that is needed: %v", err)
	}
	edit(t, dir, func(s Store) error { return s.DeleteRange(1, at+100) })
	if _, err := Open(Config{Dir: dir, NodeID: 1}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged snapshot and no log at all: %v", err)
	}
}

// TestFoundingCrash: half a new store under its other name is thrown away.
func TestFoundingCrash(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, storeFile+".new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	q, err := Open(Config{Dir: dir, NodeID: 1})
	if err == nil {
		q.Kill()
		t.Fatal("two quorums on one directory")
	}
	if errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second quorum: %v", err)
	}
}

// edit changes the store of a stopped node.
func edit(t *testing.T, dir string, f func(Store) error) {
	t.Helper()
	bolt, err := openBolt(filepath.Join(dir, storeFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f(bolt), bolt.Close()); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, storeFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// snapshotOf takes a snapshot; with other content than the image's if b is given.
func snapshotOf(t *testing.T, q *Quorum, b []byte) {
	t.Helper()
	if b == nil {
		if err := q.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		return
	}
	_, transport := raft.NewInmemTransport("")
	sink, err := q.stores.files.Create(1, q.Image().Version(), q.raft.CurrentTerm(), q.cfg.servers(), 1, transport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}
