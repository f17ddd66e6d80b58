package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// real is the directory of a real file system. Nothing reaches outside of it, by ".." or by a symbolic link.
type real struct{ root *os.Root }

// Open gives access to a directory of the real disk, which it makes (for the owner only) if it is not there.
// The descriptor of the directory is held for as long as the FS is reachable.
func Open(root string) (FS, error) {
	if err := os.MkdirAll(root, dirMode); err != nil {
		return nil, fmt.Errorf("cannot open directory %s: %w", root, err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("cannot open directory %s: %w", root, err)
	}
	return &real{root: r}, nil
}

func (r *real) Open(name string, mode Mode) (File, error) {
	if err := checkName("open", name, false); err != nil {
		return nil, err
	}
	flags := os.O_RDONLY
	switch mode {
	case ReadWrite:
		flags = os.O_RDWR
	case Create:
		flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	}
	f, err := r.root.OpenFile(name, flags, fileMode)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &realFile{File: f, raw: raw, name: name}, nil
}

func (r *real) Mkdir(name string) error {
	if err := checkName("mkdir", name, true); err != nil {
		return err
	}
	return r.root.MkdirAll(name, dirMode)
}

func (r *real) Remove(name string) error {
	if err := checkName("remove", name, false); err != nil {
		return err
	}
	return r.root.Remove(name)
}

func (r *real) Rename(from, to string) error {
	if err := errors.Join(checkName("rename", from, false), checkName("rename", to, false)); err != nil {
		return err
	}
	return r.root.Rename(from, to)
}

func (r *real) List(dir string) ([]Entry, error) {
	if err := checkName("list", dir, true); err != nil {
		return nil, err
	}
	d, err := r.root.Open(dir)
	if err != nil {
		return nil, err
	}
	found, err := d.ReadDir(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(found))
	for _, f := range found {
		e := Entry{Name: f.Name(), Dir: f.IsDir()}
		if !e.Dir {
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since the directory was read
			}
			if err != nil {
				return nil, err
			}
			e.Size = info.Size()
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func (r *real) SyncDir(dir string) error {
	if err := checkName("sync", dir, true); err != nil {
		return err
	}
	d, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (r *real) Free() (int64, error) {
	d, err := r.root.Open(".")
	if err != nil {
		return 0, err
	}
	raw, err := d.SyscallConn()
	var stat unix.Statfs_t
	if err == nil {
		err = control(raw, func(fd int) error { return unix.Fstatfs(fd, &stat) })
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return 0, fmt.Errorf("cannot measure free space: %w", err)
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}

type realFile struct {
	*os.File
	raw  syscall.RawConn
	name string
}

func (f *realFile) OSFile() *os.File { return f.File }

func (f *realFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync hides fsync of os.File: fdatasync leaves out the times, and so a write to the journal for each sync of a
// preallocated file. It covers the size.
func (f *realFile) Sync() error {
	if err := control(f.raw, unix.Fdatasync); err != nil {
		return &fs.PathError{Op: "fdatasync", Path: f.name, Err: err}
	}
	return nil
}

func (f *realFile) Preallocate(size int64) error {
	if size <= 0 {
		return nil
	}
	err := control(f.raw, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.extend(size) // the zeros and the size are there, the space is not taken
	}
	if err != nil {
		return &fs.PathError{Op: "fallocate", Path: f.name, Err: err}
	}
	return nil
}

func (f *realFile) extend(size int64) error {
	have, err := f.Size()
	if err != nil || have >= size {
		return err
	}
	return f.Truncate(size)
}

// control runs a system call on a descriptor that cannot be closed meanwhile, again if a signal cut it short.
func control(raw syscall.RawConn, call func(fd int) error) error {
	var err error
	closed := raw.Control(func(fd uintptr) {
		for {
			if err = call(int(fd)); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	if closed != nil {
		return closed
	}
	return err
}
