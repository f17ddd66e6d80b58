package disk

import (
	"io"
	"io/fs"
	"syscall"
)

type memoryFile struct {
	m        *Memory
	n        *node
	name     string
	writable bool
	closed   bool // guarded by m.mu
}

// begin locks the disk and refuses a closed file, a read-only one and a bad range; the caller unlocks in any case.
func (f *memoryFile) begin(op string, write bool, offset, length int64) error {
	f.m.mu.Lock()
	var err error
	switch {
	case f.closed:
		err = fs.ErrClosed
	case offset < 0 || length < 0:
		err = fs.ErrInvalid
	case write && !f.writable:
		err = syscall.EBADF
	case write && offset > maxMemoryFileBytes-length:
		err = syscall.EFBIG
	default:
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memoryFile) Close() error {
	defer f.m.mu.Unlock()
	if err := f.begin("close", false, 0, 0); err != nil {
		return err
	}
	f.closed = true
	f.n.handles--
	f.m.release(f.n)
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	defer f.m.mu.Unlock()
	if err := f.begin("stat", false, 0, 0); err != nil {
		return 0, err
	}
	return f.n.size, nil
}

func (f *memoryFile) ReadAt(p []byte, offset int64) (int, error) {
	defer f.m.mu.Unlock()
	if err := f.begin("read", false, offset, int64(len(p))); err != nil {
		return 0, err
	}
	if offset >= f.n.size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), f.n.size-offset)]
	for done := 0; done < len(want); {
		at := offset + int64(done)
		from := f.m.zeros
		if b := f.n.block(int(at / BlockBytes)); b != nil {
			from = b
		}
		done += copy(want[done:], from[at%BlockBytes:])
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

func (f *memoryFile) WriteAt(p []byte, offset int64) (int, error) {
	defer f.m.mu.Unlock()
	if err := f.begin("write", true, offset, int64(len(p))); err != nil {
		return 0, err
	}
	for done := 0; done < len(p); {
		at := offset + int64(done)
		b := f.m.writable(f.n, int(at/BlockBytes))
		if b == nil {
			return done, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
		}
		done += copy(b[at%BlockBytes:], p[done:])
		f.n.resize(max(f.n.size, offset+int64(done)))
	}
	return len(p), nil
}

func (f *memoryFile) Truncate(size int64) error {
	defer f.m.mu.Unlock()
	if err := f.begin("truncate", true, size, 0); err != nil {
		return err
	}
	n := f.n
	keep := int((size + BlockBytes - 1) / BlockBytes)
	for i := keep; i < len(n.blocks); i++ {
		if n.blocks[i] != nil {
			n.blocks[i] = nil
			n.dirty[i] = struct{}{}
			f.m.mu.used -= BlockBytes
		}
	}
	if tail := size % BlockBytes; size < n.size && tail != 0 {
		// What is cut off must not come back when the file grows again.
		if b := n.block(keep - 1); b != nil && b != f.m.zeros {
			clear(f.m.writable(n, keep-1)[tail:])
		}
	}
	n.resize(size)
	return nil
}

func (f *memoryFile) Preallocate(size int64) error {
	defer f.m.mu.Unlock()
	if size <= 0 {
		size = 0
	}
	if err := f.begin("fallocate", true, size, 0); err != nil {
		return err
	}
	n, m := f.n, f.m
	count := int((size + BlockBytes - 1) / BlockBytes)
	missing := int64(0)
	for i := range count {
		if n.block(i) == nil {
			missing += BlockBytes
		}
	}
	if missing > m.mu.capacity-m.mu.used {
		return &fs.PathError{Op: "fallocate", Path: f.name, Err: syscall.ENOSPC}
	}
	m.mu.used += missing
	n.grow(count)
	for i := range count {
		if n.blocks[i] == nil {
			n.blocks[i] = m.zeros
			n.dirty[i] = struct{}{}
		}
	}
	n.resize(max(n.size, size))
	return nil
}

func (f *memoryFile) Sync() error {
	defer f.m.mu.Unlock()
	if err := f.begin("fdatasync", false, 0, 0); err != nil {
		return err
	}
	n := f.n
	for i := range n.dirty {
		for len(n.synced) <= i {
			n.synced = append(n.synced, nil)
		}
		n.synced[i] = n.block(i)
	}
	clear(n.dirty)
	if n.sizeDirty {
		n.syncedSize, n.sizeDirty = n.size, false
	}
	return nil
}

// dropDirty is what a failed fsync does in the kernel: pages that could not be written count as clean. Reads show
// them, later syncs succeed and do not write them, and the next power cut shows what was on disk before.
func (f *memoryFile) dropDirty() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	clear(f.n.dirty)
	f.n.sizeDirty = false
}

// block is the current block i, nil for a hole or past the end.
func (n *node) block(i int) *block {
	if i >= len(n.blocks) {
		return nil
	}
	return n.blocks[i]
}

func (n *node) grow(count int) {
	for len(n.blocks) < count {
		n.blocks = append(n.blocks, nil)
	}
}

func (n *node) resize(size int64) {
	if size != n.size {
		n.size, n.sizeDirty = size, true
	}
}

// writable returns block i of a file for writing, apart from the synced one, and marks it dirty; nil if no space is left.
func (m *Memory) writable(n *node, i int) *block {
	b := n.block(i)
	if b == nil {
		if m.mu.used+BlockBytes > m.mu.capacity {
			return nil
		}
		m.mu.used += BlockBytes
		n.grow(i + 1)
		b = new(block)
	} else if b == m.zeros || (i < len(n.synced) && n.synced[i] == b) {
		c := *b
		b = &c
	}
	n.blocks[i] = b
	n.dirty[i] = struct{}{}
	return b
}
