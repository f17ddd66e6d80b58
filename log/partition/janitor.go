package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/millrace/millrace/log/disk"
)

// janitorLoop looks after everything that nobody waits for: retention, the purge of deleted partitions, space, and telling the logs when the
// directory has failed.
func (d *Directory) janitorLoop() {
	timer := time.NewTimer(d.cfg.RetentionInterval)
	defer timer.Stop()
	failed := d.latch.failed
	soon := false // the timer runs on spaceRetry: writes that go on failing must not put it off
	for {
		select {
		case <-d.stopping:
			return
		case <-failed:
			failed = nil
			for _, l := range d.logs() {
				l.progressed()
			}
			continue
		case <-d.space.wake:
			if d.space.isFull() && !soon {
				soon = true
				timer.Reset(spaceRetry)
			}
			continue
		case <-timer.C:
		}
		if failed != nil {
			d.cleanUp()
		}
		if soon = d.space.isFull(); soon {
			timer.Reset(min(spaceRetry, d.cfg.RetentionInterval))
		} else {
			timer.Reset(d.cfg.RetentionInterval)
		}
	}
}

// cleanUp is one look. An error is not final: the next look tries again.
func (d *Directory) cleanUp() {
	for _, l := range d.logs() {
		if err := l.retain(d.cfg.Now()); err != nil && l.Err() == nil {
			d.cfg.Logger.Warn("cannot apply retention", "partition", l.id.String(), "err", err)
		}
	}
	if err := d.purge(d.cfg.Now()); err != nil {
		d.cfg.Logger.Warn("cannot purge deleted partitions", "err", err)
	}
	if err := d.space.recover(); err != nil {
		d.cfg.Logger.Warn("cannot look for space", "err", err)
	}
}

// purge removes the directories of partitions that were deleted long enough ago. Only names that Delete has given are touched.
func (d *Directory) purge(now time.Time) error {
	entries, err := d.cfg.FS.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		at, ok := parseDeleted(e.Name)
		if !ok || !e.Dir || now.Sub(at) < d.cfg.DeleteDelay {
			continue
		}
		files, err := d.cfg.FS.List(e.Name)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := d.cfg.FS.Remove(e.Name + "/" + f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := d.cfg.FS.Remove(e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// retain applies retention by time and by size, where the policy contains delete, and removes the segments below the start.
func (l *Log) retain(now time.Time) error {
	cfg := l.config.Load()
	if cfg.Delete {
		start, roll, err := l.expired(cfg, now.UnixMilli())
		if err != nil {
			return err
		}
		if roll {
			if err := l.rollExpired(); err != nil {
				return err
			}
		}
		if start > l.Start() {
			if _, err := l.advance(start); err != nil {
				return err
			}
		}
	}
	return l.removeSegments()
}

// expired returns the start that retention wants, and whether the active segment has expired too and must be rolled first.
func (l *Log) expired(cfg *Config, now int64) (start int64, roll bool, err error) {
	all := l.all()
	var bytes int64
	for _, p := range all {
		bytes += p.Size()
	}
	for i, p := range all {
		active := i == len(all)-1
		if p.Size() == 0 || p.Next() > l.Watermark() {
			break
		}
		old := false
		if cfg.RetentionAge >= 0 {
			newest, err := p.Newest()
			if err != nil {
				return 0, false, l.damaged(err)
			}
			old = now-l.newest(p, newest.Timestamp, now) > cfg.RetentionAge.Milliseconds()
		}
		large := !active && cfg.RetentionBytes >= 0 && bytes-p.Size() >= cfg.RetentionBytes
		if !old && !large {
			break
		}
		bytes -= p.Size()
		start = p.Next()
		roll = active
	}
	return start, roll, nil
}

// newest is the time of the newest record of a segment by its own timestamp: old records that were written today are old. One from the future says
// nothing, or it would keep its segment, or (when a clock was wrong) everything would expire against it: then the last append counts. So it does
// when no record has a timestamp.
func (l *Log) newest(p *piece, timestamp, now int64) int64 {
	if timestamp >= 0 && timestamp <= now {
		return timestamp
	}
	return min(p.appended.Load(), now)
}

// rollExpired makes an empty active segment and brings it to disk.
func (l *Log) rollExpired() error {
	l.mu.Lock()
	err := l.Err()
	if p := l.active(); err == nil && p != nil && p.Size() > 0 {
		_, err = l.roll(p.Next())
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.dir.flushOne(l)
	l.dir.settle([]*Log{l})
	return l.Err()
}

// DeleteBefore moves the start of the log to an offset, durably; -1 means Watermark. Segments below are removed later. An offset at or below the start
// changes nothing. *RangeError: the offset is above Watermark.
func (l *Log) DeleteBefore(offset int64) (start int64, err error) {
	if err := l.Err(); err != nil {
		return 0, err
	}
	watermark := l.Watermark()
	if offset == -1 {
		offset = watermark
	}
	if offset < 0 || offset > watermark {
		return 0, &RangeError{Offset: offset, Start: l.Start(), End: watermark}
	}
	return l.advance(offset)
}

// advance moves the start. It is on disk before anybody sees it, and before any file goes.
func (l *Log) advance(start int64) (int64, error) {
	moved, err := l.moveStart(start)
	if err == nil {
		l.progressed()
	}
	return moved, err
}

func (l *Log) moveStart(start int64) (int64, error) {
	if start > l.Durable() { // mode Replicated
		l.dir.flushOne(l)
		l.dir.settle([]*Log{l})
	}
	l.maintain.Lock()
	defer l.maintain.Unlock()
	if err := l.Err(); err != nil {
		return 0, err
	}
	if start <= l.Start() {
		return l.Start(), nil
	}
	entry := l.mark()
	if known, _ := l.dir.marks.get(l.id); known.durable < start {
		// The mark may only pass what settle has written.
		if err := l.dir.withReserve(func() error { return l.settle(false) }); err != nil {
			return 0, l.dir.spaceError(err)
		}
	} else {
		entry.mark = known
	}
	entry.mark.start = start
	if err := l.dir.withReserve(func() error { return l.dir.marks.put(entry) }); err != nil {
		return 0, l.dir.spaceError(err)
	}
	if err := l.dir.marks.sync(); err != nil {
		l.dir.fail(err)
		return 0, l.Err()
	}
	l.start.Store(start)
	return start, nil
}

// spaceError makes a full disk known as such, and anything else final.
func (d *Directory) spaceError(err error) error {
	if disk.NoSpace(err) {
		d.space.ranOut(err)
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	d.fail(err)
	return d.Err()
}

// removeSegments removes the segments that end at or below the start, but for the active one and what the durable mark needs.
func (l *Log) removeSegments() error {
	l.maintain.Lock()
	defer l.maintain.Unlock()
	if l.state.Load() != nil {
		return nil
	}
	start, keep := l.Start(), l.durable.Load().segment
	if known, ok := l.dir.marks.get(l.id); ok {
		keep = min(keep, known.segment)
	}
	l.mu.Lock()
	all := l.all()
	n := 0
	for n < len(all)-1 && all[n].Next() <= start && all[n].Base() < keep {
		n++
	}
	if n > 0 {
		left := slices.Clone(all[n:])
		l.pieces.Store(&left)
	}
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	if err := l.dir.marks.sync(); err != nil { // the mark on disk may still be in one of them
		l.dir.fail(err)
		return l.dir.Err()
	}
	for _, p := range all[:n] {
		if err := p.Remove(); err != nil {
			return err
		}
	}
	return nil
}
