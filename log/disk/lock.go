package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxPIDBytes bounds what is read from a lock file.
const maxPIDBytes = 32

// Lock uses flock: the kernel drops it with the process, however that ends, and a second lock within one process is
// refused as well. The file stays, because removing it would let two processes lock two files of one name.
func (r *real) Lock(name string) (io.Closer, error) {
	if err := checkName("lock", name, false); err != nil {
		return nil, err
	}
	f, err := r.root.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	if err := lockFile(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func lockFile(f *os.File, name string) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot lock %s: %w", name, err)
	}
	err = control(raw, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &LockedError{Name: name, PID: holder(f)}
	}
	pid := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if err == nil {
		_, err = f.WriteAt(pid, 0) // over the old one: on a full disk there may be no other block
	}
	if err == nil {
		err = f.Truncate(int64(len(pid)))
	}
	if err != nil {
		return fmt.Errorf("cannot lock %s: %w", name, err)
	}
	return nil
}

// holder reads the pid that the holder wrote; 0 if it has not yet, or if that is no number.
func holder(f io.ReaderAt) int {
	b := make([]byte, maxPIDBytes)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
