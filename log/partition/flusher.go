package partition

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/log/disk"
)

// marksDelay is how long marks that were written may wait for their sync when no other flush comes.
const marksDelay = 100 * time.Millisecond

// flusher is the group commit of a directory: one goroutine that takes all logs with something unsynced, syncs them together, publishes what is
// durable, and only then looks again. What is appended during a pass is in the next one, so that a pass grows with the load. A journal shared by all
// partitions would need fewer syncs, but consumers then need a second format.
type flusher struct {
	wake chan struct{} // capacity 1
	mu   struct {
		sync.Mutex
		logs    []*Log // each once: Log.dirty is set
		bytes   int64
		since   time.Time // when the first of them came
		pace    pace      // mode Fsync
		holding bool      // the flusher knows of what waits, and looks again by itself
	}
	passes, syncs, nanos atomic.Int64
}

// enqueue makes the flusher look at a log to which bytes were appended.
func (d *Directory) enqueue(l *Log, bytes int64) {
	f := &d.flusher
	first := l.dirty.CompareAndSwap(false, true)
	f.mu.Lock()
	if first {
		if len(f.mu.logs) == 0 {
			f.mu.since = time.Now()
		}
		f.mu.logs = append(f.mu.logs, l)
	}
	f.mu.bytes += bytes
	var wake bool
	if d.cfg.Durability == Fsync {
		enough := f.mu.pace.add(bytes)
		wake = first && !f.mu.holding || enough && f.mu.holding
	} else {
		wake = f.mu.bytes >= d.cfg.FlushDistance || first && len(f.mu.logs) == 1
	}
	f.mu.Unlock()
	if wake {
		d.flusher.poke()
	}
}

func (f *flusher) poke() {
	select {
	case f.wake <- struct{}{}:
	default: // it has not looked yet
	}
}

// take empties the list.
func (f *flusher) take() []*Log {
	f.mu.Lock()
	defer f.mu.Unlock()
	logs := f.mu.logs
	f.mu.logs, f.mu.bytes = nil, 0
	f.mu.holding = false
	if len(logs) > 0 {
		f.mu.pace.begin(time.Now())
	}
	return logs
}

// paced tells whether the next pass will be held.
func (d *Directory) paced() bool {
	d.flusher.mu.Lock()
	defer d.flusher.mu.Unlock()
	return d.flusher.mu.pace.paced
}

// due says how long the flusher may wait: 0 is not at all, negative is till it is woken.
func (d *Directory) due() time.Duration {
	f := &d.flusher
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.mu.logs) == 0 && d.marks.dirty():
		return marksDelay
	case len(f.mu.logs) == 0:
		return -1
	case d.cfg.Durability == Fsync:
		wait := f.mu.pace.hold(time.Now())
		f.mu.holding = wait > 0
		return wait
	case f.mu.bytes >= d.cfg.FlushDistance:
		return 0
	}
	return max(0, d.cfg.FlushInterval-time.Since(f.mu.since))
}

// flushLoop runs until the directory stops or fails.
func (d *Directory) flushLoop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := d.due()
		if wait != 0 {
			var after <-chan time.Time
			if wait > 0 {
				timer.Reset(wait)
				after = timer.C
			}
			select {
			case <-d.flusher.wake:
				continue
			case <-after:
			case <-d.stopping:
				return
			case <-d.latch.failed:
				return
			}
		}
		select {
		case <-d.stopping:
			return
		case <-d.latch.failed:
			return
		default:
			d.pass(d.flusher.take())
		}
	}
}

// pass flushes logs together with the marks of the pass before.
func (d *Directory) pass(logs []*Log) {
	began := time.Now()
	var wg sync.WaitGroup
	later := d.paced() // nothing else is due for a while: one thread does, and the acks need not wait for it
	switch {
	case len(logs) == 0:
		d.syncMarks()
	case !later && d.marks.dirty():
		wg.Go(d.syncMarks)
	}
	slots := make(chan struct{}, d.cfg.FlushConcurrency)
	for i, l := range logs {
		if i == len(logs)-1 { // the last one, often the only one, needs no goroutine
			d.flushOne(l)
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			d.flushOne(l)
			<-slots
		})
	}
	wg.Wait()
	if len(logs) == 0 {
		return
	}
	d.flusher.passes.Add(1)
	d.flusher.syncs.Add(int64(len(logs)))
	d.flusher.nanos.Add(int64(time.Since(began)))
	if later {
		d.syncMarks()
	}
	d.settle(logs)
}

func (d *Directory) syncMarks() {
	if err := d.marks.sync(); err != nil {
		d.fail(err)
	}
}

func (d *Directory) flushOne(l *Log) {
	l.maintain.Lock()
	err := l.flush()
	l.maintain.Unlock()
	if err != nil && l.state.Load() == nil {
		d.fail(err)
	}
	l.progressed()
}

// settle finishes flushed logs and writes their marks. A full disk leaves it for the next pass: recovery then only reads more.
func (d *Directory) settle(logs []*Log) {
	entries := make([]markEntry, 0, len(logs))
	for _, l := range logs {
		if d.failed() {
			return
		}
		l.maintain.Lock()
		err := d.withReserve(func() error { return l.settle(false) })
		entry, stopped := l.mark(), l.state.Load() != nil
		l.maintain.Unlock()
		switch {
		case stopped:
		case disk.NoSpace(err):
			d.cfg.Logger.Warn("cannot write what recovery needs", "partition", l.id.String(), "err", err)
		case err != nil:
			d.fail(err)
		default:
			entries = append(entries, entry)
		}
	}
	d.putMarks(entries...)
}

// putMarks writes a round that the next pass syncs.
func (d *Directory) putMarks(entries ...markEntry) {
	err := d.withReserve(func() error { return d.marks.put(entries...) })
	switch {
	case disk.NoSpace(err):
		d.cfg.Logger.Warn("cannot write marks", "err", err)
	case err != nil:
		d.fail(err)
	}
}
