package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// FS is a file system seen from one directory.
//
// Names are slash-separated, relative to that directory and valid by io/fs.ValidPath; "." is the directory itself.
// Errors wrap those of io/fs (fs.ErrNotExist, fs.ErrExist, fs.ErrClosed) and of the kernel (see NoSpace).
// An FS may be used by several goroutines.
type FS interface {
	// Open opens a file. With mode Create the file must not be there yet (fs.ErrExist); its directory entry is durable after SyncDir.
	Open(name string, mode Mode) (File, error)
	// Mkdir makes a directory and its parents, for the owner only. It is no error if they are there.
	// Each new directory is an entry of its parent, durable after SyncDir of the parent.
	Mkdir(name string) error
	// Remove removes a file or an empty directory. An open file stays readable and writable till it is closed.
	Remove(name string) error
	// Rename moves a file or a directory; a file that is at the new name is replaced.
	Rename(from, to string) error
	// List returns what is in a directory, by name.
	List(dir string) ([]Entry, error)
	// SyncDir makes the creates, renames and removes in dir durable (in dir alone: not in its parent, nor below).
	SyncDir(dir string) error
	// Lock takes an exclusive lock on a file, which is made if need be and stays when the lock is closed.
	// The lock ends with the process at the latest. If somebody holds it the error is a *LockedError.
	Lock(name string) (io.Closer, error)
	// Free is the number of bytes that may still be written.
	Free() (int64, error)
}

// File is an open file. Several goroutines may use it at once; overlapping writes must be ordered by the caller.
type File interface {
	// ReaderAt returns io.EOF with fewer bytes than asked for at the end of the file.
	io.ReaderAt
	// WriterAt never modifies or keeps the slice. After an error (no space, too) any part may have been written.
	io.WriterAt
	io.Closer
	// Size is the length of the file in bytes, preallocated bytes included.
	Size() (int64, error)
	// Truncate makes the file size bytes long. New bytes read as zeros and take no space yet.
	Truncate(size int64) error
	// Preallocate makes the file at least size bytes long and takes the space. New bytes read as zeros.
	Preallocate(size int64) error
	// Sync returns when the bytes and the size are on disk. After an error what was not on disk may be lost,
	// though reads still show it and the next Sync succeeds: do not retry.
	Sync() error
}

// Descriptor is what a file of the real disk also is: the way to sendfile. The file stays owned by the File.
type Descriptor interface{ OSFile() *os.File }

// Mode says what a file is opened for.
type Mode int

const (
	ReadOnly  Mode = iota
	ReadWrite      // the file must be there
	Create         // read and write; the file must not be there
)

// Entry is a file or a directory in a directory.
type Entry struct {
	Name string
	Size int64 // bytes, preallocated ones included; 0 for a directory
	Dir  bool
}

// LockedError says that a lock is held by another process, or by this one.
type LockedError struct {
	Name string
	PID  int // 0 if the holder is not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Name)
	}
	return fmt.Sprintf("%s is locked by process %d", e.Name, e.PID)
}

// NoSpace tells whether an error means that the disk, or our share of it, is full.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// FlipBit flips one bit (0 is the lowest) of the byte at offset and syncs the file: damage for tests.
func FlipBit(fsys FS, name string, offset int64, bit uint) error {
	f, err := fsys.Open(name, ReadWrite)
	if err != nil {
		return fmt.Errorf("cannot flip a bit of %s: %w", name, err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], offset)
	if err == nil {
		b[0] ^= 1 << (bit % 8)
		_, err = f.WriteAt(b[:], offset)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot flip a bit of %s: %w", name, err)
	}
	return nil
}

// checkName refuses what io/fs refuses, and the directory itself unless it may be meant.
func checkName(op, name string, rootToo bool) error {
	if !fs.ValidPath(name) || (name == "." && !rootToo) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return nil
}
