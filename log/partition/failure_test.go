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

// TestNothingIsAckedAfterAFailedSync fails the n-th sync, of a file and of a directory, for every n: all that was acked survives a power cut, and
// nothing is acked afterwards, though later syncs succeed.
func TestNothingIsAckedAfterAFailedSync(t *testing.T) {
	for _, kind := range []disk.Kind{disk.OpSync, disk.OpSyncDir} {
		failures := 0
		for n := int64(1); ; n++ {
			m := disk.NewMemory()
			h, err := runScript(t, disk.NewFaulty(m, disk.Fail(n, syscall.EIO, disk.OfKind(kind))), Fsync)
			if err == nil {
				break
			}
			failures++
			if !errors.Is(err, syscall.EIO) {
				t.Fatalf("%v %d: %v", kind, n, err)
			}
			h.verify(t, m.Crash(0, nil), Fsync, false)
			if t.Failed() {
				t.Fatalf("%v %d", kind, n)
			}
		}
		if failures < 20 {
			t.Errorf("%v: only %d failures", kind, failures)
		}
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	for _, mode := range []Durability{Fsync, Replicated} {
		m := disk.NewMemory()
		var broken atomic.Bool
		fsys := disk.NewFaulty(m, func(o disk.Op) error {
			if o.Kind == disk.OpSync && strings.HasSuffix(o.Name, ".log") && o.Name != marksFile && broken.CompareAndSwap(true, false) {
				return syscall.ENOSPC // the next one succeeds
			}
			return nil
		})
		d := mustOpen(t, testConfig(fsys, mode))
		specs := []Spec{{ID: testID(0), Name: "a"}, {ID: testID(1), Name: "b"}}
		if err := d.Create(specs...); err != nil {
			t.Fatal(err)
		}
		l, other := mustLog(t, d, testID(0)), mustLog(t, d, testID(1))
		a := mustAppend(t, l, plain(t, "good"))
		if err := errors.Join(flushNow(l), await(l, a.Next)); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
		if _, err := l.Append(AppendRequest{Batch: plain(t, "lost")}); err != nil {
			t.Fatal(err)
		}
		if mode == Replicated {
			_ = flushNow(l)
		}
		select {
		case <-d.Failed():
		case <-time.After(testTimeout):
			t.Fatal("a failed sync did not take the directory offline")
		}
		for range 3 {
			d.flushOne(l)
		}
		for _, log := range []*Log{l, other} {
			if _, err := log.Append(AppendRequest{Batch: plain(t, "late")}); !errors.Is(err, ErrDirectoryFailed) {
				t.Errorf("append: %v", err)
			}
			if err := log.Err(); !errors.Is(err, ErrDirectoryFailed) || errors.Is(err, ErrNoSpace) {
				t.Errorf("err: %v", err)
			}
		}
		if l.Watermark() != 1 || l.Durable() != 1 {
			t.Errorf("watermark %d, durable %d", l.Watermark(), l.Durable())
		}
		if r, err := l.Read(1, 2, 1000, true); err != nil || r.Size() != 0 {
			t.Errorf("what is not durable is served: %d bytes, %v", r.Size(), err)
		}
		if err := d.Close(); !errors.Is(err, ErrDirectoryFailed) {
			t.Errorf("close: %v", err)
		}
		if d2 := reopen(t, testConfig(m, mode), specs...); d2.CleanStart() {
			t.Error("a clean-stop file was left")
		}
	}
}

// TestShortWriteIsCut: some bytes of a batch get to the disk before an error.
func TestShortWriteIsCut(t *testing.T) {
	m := disk.NewMemory()
	var fault atomic.Pointer[disk.ShortWrite]
	fsys := disk.NewFaulty(m, func(o disk.Op) error {
		if short := fault.Load(); short != nil && o.Kind == disk.OpWriteAt && strings.HasSuffix(o.Name, "0.log") {
			return short
		}
		return nil
	})
	d := mustOpen(t, testConfig(fsys, Fsync))
	spec := Spec{ID: testID(0), Name: "t"}
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, spec.ID)
	mustAppend(t, l, plain(t, "one"))
	fault.Store(&disk.ShortWrite{N: 70, Err: syscall.ENOSPC})
	_, err := l.Append(AppendRequest{Batch: idempotent(t, 1, 0, 0, "long enough to leave something behind")})
	if !errors.Is(err, ErrNoSpace) {
		t.Fatalf("the error is %v", err)
	}
	fault.Store(nil)
	d.space.full.Store(false)
	if size := len(fileBytes(t, m, logFile(spec, 0))); int64(size) != l.active().Size() {
		t.Errorf("the file has %d bytes, %d are written", size, l.active().Size())
	}
	if a := mustAppend(t, l, idempotent(t, 1, 0, 7, "2")); a.Base != 1 || a.Duplicate { // the failed batch is not in the producer's state
		t.Errorf("%+v", a)
	}
	if err := await(l, 2); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	l = mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
	if got := strings.Join(valuesOf(t, l), " "); got != "one 2" {
		t.Errorf("values are %q", got)
	}
}

func TestFailedWriteIsFinal(t *testing.T) {
	m := disk.NewMemory()
	fsys := disk.NewFaulty(m, disk.Fail(2, syscall.EIO, func(o disk.Op) bool { return o.Kind == disk.OpWriteAt && strings.HasSuffix(o.Name, "0.log") }))
	d := mustOpen(t, testConfig(fsys, Fsync))
	if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, testID(0))
	mustAppend(t, l, plain(t, "one"))
	if _, err := l.Append(AppendRequest{Batch: plain(t, "two")}); !errors.Is(err, ErrDirectoryFailed) {
		t.Fatalf("the error is %v", err)
	}
	if _, err := l.Append(AppendRequest{Batch: plain(t, "three")}); !errors.Is(err, ErrDirectoryFailed) {
		t.Fatalf("the error is %v", err)
	}
	if l.End() != 1 {
		t.Errorf("the log ends at %d", l.End())
	}
}

// TestFullDisk: clients are refused, the coordinator and deletes go on from the reserve, reads go on, and the log recovers alone.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := disk.NewMemory()
		m.SetCapacity(600 << 10)
		cfg := testConfig(m, Fsync)
		cfg.ReserveBytes = 64 << 10
		d := mustOpen(t, cfg)
		specs := []Spec{{ID: testID(0), Name: "a"}, {ID: testID(1), Name: "b"}, {ID: testID(2), Name: "c"}}
		if err := d.Create(specs...); err != nil {
			t.Fatal(err)
		}
		l, own := mustLog(t, d, testID(0)), mustLog(t, d, testID(2))
		var full error
		n := int64(0)
		for ; full == nil && n < 1000; n++ {
			_, full = l.Append(AppendRequest{Batch: plain(t, strings.Repeat("x", 10_000))})
		}
		if !errors.Is(full, ErrNoSpace) || l.End() != n-1 || l.Err() != nil || n < 10 {
			t.Fatalf("after %d batches: %v, end %d, %v", n, full, l.End(), l.Err())
		}
		if err := await(l, l.End()); err != nil {
			t.Fatal(err)
		}
		if got := len(valuesOf(t, l)); got != int(n-1) {
			t.Errorf("%d values can be read", got)
		}
		a, err := own.Append(AppendRequest{Batch: plain(t, "offsets"), Origin: FromCoordinator})
		if err != nil {
			t.Fatalf("the coordinator: %v", err)
		}
		if err := await(own, a.Next); err != nil {
			t.Fatal(err)
		}
		if _, err := mustLog(t, d, testID(1)).Append(AppendRequest{Batch: plain(t, "x")}); !errors.Is(err, ErrNoSpace) {
			t.Errorf("a client eats the reserve: %v", err)
		}
		if err := d.Delete(testID(1)); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, err := l.DeleteBefore(3); err != nil {
			t.Errorf("delete records: %v", err)
		}
		m.SetCapacity(4 << 20)
		time.Sleep(10 * spaceRetry) // virtual time
		if d.Stats().Full {
			t.Error("it does not recover")
		}
		if a := mustAppend(t, l, plain(t, "again")); a.Base != n-1 {
			t.Errorf("the next batch got offset %d, want %d", a.Base, n-1)
		}
		if b := fileBytes(t, m, reserveFile); len(b) != 64<<10 {
			t.Errorf("the reserve has %d bytes", len(b))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFailuresAreNotCrashes runs the script with an error at every call that changes something: whatever it is, acked batches stay.
func TestFailuresAreNotCrashes(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for n := int64(1); !t.Failed(); n++ {
			m := disk.NewMemory()
			fsys := disk.NewFaulty(m, disk.Fail(n, fault, func(o disk.Op) bool { return o.Changes() }))
			h, err := runScript(t, fsys, Fsync)
			h.verify(t, m.Crash(0, nil), Fsync, false)
			if t.Failed() {
				t.Fatalf("%v at call %d: %v", fault, n, err)
			}
			if fsys.Changes() < n {
				break
			}
		}
	}
}
