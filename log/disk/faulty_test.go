package disk_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/log/disk"
)

// every calls each method once, and returns the errors by name.
func every(t *testing.T, fsys disk.FS, f disk.File) map[string]error {
	t.Helper()
	errs := map[string]error{}
	g, err := fsys.Open("new", disk.Create)
	errs["create new"] = err
	if err == nil {
		must(t, g.Close())
	}
	g, err = fsys.Open("a", disk.ReadOnly)
	errs["open a"] = err
	if err == nil {
		must(t, g.Close())
	}
	errs["mkdir d"] = fsys.Mkdir("d")
	errs["syncdir ."] = fsys.SyncDir(".")
	_, errs["list ."] = fsys.List(".")
	_, errs["free ."] = fsys.Free()
	_, errs["lock l"] = fsys.Lock("l")
	_, errs["write a 5+3"] = f.WriteAt([]byte("xyz"), 5)
	_, errs["read a 0+1"] = f.ReadAt(make([]byte, 1), 0)
	_, errs["size a"] = f.Size()
	errs["truncate a 100"] = f.Truncate(100)
	errs["preallocate a 200"] = f.Preallocate(200)
	errs["sync a"] = f.Sync()
	errs["rename a b"] = fsys.Rename("a", "b")
	errs["remove b"] = fsys.Remove("b")
	errs["close a"] = f.Close()
	return errs
}

func TestFaultyAsksBeforeEveryCall(t *testing.T) {
	m, f := saved(t, []byte("0123456789"))
	must(t, f.Close())
	var seen []string
	failing := false
	fsys := disk.NewFaulty(m, func(o disk.Op) error {
		seen = append(seen, o.String())
		if failing {
			return syscall.EIO
		}
		return nil
	})
	file := open(t, fsys, "a", disk.ReadWrite)
	failing, seen = true, nil
	failed := every(t, fsys, file)
	if len(seen) != len(failed) {
		t.Errorf("asked for %q", seen)
	}
	for _, op := range seen {
		if !errors.Is(failed[op], syscall.EIO) {
			t.Errorf("%s: %v, want EIO", op, failed[op])
		}
	}
	if got := content(t, m, "a"); string(got) != "0123456789" || names(t, m, ".") != "a" {
		t.Errorf("calls that failed were made: %q, %q", got, names(t, m, "."))
	}
	if _, err := file.(interface{ Size() (int64, error) }).Size(); err == nil {
		t.Error("a close that failed left the file open")
	}

	failing, seen = false, nil
	file = open(t, fsys, "a", disk.ReadWrite)
	for op, err := range every(t, fsys, file) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestFailNth(t *testing.T) {
	m, f := saved(t, nil)
	must(t, f.Close())
	for _, n := range []int64{0, 1, 3} {
		file := open(t, disk.NewFaulty(m, disk.Fail(n, syscall.ENOSPC, disk.OfKind(disk.OpWriteAt))), "a", disk.ReadWrite)
		var got []bool
		for range 4 {
			_, err := file.WriteAt([]byte("x"), 0)
			if err != nil && !disk.NoSpace(err) {
				t.Error(err)
			}
			got = append(got, err != nil)
		}
		want := map[int64][]bool{0: {true, true, true, true}, 1: {true, false, false, false}, 3: {false, false, true, false}}[n]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", n, diff)
		}
		must(t, file.Close())
	}
}

func TestShortWrite(t *testing.T) {
	m := disk.NewMemory()
	short := &disk.ShortWrite{N: 3, Err: syscall.ENOSPC}
	f := open(t, disk.NewFaulty(m, disk.Fail(1, short, disk.OfKind(disk.OpWriteAt))), "a", disk.Create)
	n, err := f.WriteAt([]byte("hello"), 0)
	if n != 3 || !disk.NoSpace(err) {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
	if got := content(t, m, "a"); string(got) != "hel" {
		t.Errorf("content is %q", got)
	}
	write(t, f, 3, []byte("lo"))
}

// After a failed sync reads still show the bytes, the next sync succeeds, and the bytes are lost all the same.
func TestFailedSyncLosesData(t *testing.T) {
	m, first := saved(t, fill('s', 2*block))
	must(t, first.Close())
	f := open(t, disk.NewFaulty(m, disk.Fail(1, syscall.EIO, disk.OfKind(disk.OpSync))), "a", disk.ReadWrite)
	write(t, f, 0, fill('u', 3*block))
	wantIs(t, f.Sync(), syscall.EIO)
	must(t, f.Sync())
	if got := content(t, m, "a"); !bytes.Equal(got, fill('u', 3*block)) {
		t.Error("reads do not show what the page cache holds")
	}
	for _, keep := range []int{0, 100} {
		if got := content(t, m.Crash(keep, nil), "a"); !bytes.Equal(got, fill('s', 2*block)) {
			t.Errorf("with %d %% the data of a failed sync is there", keep)
		}
	}
	write(t, f, block, []byte("n")) // what is written again is synced again, by whole pages
	must(t, f.Sync())
	want := append(fill('s', block), 'n')
	want = append(want, fill('u', block-1)...)
	if got := content(t, m.Crash(0, nil), "a"); !bytes.Equal(got, want) {
		t.Error("a page written after the failed sync is not durable as it is")
	}
}

func TestCrashAfter(t *testing.T) {
	m := disk.NewMemory()
	fsys := disk.NewFaulty(m, disk.CrashAfter(2))
	f := open(t, fsys, "a", disk.Create)
	write(t, f, 0, []byte("x"))
	if _, err := f.Size(); err != nil {
		t.Errorf("a read before the cut: %v", err)
	}
	wantIs(t, f.Sync(), disk.ErrCrashed)
	_, err := f.Size()
	wantIs(t, err, disk.ErrCrashed)
	_, err = fsys.List(".")
	wantIs(t, err, disk.ErrCrashed)
	wantIs(t, f.Close(), disk.ErrCrashed)
	if got := names(t, m.Crash(100, nil), "."); got != "a" {
		t.Errorf("entries are %q", got)
	}
}
