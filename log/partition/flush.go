package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/segment"
)

// syncError marks a failed sync: it is final for the directory.
type syncError struct{ err error }

func (e *syncError) Error() string { return e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// flush brings everything that was appended before the call to disk and publishes it as durable. This is where a produced record is synced.
// Called with maintain held, and without mu: appends go on meanwhile.
func (l *Log) flush() error {
	l.dirty.Store(false) // before looking: what comes later marks it again
	l.mu.Lock()
	rolled, entries := l.mu.rolled, l.mu.entries
	l.mu.rolled, l.mu.entries = nil, false
	p := l.active()
	var v *segment.View
	if p != nil {
		v = p.View()
	}
	l.mu.Unlock()
	if p == nil || l.state.Load() != nil {
		return nil
	}
	was := l.durable.Load()
	now := mark{durable: v.Next, segment: p.Base(), position: v.Size}
	if now == *was && !entries {
		return nil
	}
	for _, old := range rolled {
		if err := old.Trim(); err != nil {
			return &syncError{err}
		}
		if err := old.Sync(); err != nil {
			return &syncError{err}
		}
	}
	if now.durable > was.durable && v.Size > 0 {
		if err := p.Sync(); err != nil {
			return &syncError{err}
		}
	}
	if entries {
		if err := l.dir.cfg.FS.SyncDir(l.path); err != nil {
			return &syncError{fmt.Errorf("cannot sync directory %s: %w", l.path, err)}
		}
	}
	l.maintain.unsettled = append(l.maintain.unsettled, rolled...)
	l.maintain.idle = false
	return l.dir.publish(func() { l.durable.Store(&now) })
}

// settle does what follows a flush and nobody waits for: indexes of sealed segments, producer snapshots, the epoch checkpoint. The mark of the log
// may be written when it returns nil: recovery relies on all of that below the mark. Called with maintain held.
func (l *Log) settle(closing bool) error {
	if l.state.Load() != nil {
		return nil
	}
	if err := l.saveEpochs(); err != nil {
		return err
	}
	for len(l.maintain.unsettled) > 0 {
		if err := l.maintain.unsettled[0].WriteIndexes(true); err != nil {
			return err
		}
		l.maintain.unsettled[0].Settle()
		l.maintain.unsettled = l.maintain.unsettled[1:]
	}
	if err := l.saveSnapshots(); err != nil {
		return err
	}
	p := l.active()
	if p == nil {
		return nil
	}
	if l.maintain.indexed.Offset != p.Base() {
		l.maintain.indexed = segment.Mark{Offset: p.Base()}
	}
	if size := p.Size(); closing || size >= l.maintain.indexed.Position+indexDistance {
		l.maintain.indexed.Position = size
		return p.WriteIndexes(closing)
	}
	return nil
}

// indexDistance is how many bytes of batches may be flushed before their index entries are written.
const indexDistance = 16 << 20

// saveEpochs writes the checkpoint if it has changed, whole and under its name in one step.
func (l *Log) saveEpochs() error {
	e := *l.epochs.Load()
	if slices.Equal(e, l.maintain.epochsOnDisk) {
		return nil
	}
	if err := l.dir.writeFile(l.path, epochFile, e.encode()); err != nil {
		return err
	}
	l.maintain.epochsOnDisk = e
	return nil
}

// saveSnapshots writes the snapshots below which everything is durable, and removes old ones.
func (l *Log) saveSnapshots() error {
	durable := l.Durable()
	l.mu.Lock()
	var ready []snapshotFile
	for len(l.mu.snapshots) > 0 && l.mu.snapshots[0].offset <= durable {
		ready, l.mu.snapshots = append(ready, l.mu.snapshots[0]), l.mu.snapshots[1:]
	}
	l.mu.Unlock()
	if len(ready) == 0 {
		return nil
	}
	newest := ready[len(ready)-1]
	if n := len(l.maintain.onDisk); n == 0 || l.maintain.onDisk[n-1] < newest.offset {
		if err := l.dir.writeFile(l.path, segment.FileName(newest.offset, snapshotSuffix), newest.bytes); err != nil {
			return err
		}
		l.maintain.onDisk = append(l.maintain.onDisk, newest.offset)
	}
	return l.dropSnapshots()
}

// snapshotsKept is how many snapshots stay: the newest, and one in case it is damaged.
const snapshotsKept = 2

func (l *Log) dropSnapshots() error {
	for len(l.maintain.onDisk) > snapshotsKept {
		name := l.path + "/" + segment.FileName(l.maintain.onDisk[0], snapshotSuffix)
		if err := l.dir.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
		l.maintain.onDisk = l.maintain.onDisk[1:]
	}
	return nil
}

// mark is what marks.log is told of this log.
func (l *Log) mark() markEntry {
	m := *l.durable.Load()
	m.start = l.Start()
	return markEntry{l.id, m}
}

// writeFile replaces a small file: it is complete on disk before it takes the name.
func (d *Directory) writeFile(dir, name string, b []byte) error {
	final, temporary := name, name+".new"
	if dir != "." {
		final, temporary = dir+"/"+name, dir+"/"+temporary
	}
	err := d.withReserve(func() error { return writeAndSync(d.cfg.FS, temporary, b) })
	if err == nil {
		err = d.cfg.FS.Rename(temporary, final)
	}
	if err == nil {
		err = d.cfg.FS.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", final, err)
	}
	return nil
}

func writeAndSync(fsys disk.FS, name string, b []byte) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Open(name, disk.Create)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
