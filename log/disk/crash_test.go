package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/millrace/millrace/log/disk"
)

const block = disk.BlockBytes

func fill(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(1, n)) }

// saved is a disk with a durable file "a" of the given content, open for writing.
func saved(t testing.TB, data []byte) (*disk.Memory, disk.File) {
	t.Helper()
	m := disk.NewMemory()
	f := open(t, m, "a", disk.Create)
	write(t, f, 0, data)
	must(t, f.Sync(), m.SyncDir("."))
	return m, f
}

func names(t testing.TB, fsys disk.FS, dir string) string {
	t.Helper()
	entries, err := fsys.List(dir)
	must(t, err)
	var s []string
	for _, e := range entries {
		s = append(s, e.Name)
	}
	return strings.Join(s, " ")
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m, f := saved(t, fill('s', 3*block+100))
	for _, keep := range []int{0, 50, 100} {
		if got := content(t, m.Crash(keep, seeded(1)), "a"); !bytes.Equal(got, fill('s', 3*block+100)) {
			t.Errorf("with %d %%: a synced file has changed", keep)
		}
	}
	write(t, f, block, fill('u', 3*block))
	want := append(fill('s', block), fill('u', 3*block)...)
	if got := content(t, m.Crash(0, nil), "a"); !bytes.Equal(got, fill('s', 3*block+100)) {
		t.Error("with 0 % unsynced bytes are there, or synced ones are gone")
	}
	if got := content(t, m.Crash(100, nil), "a"); !bytes.Equal(got, want) {
		t.Error("with 100 % unsynced bytes are gone")
	}
	must(t, f.Sync())
	if got := content(t, m.Crash(0, nil), "a"); !bytes.Equal(got, want) {
		t.Error("bytes are gone after Sync")
	}
}

// With a percentage in between each block has its own fate: old, new, or zeros where there was nothing.
func TestCrashDropsBlocksByThemselves(t *testing.T) {
	m, f := saved(t, fill('s', 2*block))
	write(t, f, 0, fill('u', 4*block))
	seen := map[string]int{}
	for seed := range uint64(200) {
		got := content(t, m.Crash(50, seeded(seed)), "a")
		var s strings.Builder
		for b := range slices.Chunk(got, block) {
			if !bytes.Equal(b, fill(b[0], len(b))) {
				t.Fatal("a block is torn")
			}
			s.WriteByte(b[0])
		}
		seen[s.String()]++
		if again := content(t, m.Crash(50, seeded(seed)), "a"); !bytes.Equal(got, again) {
			t.Fatal("the same seed gives another disk")
		}
	}
	for _, want := range []string{"ss", "us", "su", "uu", "uuuu", "ss\x00\x00", "ssu\x00", "su\x00u"} {
		if seen[want] == 0 {
			t.Errorf("no crash left %q; seen: %v", want, seen)
		}
	}
}

func TestCrashLosesSizes(t *testing.T) {
	m, f := saved(t, fill('s', 2*block))
	must(t, f.Truncate(100))
	if got := content(t, m.Crash(0, nil), "a"); !bytes.Equal(got, fill('s', 2*block)) {
		t.Errorf("a truncation that was not synced is durable: %d bytes", len(got))
	}
	if got := content(t, m.Crash(100, nil), "a"); !bytes.Equal(got, fill('s', 100)) {
		t.Errorf("%d bytes after a truncation to 100", len(got))
	}
	must(t, f.Truncate(2*block), f.Preallocate(3*block))
	if got := content(t, m.Crash(0, nil), "a"); len(got) != 2*block {
		t.Errorf("a preallocation that was not synced is durable: %d bytes", len(got))
	}
	must(t, f.Sync())
	if got := content(t, m.Crash(0, nil), "a"); !bytes.Equal(got, append(fill('s', 100), make([]byte, 3*block-100)...)) {
		t.Error("after Sync the bytes that were cut off are back, or the size is not durable")
	}
}

func TestCrashLosesEntries(t *testing.T) {
	steps := []struct {
		name            string
		do              func(m *disk.Memory) error
		dropped, kept   string // entries of d, before and after SyncDir
		droppedA, keptA string // content of d/a; "-" if it is not there
	}{
		{"create", func(m *disk.Memory) error {
			f, err := m.Open("d/new", disk.Create)
			return errors.Join(err, f.Close())
		}, "a b", "a b new", "A", "A"},
		{"remove", func(m *disk.Memory) error { return m.Remove("d/a") }, "a b", "b", "A", "-"},
		{"rename", func(m *disk.Memory) error { return m.Rename("d/a", "d/c") }, "a b", "b c", "A", "-"},
		{"replace", func(m *disk.Memory) error { return m.Rename("d/b", "d/a") }, "a b", "a", "A", "B"},
		{"remove and create", func(m *disk.Memory) error {
			f, err := func() (disk.File, error) { must(t, m.Remove("d/a")); return m.Open("d/a", disk.Create) }()
			return errors.Join(err, f.Close())
		}, "a b", "a b", "A", ""},
		{"mkdir", func(m *disk.Memory) error { return m.Mkdir("d/e") }, "a b", "a b e", "A", "A"},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			m := disk.NewMemory()
			must(t, m.Mkdir("d"), m.SyncDir("."))
			for _, name := range []string{"a", "b"} {
				f := open(t, m, "d/"+name, disk.Create)
				write(t, f, 0, []byte(strings.ToUpper(name)))
				must(t, f.Sync(), f.Close())
			}
			must(t, m.SyncDir("d"), tt.do(m))
			verify := func(m *disk.Memory, want, wantA string) {
				t.Helper()
				if got := names(t, m, "d"); got != want {
					t.Errorf("entries are %q, want %q", got, want)
				}
				gotA := "-"
				if strings.Contains(want, "a") {
					gotA = string(content(t, m, "d/a"))
				}
				if gotA != wantA {
					t.Errorf("d/a holds %q, want %q", gotA, wantA)
				}
			}
			verify(m.Crash(0, nil), tt.dropped, tt.droppedA)
			verify(m.Crash(100, nil), tt.kept, tt.keptA)
			must(t, m.SyncDir("d"))
			verify(m.Crash(0, nil), tt.kept, tt.keptA)
		})
	}
}

func TestCrashHalfOfARename(t *testing.T) {
	m, f := saved(t, []byte("x"))
	must(t, f.Close(), m.Rename("a", "b"))
	must(t, m.Mkdir("d"), m.SyncDir("."), m.Rename("b", "c"), m.Rename("d", "e"))
	files, dirs := map[string]bool{}, map[string]bool{}
	for seed := range uint64(100) {
		all := strings.Fields(names(t, m.Crash(50, seeded(seed)), "."))
		dirs[strings.Join(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s < "d" }), " ")] = true
		files[strings.Join(slices.DeleteFunc(all, func(s string) bool { return s >= "d" }), " ")] = true
	}
	for _, want := range []string{"", "b", "c", "b c"} {
		if !files[want] {
			t.Errorf("no crash left the names %q; seen: %v", want, files)
		}
	}
	if len(dirs) != 2 || !dirs["d"] || !dirs["e"] {
		t.Errorf("a directory that was moved is seen as %v, want d or e", dirs)
	}
}

func TestCrashWithoutParent(t *testing.T) {
	m := disk.NewMemory()
	must(t, m.Mkdir("d/e"))
	f := open(t, m, "d/e/a", disk.Create)
	write(t, f, 0, []byte("x"))
	must(t, f.Sync(), m.SyncDir("d/e"), m.SyncDir("d"))
	if got := names(t, m.Crash(0, nil), "."); got != "" {
		t.Errorf("%q is there, and its parent was never synced", got)
	}
	must(t, m.SyncDir("."))
	if got := content(t, m.Crash(0, nil), "d/e/a"); string(got) != "x" {
		t.Errorf("content is %q", got)
	}
}

// The disk after a crash and the one before share no fate, and locks do not survive.
func TestCrashIsACopy(t *testing.T) {
	m, f := saved(t, fill('s', block))
	_, err := m.Lock("lock")
	must(t, err)
	write(t, f, 0, fill('u', block))
	left := m.Crash(100, nil)
	write(t, f, 0, fill('v', block))
	g := open(t, left, "a", disk.ReadWrite)
	if got := content(t, left, "a"); !bytes.Equal(got, fill('u', block)) {
		t.Error("a write to the old disk shows on the new one")
	}
	write(t, g, 0, fill('w', block))
	must(t, f.Sync())
	if got := content(t, m, "a"); !bytes.Equal(got, fill('v', block)) {
		t.Error("a write to the new disk shows on the old one")
	}
	if got := content(t, left.Crash(0, nil), "a"); !bytes.Equal(got, fill('u', block)) {
		t.Error("what a crash left is not durable on the new disk")
	}
	if _, err := m.Lock("lock"); err == nil {
		t.Error("the old disk lost its lock")
	}
	lock, err := left.Lock("lock")
	must(t, err, lock.Close())
}

func TestCapacity(t *testing.T) {
	m := disk.NewMemory()
	m.SetCapacity(4 * block)
	f := open(t, m, "a", disk.Create)
	n, err := f.WriteAt(fill('x', 6*block), 0)
	if n != 4*block || !disk.NoSpace(err) {
		t.Errorf("wrote %d bytes: %v, want 4 blocks and no space", n, err)
	}
	if size, err := f.Size(); size != 4*block || err != nil {
		t.Errorf("size is %d, %v", size, err)
	}
	if free, err := m.Free(); free != 0 || err != nil {
		t.Errorf("%d bytes free, %v", free, err)
	}
	write(t, f, block, fill('y', block)) // overwriting needs no space
	must(t, f.Truncate(2*block))
	if err := f.Preallocate(5 * block); !disk.NoSpace(err) {
		t.Errorf("preallocated 5 of 4 blocks: %v", err)
	}
	must(t, f.Preallocate(4*block))
	g := open(t, m, "b", disk.Create)
	if _, err := g.WriteAt([]byte{1}, 0); !disk.NoSpace(err) {
		t.Errorf("a preallocated block was given away: %v", err)
	}
	write(t, f, 3*block, fill('z', block)) // in what was preallocated there is space
	must(t, g.Truncate(100*block))         // and a hole takes none
	must(t, m.Remove("a"))
	if _, err := g.WriteAt([]byte{1}, 0); !disk.NoSpace(err) {
		t.Errorf("the space of an open file was given away: %v", err)
	}
	must(t, f.Close())
	write(t, g, 0, []byte{1})
	if free, err := m.Crash(100, nil).Free(); free != 3*block || err != nil {
		t.Errorf("%d bytes free after a crash, want 3 blocks: %v", free, err)
	}
	if _, err := g.WriteAt([]byte{1}, 1<<60); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("write at 2⁶⁰: %v", err)
	}
}

// replace is how a small file is replaced safely; leaving out a step makes it unsafe.
func replace(fsys disk.FS, text string, sync, syncDir bool) error {
	f, err := fsys.Open("tmp", disk.Create)
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.Remove("tmp"); err != nil {
			return err
		}
		f, err = fsys.Open("tmp", disk.Create)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = fsys.Rename("tmp", "current")
	if err == nil && syncDir {
		err = fsys.SyncDir(".")
	}
	return err
}

func TestCrashTestFindsWhatIsMissing(t *testing.T) {
	run := func(sync, syncDir bool) (int, error) {
		return disk.CrashTest{Seed: 1, Run: func(fsys disk.FS) func(*disk.Memory) error {
			acked := -1
			for i := range 5 {
				if replace(fsys, fmt.Sprint("version ", i), sync, syncDir) != nil {
					break
				}
				acked = i
			}
			return func(left *disk.Memory) error {
				f, err := left.Open("current", disk.ReadOnly)
				if errors.Is(err, fs.ErrNotExist) && acked == -1 {
					return nil
				}
				if err != nil {
					return fmt.Errorf("version %d was acked: %w", acked, err)
				}
				b := make([]byte, 100)
				n, err := f.ReadAt(b, 0)
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				for i := max(acked, 0); i <= acked+1; i++ {
					if string(b[:n]) == fmt.Sprint("version ", i) {
						return nil
					}
				}
				return fmt.Errorf("version %d was acked, %q is there", acked, b[:n])
			}
		}}.Each()
	}
	points, err := run(true, true)
	must(t, err)
	if points != 5*5+1 {
		t.Errorf("%d points to cut at, want 26", points)
	}
	for _, steps := range [][2]bool{{false, true}, {true, false}} {
		if points, err := run(steps[0], steps[1]); err == nil {
			t.Errorf("sync %v, sync of the directory %v: nothing found at %d points", steps[0], steps[1], points)
		}
	}
}

func TestMemoryIsForManyGoroutines(t *testing.T) {
	m := disk.NewMemory()
	faulty := disk.NewFaulty(m, disk.Fail(50, syscall.EIO, disk.OfKind(disk.OpSync)))
	var wg sync.WaitGroup
	for i := range 8 {
		f := open(t, faulty, fmt.Sprint("f", i), disk.Create)
		wg.Go(func() {
			for j := range 50 {
				if _, err := f.WriteAt(fill(byte(i), 100), int64(j*100)); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil && !errors.Is(err, syscall.EIO) {
					t.Error(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { m.Crash(50, seeded(uint64(i))) })
	}
	wg.Wait()
	if got := faulty.Changes(); got != 8*(1+50*2) {
		t.Errorf("%d changes counted, want %d", got, 8*(1+50*2))
	}
}
