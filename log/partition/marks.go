package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/millrace/millrace/log/disk"
)

// marks.log holds, for all partitions of a directory, up to which offset each log is on disk and where it starts. It is a sequence of rounds, one
// for each pass of the flusher; the last entry of a partition counts. Numbers are big-endian.
//
//	 0         4         8         12
//	+---------+---------+---------+
//	| "MRK1"  | count   | CRC32C  |   the CRC covers count and the entries
//	+---------+---------+---------+
//	then count entries:
//	 0                   16        20          28          36          44          52
//	+-------------------+---------+-----------+-----------+-----------+-----------+
//	| topic id          | partit. | log start | durable   | segment   | position  |
//	+-------------------+---------+-----------+-----------+-----------+-----------+
//
// All records below durable are on disk; the batch at durable begins (or will) at byte position of the segment with that base offset. A durable of
// -1 says that the partition is deleted. Preallocated zeros follow the last round; a round that is torn ends the file.
const (
	marksFile        = "marks.log"
	marksNewFile     = "marks.log.new"
	marksMagic       = 0x4d524b31
	marksHeaderBytes = 12
	marksEntryBytes  = 52
	// marksStep is the size to which the file is preallocated, and beyond which it is written anew.
	marksStep = 256 << 10
	// maxMarksBytes bounds what is read of it.
	maxMarksBytes = 1 << 30
	// marksGrowth is how many times larger than its live entries the file may be.
	marksGrowth = 4
)

// mark is the newest entry of a partition.
type mark struct {
	start    int64
	durable  int64
	segment  int64 // base offset
	position int64 // bytes
}

// after returns what holds when two marks of a partition are known: neither its start nor what is durable ever goes back. Marks that were taken
// by two goroutines may be put in the wrong order.
func (m mark) after(old mark) mark {
	start := max(m.start, old.start)
	if old.durable > m.durable || old.durable == m.durable && old.segment > m.segment {
		m = old
	}
	m.start = start
	return m
}

type markEntry struct {
	id   ID
	mark mark
}

func appendRound(b []byte, entries []markEntry) []byte {
	be := binary.BigEndian
	at := len(b)
	b = be.AppendUint32(b, marksMagic)
	b = be.AppendUint32(b, uint32(len(entries)))
	b = be.AppendUint32(b, 0)
	for _, e := range entries {
		b = append(b, e.id.Topic[:]...)
		b = be.AppendUint32(b, uint32(e.id.Partition))
		for _, v := range [...]int64{e.mark.start, e.mark.durable, e.mark.segment, e.mark.position} {
			b = be.AppendUint64(b, uint64(v))
		}
	}
	be.PutUint32(b[at+8:], roundSum(b[at:]))
	return b
}

func roundSum(round []byte) uint32 {
	return crc32.Update(checksum(round[4:8]), crc32.MakeTable(crc32.Castagnoli), round[marksHeaderBytes:])
}

// decodeMarks returns the newest mark of each partition and how many bytes of whole rounds there are.
func decodeMarks(b []byte) (map[ID]mark, int64) {
	be := binary.BigEndian
	marks := make(map[ID]mark)
	whole := 0
	for {
		round := b[whole:]
		if len(round) < marksHeaderBytes || be.Uint32(round) != marksMagic {
			return marks, int64(whole)
		}
		size := marksHeaderBytes + int64(be.Uint32(round[4:]))*marksEntryBytes
		if size > int64(len(round)) {
			return marks, int64(whole)
		}
		round = round[:size]
		if roundSum(round) != be.Uint32(round[8:]) {
			return marks, int64(whole)
		}
		for e := round[marksHeaderBytes:]; len(e) > 0; e = e[marksEntryBytes:] {
			id := ID{Topic: [16]byte(e[:16]), Partition: int32(be.Uint32(e[16:]))}
			v := func(i int) int64 { return int64(be.Uint64(e[20+8*i:])) }
			m := mark{start: v(0), durable: v(1), segment: v(2), position: v(3)}
			if m.durable < 0 {
				delete(marks, id)
			} else if m.start >= 0 && m.start <= m.durable && m.segment >= 0 && m.segment <= m.durable && m.position >= 0 {
				marks[id] = m
			}
		}
		whole += int(size)
	}
}

// marks is the file. Safe for concurrent use: the flusher, DeleteBefore, retention and Delete write to it.
type marks struct {
	fs disk.FS
	mu struct {
		sync.Mutex
		file  disk.File
		all   map[ID]mark
		size  int64 // bytes of whole rounds
		grown int64 // bytes preallocated; 0 before the first write
		dirty bool  // written to since the last sync
		buf   []byte
	}
}

// openMarks reads the file, or makes it if fresh. What is torn at its end is cut off.
func openMarks(fsys disk.FS, fresh bool) (*marks, error) {
	m := &marks{fs: fsys}
	f, err := fsys.Open(marksFile, disk.ReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return nil, errMarksMissing
		}
		f, err = fsys.Open(marksFile, disk.Create)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", marksFile, err)
	}
	b, err := readAll(f, maxMarksBytes)
	if err == nil {
		m.mu.all, m.mu.size = decodeMarks(b)
		// Old rounds behind the cut must not come back behind new ones.
		err = f.Truncate(m.mu.size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fsys.SyncDir(".")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open %s: %w", marksFile, err), f.Close())
	}
	m.mu.file = f
	return m, nil
}

// readAll reads a whole file up to a limit.
func readAll(f disk.File, limit int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%d bytes are more than it can have", size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// get returns the mark of a partition.
func (m *marks) get(id ID) (mark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.mu.all[id]
	return v, ok
}

// put appends a round. It is on disk after sync. After an error nothing has changed: the marks stay older than they could be, which only costs a scan.
func (m *marks) put(entries ...markEntry) error {
	if len(entries) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, e := range entries {
		if e.mark.durable >= 0 {
			entries[i].mark = e.mark.after(m.mu.all[e.id])
		}
	}
	live := int64(marksHeaderBytes + len(m.mu.all)*marksEntryBytes)
	if m.mu.size > max(marksStep, marksGrowth*live) {
		all := maps.Clone(m.mu.all)
		apply(all, entries)
		if err := m.rewrite(all); err != nil {
			return err // the next round tries again
		}
		m.mu.all = all
		return nil
	}
	m.mu.buf = appendRound(m.mu.buf[:0], entries)
	if end := m.mu.size + int64(len(m.mu.buf)); end > m.mu.grown {
		m.mu.grown = end + marksStep
		_ = m.mu.file.Preallocate(m.mu.grown) // without it the file grows, which is slower
	}
	if _, err := m.mu.file.WriteAt(m.mu.buf, m.mu.size); err != nil {
		return fmt.Errorf("cannot write %s: %w", marksFile, err)
	}
	apply(m.mu.all, entries)
	m.mu.size += int64(len(m.mu.buf))
	m.mu.dirty = true
	return nil
}

// apply brings marks up to a round.
func apply(all map[ID]mark, entries []markEntry) {
	for _, e := range entries {
		if e.mark.durable < 0 {
			delete(all, e.id)
		} else {
			all[e.id] = e.mark
		}
	}
}

// rewrite makes a new file with one round of all marks. It is complete on disk before it takes the name.
func (m *marks) rewrite(all map[ID]mark) error {
	entries := make([]markEntry, 0, len(all))
	for id, v := range all {
		entries = append(entries, markEntry{id, v})
	}
	slices.SortFunc(entries, func(a, b markEntry) int { return a.id.compare(b.id) })
	b := appendRound(nil, entries)
	if err := m.fs.Remove(marksNewFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w", marksNewFile, err)
	}
	f, err := m.fs.Open(marksNewFile, disk.Create)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", marksNewFile, err)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = m.fs.Rename(marksNewFile, marksFile)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s anew: %w", marksFile, err), f.Close())
	}
	old := m.mu.file
	m.mu.file, m.mu.size, m.mu.grown, m.mu.dirty = f, int64(len(b)), 0, false
	_ = old.Close() // synced, or of no more interest
	if err := m.fs.SyncDir("."); err != nil {
		return fmt.Errorf("cannot write %s anew: %w", marksFile, &syncError{err})
	}
	return nil
}

// dirty tells whether something waits for sync.
func (m *marks) dirty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.dirty
}

// sync returns when everything put before is on disk. An error is final for the directory.
func (m *marks) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.mu.dirty {
		return nil
	}
	if err := m.mu.file.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", marksFile, &syncError{err})
	}
	m.mu.dirty = false
	return nil
}

func (m *marks) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.file.Close()
}
