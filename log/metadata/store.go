package metadata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/millrace/millrace/log/disk"
)

// Of the files in Config.Dir.
const (
	storeFile         = "raft.db"
	retainedSnapshots = 2
	lockPatience      = 2 * time.Second // another process that has the store open
	// storeBytes are taken for the store in advance: on a full disk the node must still be able to start, to allocate producer ids and to delete topics,
	// and a store that fails to write stops it for good. The entries of two snapshot distances fit several times.
	storeBytes = 8 << 20
)

// stores is what raft keeps on disk, behind the latch.
type stores struct {
	log       *latchedStore
	snapshots *latchedSnapshots
	bolt      *raftboltdb.BoltStore
	files     *raft.FileSnapshotStore
}

// advice is what can be done about a damaged log.
const advice = "restore the data directory from a backup; or, if the cluster has a healthy majority without this node, empty the directory and let the node join anew"

// openStores opens the files in cfg.Dir and reads everything that raft is going to apply, so that what is damaged or too new is refused here, with a
// clear error, and not by a panic in raft.
func openStores(cfg *Config, l *latch) (s *stores, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	// bbolt trusts its pages: a damaged one is a panic or, as the file is mapped, a fault. Both mean that the file cannot be read.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: %s: %v; %s", ErrDamaged, storeFile, p, advice)
		}
	}()
	files, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, retainedSnapshots, newRaftLogger(cfg.Logger, len(cfg.Voters) == 1))
	if err != nil {
		return nil, err
	}
	if err := found(cfg.Dir, files); err != nil {
		return nil, err
	}
	if err := reserve(cfg.Dir); disk.NoSpace(err) {
		cfg.Logger.Warn("there is no room for the metadata store to grow", "bytes", storeBytes, "err", err)
	} else if err != nil {
		return nil, err
	}
	bolt, err := openBolt(filepath.Join(cfg.Dir, storeFile))
	if err != nil {
		return nil, explain(err)
	}
	var store Store = bolt
	if cfg.WrapStore != nil {
		store = cfg.WrapStore(bolt)
	}
	damaged, err := inspect(store, files, cfg.Logger)
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return &stores{
		log:       &latchedStore{store: store, latch: l},
		snapshots: &latchedSnapshots{store: files, latch: l, damaged: damaged},
		bolt:      bolt,
		files:     files,
	}, nil
}

// found makes an empty store under another name first, so that a crash in the middle leaves none rather than half a one. A store that is missing
// beside snapshots was lost, and with it this node's vote.
func found(dir string, files *raft.FileSnapshotStore) error {
	if _, err := os.Stat(filepath.Join(dir, storeFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if metas, err := files.List(); err != nil || len(metas) > 0 {
		return errors.Join(err, fmt.Errorf("%w: there are snapshots but no %s; %s", ErrDamaged, storeFile, advice))
	}
	fresh := filepath.Join(dir, storeFile+".new")
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	bolt, err := openBolt(fresh)
	if err != nil {
		return err
	}
	if err := bolt.Close(); err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(dir, storeFile)); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// reserve takes the space of the store on the disk. bbolt uses a file that is longer than its pages as it is.
func reserve(dir string) error {
	fsys, err := disk.Open(dir)
	if err != nil {
		return err
	}
	f, err := fsys.Open(storeFile, disk.ReadWrite)
	if err != nil {
		return err
	}
	err = f.Preallocate(storeBytes)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// openBolt opens the file; whoever else holds it has forgotten to lock the data directory.
func openBolt(path string) (*raftboltdb.BoltStore, error) {
	options := raftboltdb.Options{Path: path}
	options.BoltOptions = zero(options.BoltOptions)
	options.BoltOptions.Timeout = lockPatience
	return raftboltdb.New(options)
}

// explain tells what the world refuses from what bbolt cannot read. It has no error of its own to compare with that we could import.
func explain(err error) error {
	var (
		path  *fs.PathError
		errno syscall.Errno
	)
	switch {
	case errors.As(err, &path), errors.As(err, &errno):
		return err
	case err.Error() == "timeout":
		return fmt.Errorf("%s is in use by another process", storeFile)
	}
	return fmt.Errorf("%w: %s: %w; %s", ErrDamaged, storeFile, err, advice)
}

// zero makes a T for a pointer whose type belongs to a module that we do not import ourselves.
func zero[T any](*T) *T { return new(T) }

// inspect reads the newest good snapshot and every entry after it. It returns the snapshots that are damaged but not needed, because the log reaches
// back behind them.
func inspect(store Store, files *raft.FileSnapshotStore, log *slog.Logger) (damaged map[string]bool, err error) {
	metas, err := files.List()
	if err != nil {
		return nil, err
	}
	var from, needed uint64
	damaged = make(map[string]bool)
	for _, meta := range metas {
		err := inspectSnapshot(files, meta.ID)
		if err == nil {
			from = meta.Index
			break
		}
		if errors.Is(err, ErrNewerFormat) {
			return nil, err
		}
		log.Warn("a metadata snapshot is damaged; the log from the one before it is used", "snapshot", meta.ID, "err", err)
		damaged[meta.ID] = true
		needed = max(needed, meta.Index)
	}
	last, err := store.LastIndex()
	if err != nil {
		return nil, err
	}
	if max(from, last) < needed {
		return nil, fmt.Errorf("%w: the log ends at %d, before the damaged snapshot of %d; %s", ErrDamaged, last, needed, advice)
	}
	return damaged, inspectEntries(store, from+1, last)
}

func inspectSnapshot(files *raft.FileSnapshotStore, id string) error {
	_, content, err := files.Open(id)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(content)
	if err := errors.Join(err, content.Close()); err != nil {
		return err
	}
	_, err = decodeImage(b)
	return err
}

func inspectEntries(store Store, first, last uint64) error {
	var term uint64
	for index := first; index <= last; index++ {
		var entry raft.Log
		if err := store.GetLog(index, &entry); err != nil {
			return fmt.Errorf("%w: entry %d: %w; %s", ErrDamaged, index, err, advice)
		}
		if entry.Index != index || entry.Term < term {
			return fmt.Errorf("%w: entry %d says it is %d of term %d; %s", ErrDamaged, index, entry.Index, entry.Term, advice)
		}
		term = entry.Term
		if entry.Type != raft.LogCommand {
			continue
		}
		if _, err := decodeCommand(entry.Data); errors.Is(err, ErrNewerFormat) {
			return fmt.Errorf("entry %d: %w", index, err)
		} else if err != nil {
			return fmt.Errorf("%w: entry %d: %w; %s", ErrDamaged, index, err, advice)
		}
	}
	return nil
}

// lastSnapshot is the index of the newest snapshot, 0 without one.
func (s *stores) lastSnapshot() uint64 {
	metas, err := s.files.List()
	if err != nil || len(metas) == 0 {
		return 0
	}
	return metas[0].Index
}

func (s *stores) close() error { return s.bolt.Close() }

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
