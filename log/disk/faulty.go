package disk

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Kind is the kind of a call on an FS or a File.
type Kind int

const (
	OpOpen Kind = iota
	OpCreate
	OpMkdir
	OpRemove
	OpRename
	OpList
	OpSyncDir
	OpLock
	OpFree
	OpReadAt
	OpWriteAt
	OpClose
	OpSize
	OpTruncate
	OpPreallocate
	OpSync
)

func (k Kind) String() string {
	names := [...]string{"open", "create", "mkdir", "remove", "rename", "list", "syncdir", "lock", "free",
		"read", "write", "close", "size", "truncate", "preallocate", "sync"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// Op is one call.
type Op struct {
	Kind   Kind
	Name   string // relative to the FS; of a file, the name it was opened by
	To     string // OpRename only
	Offset int64  // reads and writes: bytes from the start; OpTruncate and OpPreallocate: the size
	Len    int    // reads and writes: bytes
}

// Changes tells whether the call may alter the disk or what of it is durable. Closing does neither.
func (o Op) Changes() bool {
	switch o.Kind {
	case OpCreate, OpMkdir, OpRemove, OpRename, OpSyncDir, OpLock, OpWriteAt, OpTruncate, OpPreallocate, OpSync:
		return true
	}
	return false
}

func (o Op) String() string {
	switch o.Kind {
	case OpRename:
		return fmt.Sprintf("rename %s %s", o.Name, o.To)
	case OpReadAt, OpWriteAt:
		return fmt.Sprintf("%s %s %d+%d", o.Kind, o.Name, o.Offset, o.Len)
	case OpTruncate, OpPreallocate:
		return fmt.Sprintf("%s %s %d", o.Kind, o.Name, o.Offset)
	}
	return fmt.Sprintf("%s %s", o.Kind, o.Name)
}

// Hook is asked before every call; an error is the result of the call, which then is not made. It may wait, to make
// the disk slow. It is called by several goroutines at once and without a lock held.
type Hook func(Op) error

// ShortWrite as the error of a Hook makes WriteAt write the first N bytes and then return Err.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return fmt.Sprintf("short write of %d bytes: %v", e.N, e.Err) }
func (e *ShortWrite) Unwrap() error { return e.Err }

// Fail returns a Hook that fails the n-th call (from 1) that matches, and that one only; with n = 0 every one.
func Fail(n int64, err error, match func(Op) bool) Hook {
	var seen atomic.Int64
	return func(o Op) error {
		if match(o) && (seen.Add(1) == n || n == 0) {
			return err
		}
		return nil
	}
}

// OfKind matches calls of one kind.
func OfKind(k Kind) func(Op) bool { return func(o Op) bool { return o.Kind == k } }

// CrashAfter returns a Hook that lets n calls through that change something, and the reads between them; from the next
// change on every call returns ErrCrashed.
func CrashAfter(n int) Hook {
	var seen atomic.Int64
	return func(o Op) error {
		if o.Changes() && seen.Add(1) > int64(n) || seen.Load() > int64(n) {
			return ErrCrashed
		}
		return nil
	}
}

// Faulty is an FS on which calls fail when its Hook says so.
//
// An error for OpSync drops what the file had not synced, and later syncs succeed, as in the real kernel (where the
// file is of a Memory; on another FS the sync is left out). An error for OpClose closes the file all the same.
// Its files are no Descriptor: nothing goes round the Hook.
type Faulty struct {
	fs      FS
	hook    Hook
	changes atomic.Int64
}

// NewFaulty wraps an FS. A nil hook only counts.
func NewFaulty(fsys FS, hook Hook) *Faulty { return &Faulty{fs: fsys, hook: hook} }

// Changes counts the calls so far for which Op.Changes is true, those that failed included.
func (f *Faulty) Changes() int64 { return f.changes.Load() }

func (f *Faulty) ask(o Op) error {
	if o.Changes() {
		f.changes.Add(1)
	}
	if f.hook == nil {
		return nil
	}
	if err := f.hook(o); err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	return nil
}

func (f *Faulty) Open(name string, mode Mode) (File, error) {
	kind := OpOpen
	if mode == Create {
		kind = OpCreate
	}
	if err := f.ask(Op{Kind: kind, Name: name}); err != nil {
		return nil, err
	}
	file, err := f.fs.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return &faultyFile{fs: f, file: file, name: name}, nil
}

func (f *Faulty) Mkdir(name string) error {
	if err := f.ask(Op{Kind: OpMkdir, Name: name}); err != nil {
		return err
	}
	return f.fs.Mkdir(name)
}

func (f *Faulty) Remove(name string) error {
	if err := f.ask(Op{Kind: OpRemove, Name: name}); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

func (f *Faulty) Rename(from, to string) error {
	if err := f.ask(Op{Kind: OpRename, Name: from, To: to}); err != nil {
		return err
	}
	return f.fs.Rename(from, to)
}

func (f *Faulty) List(dir string) ([]Entry, error) {
	if err := f.ask(Op{Kind: OpList, Name: dir}); err != nil {
		return nil, err
	}
	return f.fs.List(dir)
}

func (f *Faulty) SyncDir(dir string) error {
	if err := f.ask(Op{Kind: OpSyncDir, Name: dir}); err != nil {
		return err
	}
	return f.fs.SyncDir(dir)
}

func (f *Faulty) Lock(name string) (io.Closer, error) {
	if err := f.ask(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	return f.fs.Lock(name)
}

func (f *Faulty) Free() (int64, error) {
	if err := f.ask(Op{Kind: OpFree, Name: "."}); err != nil {
		return 0, err
	}
	return f.fs.Free()
}

type faultyFile struct {
	fs   *Faulty
	file File
	name string
}

func (f *faultyFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.fs.ask(Op{Kind: OpReadAt, Name: f.name, Offset: offset, Len: len(p)}); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, offset)
}

func (f *faultyFile) WriteAt(p []byte, offset int64) (int, error) {
	err := f.fs.ask(Op{Kind: OpWriteAt, Name: f.name, Offset: offset, Len: len(p)})
	if err == nil {
		return f.file.WriteAt(p, offset)
	}
	short, ok := errors.AsType[*ShortWrite](err)
	if !ok {
		return 0, err
	}
	n, failed := f.file.WriteAt(p[:min(max(short.N, 0), len(p))], offset)
	return n, errors.Join(err, failed)
}

func (f *faultyFile) Close() error {
	err := f.fs.ask(Op{Kind: OpClose, Name: f.name})
	return errors.Join(err, f.file.Close())
}

func (f *faultyFile) Size() (int64, error) {
	if err := f.fs.ask(Op{Kind: OpSize, Name: f.name}); err != nil {
		return 0, err
	}
	return f.file.Size()
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.ask(Op{Kind: OpTruncate, Name: f.name, Offset: size}); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) Preallocate(size int64) error {
	if err := f.fs.ask(Op{Kind: OpPreallocate, Name: f.name, Offset: size}); err != nil {
		return err
	}
	return f.file.Preallocate(size)
}

func (f *faultyFile) Sync() error {
	err := f.fs.ask(Op{Kind: OpSync, Name: f.name})
	if err == nil {
		return f.file.Sync()
	}
	if file, ok := f.file.(*memoryFile); ok && !errors.Is(err, ErrCrashed) {
		file.dropDirty()
	}
	return err
}
