package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/log/disk"
)

const (
	// MaxStep bounds the steps in which a file is preallocated, in bytes.
	MaxStep = 64 << 20
	// maxWriteBytes is the largest single write: larger ones fall out of the second-level cache.
	maxWriteBytes = 256 << 10
)

// Config is what the segments of one log share.
type Config struct {
	FS            disk.FS
	Dir           string // of the partition, relative to FS
	Cache         *Cache
	IndexInterval int   // bytes of batches between two index entries
	Step          int64 // first preallocation in bytes; doubles up to MaxStep
	MaxBytes      int64 // no preallocation beyond
	// Full, if not nil, tells that space is short: then only what is needed is taken.
	Full func() bool
}

// View is an immutable picture of a segment, published after each append.
type View struct {
	Size int64 // written bytes
	Next int64 // offset after the last record
	// Max is the largest timestamp and the offset of the last record of the first batch that holds it; Max.Timestamp is -1 while there is none.
	Max   Newest
	known bool // Max is known: else it is in the time index

	sealed  bool
	last    Header       // of the newest batch, if this process wrote it; else its Size is 0
	offsets []IndexEntry // until a sealed segment's indexes are on disk; a prefix of a growing slice
	times   []TimeEntry
}

// Newest names a record by time.
type Newest struct {
	Timestamp int64 // ms
	Offset    int64
}

var none = Newest{Timestamp: -1, Offset: -1}

// Segment is one segment. See the package documentation for who may call what.
type Segment struct {
	cfg  Config
	base int64
	view atomic.Pointer[View]
	// own is the file of a segment that is or was written to, until Settle gives it to the cache; nil if nobody wrote since the start.
	own atomic.Pointer[handle]

	// of the writer
	allocated int64 // length of the file; ≥ view.Size
	step      int64 // next preallocation
	sinceLast int64 // bytes since the last index entry

	// of the maintainer
	persistedOffsets, persistedTimes int  // entries that are in the files
	indexed                          bool // Recover found an index file

	gone     bool // removed; under the lock of the cache
	verified struct {
		sync.Mutex
		from, to int64 // [from, to) has been checked against its CRCs by this process
		trusted  int64 // bytes from here on were written or checked by this process
	}
}

// Create makes a segment with an empty file. The entry in the directory is durable after SyncDir of Config.Dir, which is the caller's.
func Create(cfg Config, base int64) (*Segment, error) {
	s := &Segment{cfg: cfg, base: base, step: cfg.Step}
	f, err := cfg.FS.Open(s.path(LogSuffix), disk.Create)
	if err != nil {
		return nil, fmt.Errorf("cannot create segment %s: %w", s.path(LogSuffix), err)
	}
	s.own.Store(newHandle(f))
	s.view.Store(&View{Next: base, Max: none, known: true})
	return s, nil
}

// OpenSealed takes a segment as it is, without a look at it: size bytes that end before offset next.
func OpenSealed(cfg Config, base, size, next int64) *Segment {
	s := &Segment{cfg: cfg, base: base, allocated: size}
	s.verified.trusted = size
	s.view.Store(&View{Size: size, Next: next, Max: none, sealed: true})
	return s
}

// OpenActive takes a segment that was closed properly, to append to it: its indexes are read and trusted if they are whole, else rebuilt.
func OpenActive(cfg Config, base, size, next int64) (*Segment, error) {
	s := OpenSealed(cfg, base, size, next)
	s.step = cfg.Step
	h, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer h.release()
	x, err := s.loaded(h)
	if err != nil {
		return nil, err
	}
	v := &View{Size: size, Next: next, Max: none, known: true, offsets: x.offsets, times: x.times}
	if n := len(x.times); n > 0 {
		v.Max = Newest{x.times[n-1].Timestamp, base + int64(x.times[n-1].Offset)}
	}
	if n := len(x.offsets); n > 0 {
		s.sinceLast = size - int64(x.offsets[n-1].Position)
	} else {
		s.sinceLast = size
	}
	s.persistedOffsets, s.persistedTimes = len(x.offsets), len(x.times)
	s.view.Store(v)
	return s, nil
}

// Base is the first offset that may be in the segment; it never changes.
func (s *Segment) Base() int64 { return s.base }

// View is the newest picture.
func (s *Segment) View() *View { return s.view.Load() }

// Size is the number of written bytes.
func (s *Segment) Size() int64 { return s.view.Load().Size }

// Next is the offset after the last record, the base if there is none.
func (s *Segment) Next() int64 { return s.view.Load().Next }

// Path names the log file.
func (s *Segment) Path() string { return s.path(LogSuffix) }

func (s *Segment) path(suffix string) string { return s.cfg.Dir + "/" + FileName(s.base, suffix) }

// IndexFull tells whether the segment must not grow because an index entry might not fit.
func (s *Segment) IndexFull() bool {
	v := s.view.Load()
	return len(v.offsets) >= maxIndexEntries-1 || len(v.times) >= maxTimeEntries-1
}

// Fits tells whether a record of this offset can be named relative to the base.
func (s *Segment) Fits(lastOffset int64) bool { return lastOffset-s.base <= maxRelativeOffset }

// acquire returns the open file with a reference for the caller.
func (s *Segment) acquire() (*handle, error) {
	if h := s.own.Load(); h != nil && h.retain() {
		return h, nil
	}
	return s.cfg.Cache.get(s)
}

// Seal ends the appends: the segment is never written to again.
func (s *Segment) Seal() {
	s.CloseTimes()
	v := *s.view.Load()
	v.sealed = true
	s.view.Store(&v)
}

// CloseTimes makes the last entry of the time index say what the newest timestamp is. The writer calls it, when it stops for now.
func (s *Segment) CloseTimes() {
	v := *s.view.Load()
	if t := v.Max.Timestamp; t >= 0 && (len(v.times) == 0 || v.times[len(v.times)-1].Timestamp < t) {
		v.times = append(v.times, TimeEntry{t, uint32(v.Max.Offset - s.base)})
		s.view.Store(&v)
	}
}

// Trim cuts the file behind the last whole batch: preallocated zeros, and after OpenRecovered a torn batch, which must not come back behind the
// next append. It is durable after Sync. Not while the segment is being appended to.
func (s *Segment) Trim() error {
	h, v := s.own.Load(), s.view.Load()
	if h == nil || s.allocated == v.Size {
		return nil
	}
	if err := h.file.Truncate(v.Size); err != nil {
		return fmt.Errorf("cannot trim %s: %w", s.Path(), err)
	}
	s.allocated = v.Size
	return nil
}

// Sync returns when everything that was appended before the call is on disk (the entry in the directory aside).
func (s *Segment) Sync() error {
	h := s.own.Load()
	if h == nil || !h.retain() {
		return nil // nobody wrote
	}
	defer h.release()
	if err := h.file.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", s.Path(), err)
	}
	return nil
}

// WriteIndexes writes what is new in the indexes to their files. When final, it also cuts off what does not belong there and syncs them.
func (s *Segment) WriteIndexes(final bool) error {
	v := s.view.Load()
	if v.offsets == nil && v.times == nil && (!final || v.Size > 0 && v.sealed) {
		return nil // loaded from the files, or nothing yet
	}
	err := s.writeIndex(IndexSuffix, appendIndex(nil, v.offsets[s.persistedOffsets:]), int64(s.persistedOffsets)*indexEntryBytes, final)
	if err == nil {
		s.persistedOffsets = len(v.offsets)
		err = s.writeIndex(TimeSuffix, appendTimes(nil, v.times[s.persistedTimes:]), int64(s.persistedTimes)*timeEntryBytes, final)
	}
	if err == nil {
		s.persistedTimes = len(v.times)
	}
	return err
}

func (s *Segment) writeIndex(suffix string, b []byte, at int64, final bool) error {
	if len(b) == 0 && !final {
		return nil
	}
	name := s.path(suffix)
	f, err := s.cfg.FS.Open(name, disk.ReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.cfg.FS.Open(name, disk.Create)
	}
	if err != nil {
		return fmt.Errorf("cannot write index %s: %w", name, err)
	}
	if at == 0 || final {
		err = f.Truncate(at)
	}
	if err == nil && len(b) > 0 {
		_, err = f.WriteAt(b, at)
	}
	if err == nil && final {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write index %s: %w", name, err)
	}
	return nil
}

// Settle hands the file and the indexes of a sealed segment over to the cache, after Trim, Sync and WriteIndexes.
func (s *Segment) Settle() {
	v := *s.view.Load()
	if !v.sealed {
		panic("BUG: an active segment was settled")
	}
	v.offsets, v.times = nil, nil
	s.view.Store(&v)
	s.Rest()
}

// Rest gives the file to the cache until somebody writes again, after Sync: an idle segment needs no descriptor.
func (s *Segment) Rest() {
	if h := s.own.Swap(nil); h != nil {
		s.cfg.Cache.put(s, h)
	}
}

// Close gives up the files; regions that are held stay readable.
func (s *Segment) Close() {
	s.cfg.Cache.drop(s)
	if h := s.own.Swap(nil); h != nil {
		h.release()
	}
}

// Remove removes the files, the indexes first: a log file without index is whole, an index without a log is nothing.
func (s *Segment) Remove() error {
	s.Close()
	for _, suffix := range []string{TimeSuffix, IndexSuffix, LogSuffix} {
		if err := s.cfg.FS.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", s.path(suffix), err)
		}
	}
	return nil
}
