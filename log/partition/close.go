package partition

import (
	"errors"
	"fmt"
	"sync"
)

// Close flushes everything, trims the files, leaves the clean-stop file and unlocks. After a failure of the directory it only unlocks. If nothing was
// loaded after an unclean stop, that stop stays unclean.
func (d *Directory) Close() error {
	if !d.closed.CompareAndSwap(false, true) {
		return nil
	}
	close(d.stopping)
	d.loops.Wait()
	err := d.finish()
	if err != nil && !d.failed() {
		d.fail(err)
	}
	d.abandon()
	return errors.Join(err, d.marks.close(), d.lock.Close())
}

func (d *Directory) finish() error {
	if err := d.latch.err.Load(); err != nil {
		return *err
	}
	logs := d.logs()
	slots := make(chan struct{}, d.cfg.FlushConcurrency)
	errs := make([]error, len(logs))
	entries := make([]markEntry, len(logs))
	var wg sync.WaitGroup
	for i, l := range logs {
		slots <- struct{}{}
		wg.Go(func() {
			entries[i], errs[i] = l.close()
			<-slots
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot close the log directory: %w", err)
	}
	for i, l := range logs {
		if l.state.Load() == nil {
			if err := d.withReserve(func() error { return d.marks.put(entries[i]) }); err != nil {
				return err
			}
		}
	}
	if err := d.marks.sync(); err != nil {
		return err
	}
	if !d.clean && !d.loaded.Load() {
		return nil
	}
	return d.leaveClean()
}

// close brings a log to its last state on disk. Nothing is appended any more.
func (l *Log) close() (markEntry, error) {
	l.maintain.Lock()
	defer l.maintain.Unlock()
	if l.state.Load() != nil {
		return markEntry{}, nil
	}
	if err := l.flush(); err != nil {
		return markEntry{}, err
	}
	p := l.active()
	if l.maintain.idle || p == nil {
		return l.mark(), l.dir.withReserve(l.saveEpochs)
	}
	l.mu.Lock()
	p.CloseTimes()
	if n := len(l.maintain.onDisk); n == 0 || l.maintain.onDisk[n-1] != l.End() {
		l.takeSnapshot(l.End())
	}
	l.mu.Unlock()
	if err := errors.Join(p.Trim(), p.Sync()); err != nil {
		return markEntry{}, err
	}
	if err := l.dir.withReserve(func() error { return l.settle(true) }); err != nil {
		return markEntry{}, err
	}
	return l.mark(), l.dir.cfg.FS.SyncDir(l.path)
}

// Kill is for tests: it drops everything as kill -9 would, with no flush, no marks and no trim, and releases the lock.
func (d *Directory) Kill() {
	if !d.closed.CompareAndSwap(false, true) {
		return
	}
	close(d.stopping)
	d.loops.Wait()
	d.abandon()
	_ = d.marks.close() // whatever it says, the process is meant to be dead
	_ = d.lock.Close()
}

// abandon closes the files of all logs.
func (d *Directory) abandon() {
	for _, l := range d.logs() {
		l.stop(ErrClosed)
		l.mu.Lock()
		for _, p := range l.all() {
			p.Close()
		}
		l.mu.Unlock()
		l.progressed()
	}
}
