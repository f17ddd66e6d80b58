package partition

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/log/disk"
)

// TestFullDiskRecoversUnderLoad: group commits that keep failing, once the reserve is used up, do not keep the directory from purging what was deleted.
func TestFullDiskRecoversUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := disk.NewMemory()
		m.SetCapacity(200 << 10)
		cfg := testConfig(m, Fsync)
		cfg.DeleteDelay, cfg.Now = 5*spaceRetry, time.Now
		d := mustOpen(t, cfg)
		if err := d.Create(Spec{ID: testID(0), Name: "own"}, Spec{ID: testID(1), Name: "deleted"}); err != nil {
			t.Fatal(err)
		}
		commit := func(id int) error {
			_, err := mustLog(t, d, testID(id)).Append(AppendRequest{Batch: plain(t, strings.Repeat("x", 1000)), Origin: FromCoordinator})
			return err
		}
		for range 100 {
			if err := commit(1); err != nil {
				t.Fatal(err)
			}
		}
		for commit(0) == nil {
		}
		if err := d.Delete(testID(1)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := commit(0); err == nil {
				return
			}
			time.Sleep(spaceRetry / 10) // virtual time
		}
		t.Error("it does not recover")
	})
}

// marksFault makes writes to marks.log find no space while it is on.
func marksFault(m *disk.Memory, on *atomic.Bool) disk.FS {
	return disk.NewFaulty(m, func(o disk.Op) error {
		if on.Load() && o.Kind == disk.OpWriteAt && o.Name == marksFile {
			return syscall.ENOSPC
		}
		return nil
	})
}

// TestMarkThatWasNotWrittenDoesNotCount: a segment that the mark on disk is in stays, although a newer mark was to be written.
func TestMarkThatWasNotWrittenDoesNotCount(t *testing.T) {
	m := disk.NewMemory()
	var full atomic.Bool
	d := mustOpen(t, testConfig(marksFault(m, &full), Fsync))
	spec := Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 200}}
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, spec.ID)
	mustAppend(t, l, plain(t, strings.Repeat("a", 100)))
	if err := errors.Join(flushNow(l), await(l, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.DeleteBefore(1); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	if _, err := l.Append(AppendRequest{Batch: plain(t, strings.Repeat("b", 100)), Origin: FromCoordinator}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(flushNow(l), await(l, 2)); err != nil {
		t.Fatal(err)
	}
	if err := l.removeSegments(); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l = mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
	if got := valuesOf(t, l); len(got) != 1 || got[0][0] != 'b' {
		t.Errorf("the log holds %q", got)
	}
}

// TestPartitionWithoutMarkIsNotServed: after a crash it would be taken for damaged, with what was acked in it. Once there is space it can be made.
func TestPartitionWithoutMarkIsNotServed(t *testing.T) {
	m := disk.NewMemory()
	var full atomic.Bool
	d := mustOpen(t, testConfig(marksFault(m, &full), Fsync))
	spec := Spec{ID: testID(0), Name: "t"}
	full.Store(true)
	if err := d.Create(spec); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("create: %v", err)
	}
	if _, err := d.Log(spec.ID); err == nil {
		t.Fatal("it is served")
	}
	full.Store(false)
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, spec.ID)
	d.space.full.Store(false)
	mustAppend(t, l, plain(t, "a"))
	if err := await(l, 1); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l = mustLog(t, reopen(t, testConfig(m.Crash(0, nil), Fsync), spec), spec.ID)
	if got := valuesOf(t, l); len(got) != 1 || got[0] != "a" {
		t.Errorf("the log holds %q", got)
	}
}

// TestReserveOutlivesARestart: the ballast that is on the disk is the reserve of the next start, too, and needs no space beside it.
func TestReserveOutlivesARestart(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m, Fsync)
	cfg.ReserveBytes = 1 << 20
	d := mustOpen(t, cfg)
	own, other := Spec{ID: testID(0), Name: "own"}, Spec{ID: testID(1), Name: "other"}
	if err := d.Create(own, other); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, own.ID)
	mustAppend(t, l, plain(t, "a"))
	if err := await(l, 1); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	free, err := m.Free()
	if err != nil {
		t.Fatal(err)
	}
	used := disk.DefaultCapacityBytes - free
	m.SetCapacity(used + 2*cfg.PreallocateStep) // less than the ballast
	d = reopen(t, cfg, own, other)
	if d.Stats().Full {
		t.Error("the disk counts as full, though the ballast is there and there is room")
	}
	mustAppend(t, mustLog(t, d, own.ID), plain(t, "b"))
	d.Kill()
	free, err = m.Free()
	if err != nil {
		t.Fatal(err)
	}
	m.SetCapacity(used + 2*cfg.PreallocateStep - free) // not a block is left
	d = reopen(t, cfg, own, other)
	for _, spec := range []Spec{own, other} {
		l, err := d.Log(spec.ID)
		if err != nil {
			t.Fatalf("on a full disk: %v", err)
		}
		for range 5 {
			if _, err := l.Append(AppendRequest{Batch: plain(t, strings.Repeat("x", 5000)), Origin: FromCoordinator}); err != nil {
				t.Fatalf("the coordinator, on a full disk: %v", err)
			}
		}
		if err := await(l, l.End()); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
