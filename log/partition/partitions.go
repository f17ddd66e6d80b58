package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/millrace/millrace/log/segment"
)

// Create makes partitions and opens them. It returns when their directories are on disk. One that is there already is opened as it is.
func (d *Directory) Create(specs ...Spec) error {
	fresh := make([]Spec, 0, len(specs))
	for _, s := range specs {
		if _, ok := d.known(s.ID); !ok {
			fresh = append(fresh, s)
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	err := d.each(fresh, func(s Spec) error {
		err := d.withReserve(func() error { return d.makePartition(s) })
		if err != nil {
			return fmt.Errorf("cannot create partition %s: %w", s.ID, err)
		}
		return nil
	})
	if err != nil {
		return d.spaceError(err)
	}
	if err := d.cfg.FS.SyncDir("."); err != nil {
		d.fail(err)
		return d.Err()
	}
	if err := d.Load(fresh...); err != nil {
		return err
	}
	var errs []error
	for _, s := range fresh {
		switch l, ok := d.known(s.ID); {
		case !ok:
			errs = append(errs, fmt.Errorf("cannot create partition %s: %w", s.ID, ErrNoSpace))
		case l.err != nil:
			errs = append(errs, l.err)
		}
	}
	return errors.Join(errs...)
}

// makePartition makes the directory and what names it. Nothing that is there is touched.
func (d *Directory) makePartition(s Spec) error {
	name := s.ID.String()
	if err := d.cfg.FS.Mkdir(name); err != nil {
		return err
	}
	entries, err := d.cfg.FS.List(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := segment.ParseFileName(e.Name, segment.LogSuffix); ok || e.Name == metadataFile {
			return d.cfg.FS.SyncDir(name)
		}
	}
	return d.writeFile(name, metadataFile, encodeMetadata(s))
}

// each runs fn for all specs, several at once.
func (d *Directory) each(specs []Spec, fn func(Spec) error) error {
	slots := make(chan struct{}, d.cfg.FlushConcurrency)
	errs := make([]error, len(specs))
	var wg sync.WaitGroup
	for i, s := range specs {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = fn(s)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Load opens partitions at boot, several at once. One whose directory is missing or damaged is offline: Log says why. A new one that there is no space
// for is not opened: ErrUnknownPartition. An error concerns all.
func (d *Directory) Load(specs ...Spec) error {
	if err := d.Err(); err != nil {
		return err
	}
	found := make(map[ID]loaded, len(specs))
	entries := make([]markEntry, 0, len(specs))
	var mu sync.Mutex
	_ = d.each(specs, func(s Spec) error {
		if _, ok := d.known(s.ID); ok {
			return nil
		}
		var l *Log
		err := d.withReserve(func() (err error) { l, err = d.openLog(s); return err })
		mu.Lock()
		defer mu.Unlock()
		found[s.ID] = loaded{l, err}
		if err != nil {
			d.cfg.Logger.Error("partition is offline", "partition", s.ID.String(), "topic", s.Name, "err", err)
		} else if _, marked := d.marks.get(s.ID); !marked || !l.maintain.idle {
			entries = append(entries, l.mark())
		}
		return nil
	})
	if err := d.Err(); err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b markEntry) int { return a.id.compare(b.id) })
	d.putMarks(entries...)
	if err := d.marks.sync(); err != nil {
		d.fail(err)
		return d.Err()
	}
	for _, e := range entries {
		// Without a mark, what is going to be acked in it would be taken for damage after a crash.
		if _, marked := d.marks.get(e.id); !marked {
			d.cfg.Logger.Warn("there is no space for a new partition", "partition", e.id.String())
			delete(found, e.id)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.Copy(d.mu.logs, found)
	d.loaded.Store(true)
	return d.Err()
}

// Delete takes a partition out of service for good: its directory gets a new name, and is purged DeleteDelay later. It also takes strays.
// ErrUnknownPartition: there is no such directory.
func (d *Directory) Delete(id ID) error {
	if err := d.Err(); err != nil {
		return err
	}
	l, known := d.known(id)
	if err := d.moveAway(id, l.log, known); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.mu.logs, id)
	d.mu.Unlock()
	d.putMarks(markEntry{id: id, mark: mark{durable: -1}})
	d.flusher.poke()
	if l.log != nil {
		l.log.progressed()
	}
	return d.Err()
}

// moveAway stops a log and renames the directory, durably.
func (d *Directory) moveAway(id ID, l *Log, known bool) error {
	if l != nil {
		l.maintain.Lock()
		defer l.maintain.Unlock()
		l.stop(ErrDeleted)
		l.mu.Lock() // what is appending has finished
		for _, p := range l.all() {
			p.Close()
		}
		l.mu.Unlock()
	}
	to := deletedName(id, d.cfg.Now())
	err := d.withReserve(func() error { return d.cfg.FS.Rename(id.String(), to) })
	switch {
	case errors.Is(err, fs.ErrNotExist) && known: // an offline partition without a directory
	case errors.Is(err, fs.ErrNotExist):
		return ErrUnknownPartition
	case err != nil:
		return d.spaceError(fmt.Errorf("cannot delete partition %s: %w", id, err))
	}
	if err := d.cfg.FS.SyncDir("."); err != nil {
		d.fail(err)
		return d.Err()
	}
	return nil
}
