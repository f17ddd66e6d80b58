package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/log/disk"
)

const (
	reserveFile = "reserve"
	// spaceRetry is the time between two looks for space while the disk is full.
	spaceRetry = time.Second
)

// space says whether the disk is full, and owns the ballast: a file that is given up so that deletes, marks and coordinators can still write, and
// made again when there is room. While the disk is full clients are refused without a try, or they would eat what the ballast gave back.
type space struct {
	fs      disk.FS
	logger  *slog.Logger
	reserve int64 // bytes; ≤ 0: no ballast
	need    int64 // bytes that must be free, the ballast aside, before clients may write again
	full    atomic.Bool
	wake    chan struct{} // tells the janitor; capacity 1
	mu      struct {
		sync.Mutex
		held bool // the ballast is there
	}
}

func (s *space) isFull() bool { return s.full.Load() }

// ranOut is called when a write found no space.
func (s *space) ranOut(err error) {
	if s.full.CompareAndSwap(false, true) {
		s.logger.Warn("the disk is full: produce is refused until there is space", "err", err)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// release gives up the ballast. It tells whether that made room.
func (s *space) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.held {
		return false
	}
	if err := s.fs.Remove(reserveFile); err != nil {
		s.logger.Error("cannot give up the reserve", "err", err)
		return false
	}
	s.mu.held = false
	s.logger.Warn("the reserve for a full disk is in use", "bytes", s.reserve)
	return true
}

// open takes over the ballast that the last run left, as it may be all that there is to write with. Clients may write if it is there, or can be made.
func (s *space) open() error {
	if s.reserve > 0 {
		f, err := s.fs.Open(reserveFile, disk.ReadWrite)
		switch {
		case err == nil:
			err = errors.Join(f.Preallocate(s.reserve), f.Close()) // after a power cut there may be less to it than its size says
			s.mu.held = err == nil
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		if err != nil && !disk.NoSpace(err) {
			return fmt.Errorf("cannot take over the reserve: %w", err)
		}
		if err != nil {
			_ = s.fs.Remove(reserveFile) // half of it is worth more as space
		}
	}
	if err := s.recover(); err != nil {
		return err
	}
	if s.reserve > 0 && !s.mu.held {
		s.ranOut(errors.New("there is no room for the reserve"))
	}
	return nil
}

// recover makes the ballast again and lets clients write, if there is room for both.
func (s *space) recover() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.held && !s.full.Load() {
		return nil
	}
	free, err := s.fs.Free()
	if err != nil {
		return fmt.Errorf("cannot look for space: %w", err)
	}
	want := s.need
	if !s.mu.held {
		want += max(0, s.reserve)
	}
	if free < want {
		return nil
	}
	if !s.mu.held && s.reserve > 0 {
		if err := s.ballast(); err != nil {
			if disk.NoSpace(err) {
				return nil
			}
			return err
		}
	}
	s.mu.held = s.reserve > 0
	if s.full.CompareAndSwap(true, false) {
		s.logger.Info("there is space on the disk again")
	}
	return nil
}

// ballast makes the file. It needs no sync: after a power cut it is made again.
func (s *space) ballast() error {
	f, err := s.fs.Open(reserveFile, disk.ReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.fs.Open(reserveFile, disk.Create)
	}
	if err != nil {
		return fmt.Errorf("cannot make the reserve: %w", err)
	}
	err = f.Preallocate(s.reserve)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = s.fs.Remove(reserveFile)
		return fmt.Errorf("cannot make the reserve: %w", err)
	}
	return nil
}

// withReserve runs a write of our own, again with the ballast given up if there is no space.
func (d *Directory) withReserve(write func() error) error {
	err := write()
	if disk.NoSpace(err) {
		d.space.ranOut(err)
		if d.space.release() {
			err = write()
		}
	}
	return err
}
