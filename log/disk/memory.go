package disk

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const (
	// BlockBytes is the unit in which Memory keeps or loses unsynced data.
	BlockBytes = 4096
	// DefaultCapacityBytes is what a new Memory holds.
	DefaultCapacityBytes = 1 << 30
	// maxMemoryFileBytes bounds one file of a Memory, holes included.
	maxMemoryFileBytes = 1 << 32
)

// Memory is a disk in memory that knows what a power cut would take: see Crash. The zero value is not usable.
type Memory struct {
	zeros *block // what Preallocate fills with: allocated, never written to

	mu struct {
		sync.Mutex
		root     *node
		capacity int64 // bytes
		used     int64 // bytes of blocks that current files hold; ≤ capacity unless that was lowered
		locked   map[*node]bool
	}
}

// node is a file or a directory: what is in it now, and what of that is on disk.
type node struct {
	// a directory
	entries map[string]*node    // nil in a file
	durable map[string]*node    // as of the last SyncDir
	changed map[string]struct{} // names whose entry may differ between the two

	// a file
	blocks     []*block         // nil: a hole. Not shared with another file, unless it is in synced, too
	synced     []*block         // as of the last Sync; never written to
	dirty      map[int]struct{} // blocks that the next Sync writes
	size       int64
	syncedSize int64
	sizeDirty  bool
	names      int // directory entries that lead here now
	handles    int
}

type block [BlockBytes]byte

func (n *node) isDir() bool { return n.entries != nil }

func newDir() *node {
	return &node{entries: map[string]*node{}, durable: map[string]*node{}, changed: map[string]struct{}{}}
}

func newFile() *node { return &node{dirty: map[int]struct{}{}} }

// NewMemory returns an empty disk of DefaultCapacityBytes.
func NewMemory() *Memory { return newMemory(newDir(), DefaultCapacityBytes) }

func newMemory(root *node, capacity int64) *Memory {
	m := &Memory{zeros: new(block)}
	m.mu.root, m.mu.capacity, m.mu.locked = root, capacity, map[*node]bool{}
	return m
}

// SetCapacity sets how many bytes the disk holds, counted in whole blocks; holes are free. What is there already stays.
func (m *Memory) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

func (m *Memory) Free() (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(0, m.mu.capacity-m.mu.used), nil
}

func (m *Memory) Open(name string, mode Mode) (File, error) {
	if err := checkName("open", name, false); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.open(name, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	n.handles++
	return &memoryFile{m: m, n: n, name: name, writable: mode != ReadOnly}, nil
}

func (m *Memory) open(name string, mode Mode) (*node, error) {
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil && mode == Create:
		n = newFile()
		dir.set(base, n)
	case n == nil:
		return nil, fs.ErrNotExist
	case mode == Create:
		return nil, fs.ErrExist
	case n.isDir():
		return nil, syscall.EISDIR
	}
	return n, nil
}

func (m *Memory) Mkdir(name string) error {
	if err := checkName("mkdir", name, true); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := m.mu.root
	if name == "." {
		return nil
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		next := dir.entries[part]
		if next == nil {
			next = newDir()
			dir.set(part, next)
		}
		if !next.isDir() {
			err := error(syscall.ENOTDIR)
			if i == len(parts)-1 {
				err = fs.ErrExist
			}
			return &fs.PathError{Op: "mkdir", Path: name, Err: err}
		}
		dir = next
	}
	return nil
}

func (m *Memory) Remove(name string) error {
	if err := checkName("remove", name, false); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && dir.entries[base] == nil {
		err = fs.ErrNotExist
	}
	if err == nil && len(dir.entries[base].entries) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	m.release(dir.set(base, nil))
	return nil
}

func (m *Memory) Rename(from, to string) error {
	if err := errors.Join(checkName("rename", from, false), checkName("rename", to, false)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (m *Memory) rename(from, to string) error {
	fromDir, fromBase, err := m.parent(from)
	if err != nil {
		return err
	}
	toDir, toBase, err := m.parent(to)
	if err != nil {
		return err
	}
	moved, there := fromDir.entries[fromBase], toDir.entries[toBase]
	switch {
	case moved == nil:
		return fs.ErrNotExist
	case moved == there:
		return nil
	case moved.isDir() && strings.HasPrefix(to, from+"/"):
		return syscall.EINVAL
	case there != nil && there.isDir() && !moved.isDir():
		return syscall.EISDIR
	case there != nil && !there.isDir() && moved.isDir():
		return syscall.ENOTDIR
	case there != nil && len(there.entries) > 0:
		return syscall.ENOTEMPTY
	}
	replaced := toDir.set(toBase, moved)
	fromDir.set(fromBase, nil)
	m.release(replaced)
	return nil
}

func (m *Memory) List(dir string) ([]Entry, error) {
	if err := checkName("list", dir, true); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(dir)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	entries := make([]Entry, 0, len(d.entries))
	for _, name := range slices.Sorted(maps.Keys(d.entries)) {
		n := d.entries[name]
		entries = append(entries, Entry{Name: name, Size: n.size, Dir: n.isDir()})
	}
	return entries, nil
}

func (m *Memory) SyncDir(dir string) error {
	if err := checkName("sync", dir, true); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(dir)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	for name := range d.changed {
		if n := d.entries[name]; n != nil {
			d.durable[name] = n
		} else {
			delete(d.durable, name)
		}
	}
	clear(d.changed)
	return nil
}

// Lock makes the file as the real disk does. The lock lives in this Memory and not in what Crash returns.
func (m *Memory) Lock(name string) (io.Closer, error) {
	f, err := m.Open(name, Create)
	if errors.Is(err, fs.ErrExist) {
		f, err = m.Open(name, ReadWrite)
	}
	if err != nil {
		return nil, err
	}
	held := &memoryLock{memoryFile: f.(*memoryFile)}
	m.mu.Lock()
	taken := m.mu.locked[held.n]
	if !taken {
		m.mu.locked[held.n] = true
	}
	m.mu.Unlock()
	if taken {
		return nil, errors.Join(&LockedError{Name: name, PID: holder(f)}, f.Close())
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

type memoryLock struct{ *memoryFile }

func (l *memoryLock) Close() error {
	if err := l.memoryFile.Close(); err != nil {
		return err
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.mu.locked, l.n)
	return nil
}

// dir finds a directory by name.
func (m *Memory) dir(name string) (*node, error) {
	d := m.mu.root
	if name == "." {
		return d, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		d = d.entries[part]
		if d == nil {
			return nil, fs.ErrNotExist
		}
		if !d.isDir() {
			return nil, syscall.ENOTDIR
		}
	}
	return d, nil
}

// parent finds the directory that a name is in, and the last element of the name.
func (m *Memory) parent(name string) (*node, string, error) {
	dir, base := path.Split(name)
	d, err := m.dir(path.Clean(dir))
	return d, base, err
}

// set changes an entry (nil removes it) and returns what was there before.
func (n *node) set(name string, to *node) *node {
	was := n.entries[name]
	if was != nil {
		was.names--
	}
	if to != nil {
		to.names++
		n.entries[name] = to
	} else {
		delete(n.entries, name)
	}
	n.changed[name] = struct{}{}
	return was
}

// release gives back the space of a file that has neither name nor handle any more. What is on disk of it stays
// with it, because a power cut may bring the name back.
func (m *Memory) release(n *node) {
	if n == nil || n.isDir() || n.names > 0 || n.handles > 0 {
		return
	}
	for _, b := range n.blocks {
		if b != nil {
			m.mu.used -= BlockBytes
		}
	}
}
