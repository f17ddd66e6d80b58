package partition

import "time"

// Stats describes a log at one moment.
type Stats struct {
	Bytes               int64 // written bytes of all segments
	Segments            int
	Start, End, Durable int64
	Producers           int
}

// Stats returns what is known without any I/O.
func (l *Log) Stats() Stats {
	s := Stats{Start: l.Start(), Durable: l.Durable(), End: l.End(), Producers: int(l.count.Load())}
	for _, p := range l.all() {
		s.Bytes += p.Size()
		s.Segments++
	}
	return s
}

// DirectoryStats describes a directory at one moment.
type DirectoryStats struct {
	Partitions int
	Offline    int           // of them, those that are damaged
	Passes     int64         // of the flusher
	Flushes    int64         // logs flushed in all passes
	FlushTime  time.Duration // of all passes
	OpenFiles  int           // of sealed segments
	Full       bool          // the disk is full
}

// Stats returns what is known without any I/O.
func (d *Directory) Stats() DirectoryStats {
	s := DirectoryStats{
		Passes: d.flusher.passes.Load(), Flushes: d.flusher.syncs.Load(), FlushTime: time.Duration(d.flusher.nanos.Load()),
		OpenFiles: d.cache.Len(), Full: d.space.isFull(),
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	s.Partitions = len(d.mu.logs)
	for _, l := range d.mu.logs {
		if l.err != nil || l.log.state.Load() != nil {
			s.Offline++
		}
	}
	return s
}
