package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/log/disk"
)

// onEach runs a test on the real disk, on Memory, and on Memory through Faulty.
func onEach(t *testing.T, test func(t *testing.T, fsys disk.FS)) {
	t.Run("real", func(t *testing.T) { test(t, openReal(t)) })
	t.Run("memory", func(t *testing.T) { test(t, disk.NewMemory()) })
	t.Run("faulty", func(t *testing.T) { test(t, disk.NewFaulty(disk.NewMemory(), nil)) })
}

func openReal(t *testing.T) disk.FS {
	t.Helper()
	fsys, err := disk.Open(t.TempDir() + "/data")
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

// must fails the test if any of the errors is one.
func must(t interface {
	Helper()
	Fatal(args ...any)
}, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fsys disk.FS, name string, mode disk.Mode) disk.File {
	t.Helper()
	f, err := fsys.Open(name, mode)
	must(t, err)
	return f
}

func write(t testing.TB, f disk.File, offset int64, data []byte) {
	t.Helper()
	if n, err := f.WriteAt(data, offset); n != len(data) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(data), err)
	}
}

// content is all of a file.
func content(t testing.TB, fsys disk.FS, name string) []byte {
	t.Helper()
	f := open(t, fsys, name, disk.ReadOnly)
	size, err := f.Size()
	must(t, err)
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if int64(n) != size || (err != nil && !errors.Is(err, io.EOF)) {
		t.Fatalf("read %d of %d bytes: %v", n, size, err)
	}
	must(t, f.Close())
	return b
}

func wantIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func TestFiles(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		_, err := fsys.Open("a", disk.ReadWrite)
		wantIs(t, err, fs.ErrNotExist)
		f := open(t, fsys, "a", disk.Create)
		_, err = fsys.Open("a", disk.Create)
		wantIs(t, err, fs.ErrExist)

		data := []byte("hello")
		write(t, f, 3, data)
		if string(data) != "hello" {
			t.Errorf("WriteAt changed its argument to %q", data)
		}
		data[0] = 'X' // WriteAt has not kept it
		write(t, f, 4096*2-1, []byte("ab"))
		want := append([]byte("\x00\x00\x00hello"), make([]byte, 4096*2-9)...)
		want = append(want, "ab"...)
		if diff := cmp.Diff(want, content(t, fsys, "a")); diff != "" {
			t.Errorf("content (-want +got):\n%s", diff)
		}

		b := make([]byte, 4)
		n, err := f.ReadAt(b, 4096*2)
		if n != 1 || b[0] != 'b' || !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %d bytes %q, %v", n, b, err)
		}
		n, err = f.ReadAt(b, 1<<30)
		if n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("past the end: %d bytes, %v", n, err)
		}
		_, err = f.ReadAt(b, -1)
		_, err2 := f.WriteAt(b, -1)
		if err == nil || err2 == nil || f.Truncate(-1) == nil {
			t.Error("a negative offset or size passed")
		}
		must(t, f.Sync(), f.Close())
		wantIs(t, f.Close(), fs.ErrClosed)
		_, err = f.WriteAt(b, 0)
		wantIs(t, err, fs.ErrClosed)

		r := open(t, fsys, "a", disk.ReadOnly)
		if _, err := r.WriteAt(b, 0); err == nil {
			t.Error("wrote to a file open for reading")
		}
		must(t, r.Close())
	})
}

func TestSizes(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		f := open(t, fsys, "a", disk.Create)
		size := func(want int64) {
			t.Helper()
			if got, err := f.Size(); got != want || err != nil {
				t.Fatalf("size is %d, want %d: %v", got, want, err)
			}
		}
		must(t, f.Preallocate(10_000))
		size(10_000)
		write(t, f, 0, bytes.Repeat([]byte("x"), 9000))
		must(t, f.Preallocate(5000)) // never shorter
		size(10_000)
		if got := content(t, fsys, "a"); !bytes.Equal(got[:9000], bytes.Repeat([]byte("x"), 9000)) || !bytes.Equal(got[9000:], make([]byte, 1000)) {
			t.Error("Preallocate changed what was there, or its bytes are not zeros")
		}
		must(t, f.Truncate(100))
		size(100)
		must(t, f.Truncate(9500)) // what was cut off does not come back
		if got := content(t, fsys, "a"); !bytes.Equal(got[:100], bytes.Repeat([]byte("x"), 100)) || !bytes.Equal(got[100:], make([]byte, 9400)) {
			t.Error("bytes that were cut off came back, or others are gone")
		}
		must(t, f.Truncate(0), f.Preallocate(0))
		size(0)
		must(t, f.Close())
	})
}

func TestDirectories(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		must(t, fsys.Mkdir("d/e"), fsys.Mkdir("d/e"), fsys.Mkdir("."), fsys.SyncDir("."), fsys.SyncDir("d"))
		f := open(t, fsys, "d/b", disk.Create)
		write(t, f, 0, []byte("one"))
		must(t, open(t, fsys, "d/a", disk.Create).Close())
		list(t, fsys, "d", disk.Entry{Name: "a"}, disk.Entry{Name: "b", Size: 3}, disk.Entry{Name: "e", Dir: true})

		must(t, fsys.Rename("d/b", "d/a")) // replaces, and the open file goes along
		write(t, f, 3, []byte("two"))
		list(t, fsys, "d", disk.Entry{Name: "a", Size: 6}, disk.Entry{Name: "e", Dir: true})
		if got := content(t, fsys, "d/a"); string(got) != "onetwo" {
			t.Errorf("content is %q", got)
		}
		must(t, fsys.Rename("d", "moved"))
		_, err := fsys.List("d")
		wantIs(t, err, fs.ErrNotExist)
		if fsys.Remove("moved") == nil {
			t.Error("removed a directory that is not empty")
		}
		must(t, fsys.Remove("moved/a"))
		if n, err := f.ReadAt(make([]byte, 6), 0); n != 6 || err != nil {
			t.Errorf("an open file is not readable after Remove: %d bytes, %v", n, err)
		}
		must(t, f.Close(), fsys.Remove("moved/e"), fsys.Remove("moved"), fsys.SyncDir("."))
		list(t, fsys, ".")

		wantIs(t, fsys.Remove("gone"), fs.ErrNotExist)
		wantIs(t, fsys.Rename("gone", "x"), fs.ErrNotExist)
		wantIs(t, fsys.SyncDir("gone"), fs.ErrNotExist)
		_, err = fsys.Open("no/such", disk.Create)
		wantIs(t, err, fs.ErrNotExist)
	})
}

func list(t *testing.T, fsys disk.FS, dir string, want ...disk.Entry) {
	t.Helper()
	got, err := fsys.List(dir)
	must(t, err)
	if diff := cmp.Diff(append([]disk.Entry{}, want...), got); diff != "" {
		t.Errorf("list of %s (-want +got):\n%s", dir, diff)
	}
}

func TestNamesStayInside(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		for _, name := range []string{"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/"} {
			_, err := fsys.Open(name, disk.Create)
			wantIs(t, err, fs.ErrInvalid)
			wantIs(t, fsys.Mkdir(name), fs.ErrInvalid)
			wantIs(t, fsys.Remove(name), fs.ErrInvalid)
			wantIs(t, fsys.Rename(name, "x"), fs.ErrInvalid)
			wantIs(t, fsys.Rename("x", name), fs.ErrInvalid)
			wantIs(t, fsys.SyncDir(name), fs.ErrInvalid)
			_, err = fsys.List(name)
			wantIs(t, err, fs.ErrInvalid)
			_, err = fsys.Lock(name)
			wantIs(t, err, fs.ErrInvalid)
		}
	})
}

func TestLock(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		for range 2 { // the lock is free again after Close
			lock, err := fsys.Lock(".lock")
			must(t, err)
			_, err = fsys.Lock(".lock")
			var held *disk.LockedError
			if !errors.As(err, &held) || held.PID != os.Getpid() || held.Name != ".lock" {
				t.Errorf("second lock: %v, want a LockedError with process %d", err, os.Getpid())
			}
			must(t, lock.Close())
		}
		if got, want := string(content(t, fsys, ".lock")), fmt.Sprintf("%d\n", os.Getpid()); got != want {
			t.Errorf("lock file holds %q, want %q", got, want)
		}
	})
}

func TestFree(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		if free, err := fsys.Free(); free <= 0 || err != nil {
			t.Errorf("%d bytes free, %v", free, err)
		}
	})
}

func TestFlipBit(t *testing.T) {
	onEach(t, func(t *testing.T, fsys disk.FS) {
		f := open(t, fsys, "a", disk.Create)
		write(t, f, 0, []byte{0, 0, 0})
		must(t, f.Close(), disk.FlipBit(fsys, "a", 1, 3))
		if got := content(t, fsys, "a"); !bytes.Equal(got, []byte{0, 8, 0}) {
			t.Errorf("content is %v", got)
		}
		if disk.FlipBit(fsys, "a", 3, 0) == nil {
			t.Error("flipped a bit past the end")
		}
	})
}

// Any run of calls gives the same results on the real disk and on Memory.
func TestMemoryIsLikeTheRealDisk(t *testing.T) {
	names := []string{"a", "b", "d", "d/a", "d/b", "e", "e/a"}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		left, err := disk.Open(dir)
		must(t, err)
		pair := &both{t: rt, fs: [2]disk.FS{left, disk.NewMemory()}}
		defer pair.close()
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			name, to := rapid.SampledFrom(names).Draw(rt, "name"), rapid.SampledFrom(names).Draw(rt, "to")
			size := rapid.Int64Range(0, 20_000).Draw(rt, "size")
			switch rapid.SampledFrom([]string{"mkdir", "remove", "rename", "list", "sync", "create", "open", "write", "read", "truncate", "allocate"}).Draw(rt, "call") {
			case "mkdir":
				pair.same("mkdir "+name, func(f disk.FS) (any, error) { return nil, f.Mkdir(name) })
			case "remove":
				pair.same("remove "+name, func(f disk.FS) (any, error) { return nil, f.Remove(name) })
			case "rename":
				if _, err := left.List(to); err == nil {
					continue // to replace a directory is not promised
				}
				pair.same("rename "+name+" "+to, func(f disk.FS) (any, error) { return nil, f.Rename(name, to) })
			case "list":
				pair.same("list "+name, func(f disk.FS) (any, error) { return f.List(name) })
			case "sync":
				if _, err := left.List(name); err != nil {
					continue // to sync a file as a directory is not promised to fail
				}
				pair.same("sync "+name, func(f disk.FS) (any, error) { return nil, f.SyncDir(name) })
			case "create":
				pair.open(name, disk.Create)
			case "open":
				if _, err := left.List(name); err != nil { // to open a directory is not promised to fail
					pair.open(name, disk.ReadWrite)
				}
			case "write":
				data := bytes.Repeat([]byte{byte(size)}, int(size%9000))
				pair.file(func(f disk.File) (any, error) { return f.WriteAt(data, size) })
			case "read":
				pair.file(func(f disk.File) (any, error) {
					b := make([]byte, 5000)
					n, err := f.ReadAt(b, size)
					return b[:n], err
				})
			case "truncate":
				pair.file(func(f disk.File) (any, error) { return nil, f.Truncate(size) })
			case "allocate":
				pair.file(func(f disk.File) (any, error) { return nil, f.Preallocate(size) })
			}
		}
	})
}

// both makes each call on two disks.
type both struct {
	t     *rapid.T
	fs    [2]disk.FS
	files [][2]disk.File
}

func (p *both) same(what string, call func(disk.FS) (any, error)) bool {
	a, errA := call(p.fs[0])
	b, errB := call(p.fs[1])
	return p.compare(what, a, b, errA, errB)
}

func (p *both) compare(what string, a, b any, errA, errB error) bool {
	if (errA == nil) != (errB == nil) || errors.Is(errA, fs.ErrNotExist) != errors.Is(errB, fs.ErrNotExist) ||
		errors.Is(errA, fs.ErrExist) != errors.Is(errB, fs.ErrExist) || errors.Is(errA, io.EOF) != errors.Is(errB, io.EOF) {
		p.t.Fatalf("%s: real says %v, memory %v", what, errA, errB)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		p.t.Fatalf("%s (-real +memory):\n%s", what, diff)
	}
	return errA == nil
}

func (p *both) open(name string, mode disk.Mode) {
	var files [2]disk.File
	i := 0
	if p.same(fmt.Sprintf("open %s %d", name, mode), func(f disk.FS) (any, error) {
		file, err := f.Open(name, mode)
		files[i] = file
		i++
		return nil, err
	}) {
		p.files = append(p.files, files)
	}
}

func (p *both) file(call func(disk.File) (any, error)) {
	if len(p.files) == 0 {
		return
	}
	f := p.files[rapid.IntRange(0, len(p.files)-1).Draw(p.t, "file")]
	a, errA := call(f[0])
	b, errB := call(f[1])
	p.compare("file", a, b, errA, errB)
	sizeA, errA := f[0].Size()
	sizeB, errB := f[1].Size()
	p.compare("size", sizeA, sizeB, errA, errB)
}

func (p *both) close() {
	for _, f := range p.files {
		must(p.t, f[0].Close(), f[1].Close())
	}
}
