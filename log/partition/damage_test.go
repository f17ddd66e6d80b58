package partition

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/segment"
)

// damaged is a disk with a log of some batches of one record, the first `durable` of them below the mark on disk; the process was killed.
func damaged(t *testing.T, batches, durable int, cfg Config) (*disk.Memory, Spec) {
	t.Helper()
	m := disk.NewMemory()
	spec := Spec{ID: testID(0), Name: "t", Config: cfg}
	d := mustOpen(t, testConfig(m, Replicated))
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, spec.ID)
	for n := range batches {
		mustAppend(t, l, plain(t, string(rune('a'+n))+strings.Repeat("x", 200)))
		if n+1 == durable {
			if err := errors.Join(flushNow(l), d.marks.sync()); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.Kill()
	return m, spec
}

func logFile(spec Spec, base int64) string {
	return spec.ID.String() + "/" + segment.FileName(base, segment.LogSuffix)
}

// positions are where the batches of a segment begin.
func positions(t *testing.T, fsys disk.FS, name string) []int64 {
	t.Helper()
	f, err := fsys.Open(name, disk.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var at []int64
	for p := int64(0); ; {
		b := make([]byte, 61)
		if _, err := f.ReadAt(b, p); err != nil {
			return at
		}
		h, err := segment.ParseHeader(b)
		if err != nil {
			return at
		}
		at = append(at, p)
		p += h.Size
	}
}

func TestFlippedBitAboveTheMarkEndsTheLog(t *testing.T) {
	for bad := 2; bad < 5; bad++ {
		m, spec := damaged(t, 5, 2, Config{})
		at := positions(t, m, logFile(spec, 0))
		if err := disk.FlipBit(m, logFile(spec, 0), at[bad]+100, 3); err != nil {
			t.Fatal(err)
		}
		d := reopen(t, testConfig(m, Fsync), spec)
		l := mustLog(t, d, spec.ID)
		if got := len(valuesOf(t, l)); got != bad || l.End() != int64(bad) {
			t.Errorf("bit flipped in batch %d: %d batches are left, end %d", bad, got, l.End())
		}
		if a := mustAppend(t, l, plain(t, "next")); a.Base != int64(bad) {
			t.Errorf("the next batch got offset %d, want %d", a.Base, bad)
		}
	}
}

func TestTornBatchIsCut(t *testing.T) {
	torn := 0
	for seed := range uint64(40) {
		m := disk.NewMemory()
		d := mustOpen(t, testConfig(m, Replicated))
		spec := Spec{ID: testID(0), Name: "t"}
		if err := d.Create(spec); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, spec.ID)
		mustAppend(t, l, plain(t, "first"))
		if err := flushNow(l); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, plain(t, strings.Repeat("y", 20_000)))
		d.Kill()
		after := m.Crash(50, rand.New(rand.NewPCG(seed, 1)))
		l = mustLog(t, reopen(t, testConfig(after, Fsync), spec), spec.ID)
		values := valuesOf(t, l) // compares the CRCs
		if len(values) < 1 || values[0] != "first" {
			t.Fatalf("seed %d: %d batches left", seed, len(values))
		}
		if len(values) == 1 {
			torn++
		}
	}
	if torn < 10 {
		t.Errorf("only %d of the batches were torn", torn)
	}
}

func TestFlippedHeaderBelowTheMarkTakesThePartitionOffline(t *testing.T) {
	m, spec := damaged(t, 5, 5, Config{})
	name := logFile(spec, 0)
	at := positions(t, m, name)
	if err := disk.FlipBit(m, name, at[1]+16, 0); err != nil { // the magic
		t.Fatal(err)
	}
	before := fileBytes(t, m, name)
	d := reopen(t, testConfig(m, Fsync), spec)
	_, err := d.Log(spec.ID)
	offline, ok := errors.AsType[*OfflineError](err)
	if !ok || offline.Offset != 1 || offline.File != name+quarantineSuffix {
		t.Fatalf("the error is %v", err)
	}
	if after := fileBytes(t, m, offline.File); string(after) != string(before) {
		t.Error("the quarantined file was changed")
	}
	d.Kill()
	d = reopen(t, testConfig(m, Fsync), spec)
	if _, err := d.Log(spec.ID); !isOffline(err) {
		t.Errorf("after another start the error is %v", err)
	}
}

func isOffline(err error) bool {
	_, ok := errors.AsType[*OfflineError](err)
	return ok
}

func TestFlippedBitBelowTheMarkIsNeverServed(t *testing.T) {
	for _, clean := range []bool{false, true} {
		m, spec := damaged(t, 5, 5, Config{})
		name := logFile(spec, 0)
		if clean {
			d := reopen(t, testConfig(m, Fsync), spec)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
		at := positions(t, m, name)
		if err := disk.FlipBit(m, name, at[3]+150, 5); err != nil {
			t.Fatal(err)
		}
		d := reopen(t, testConfig(m, Fsync), spec)
		l := mustLog(t, d, spec.ID)
		r, err := l.Read(0, 3, 1<<20, true)
		if err != nil {
			t.Fatalf("what is before the damage: %v", err)
		}
		_, err = l.Read(3, 5, 1<<20, true)
		if offline, ok := errors.AsType[*OfflineError](err); !ok || offline.Offset != 3 {
			t.Fatalf("clean %v: the error is %v", clean, err)
		}
		if _, err := l.Append(AppendRequest{Batch: plain(t, "x")}); !isOffline(err) {
			t.Errorf("append: %v", err)
		}
		b := make([]byte, r.Size())
		if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Errorf("the region from before is unreadable: %v", err)
		}
		r.Release()
		if len(fileBytes(t, m, name+quarantineSuffix)) == 0 {
			t.Error("the file is gone")
		}
	}
}

// TestDamageInTheMiddleIsNotATail: the damage is in an old segment, below the mark: later segments stay.
func TestDamageInTheMiddleIsNotATail(t *testing.T) {
	m, spec := damaged(t, 9, 8, Config{SegmentBytes: 700})
	if err := disk.FlipBit(m, logFile(spec, 2), 150, 1); err != nil {
		t.Fatal(err)
	}
	d := reopen(t, testConfig(m, Fsync), spec)
	l := mustLog(t, d, spec.ID)
	if l.End() != 9 {
		t.Fatalf("the log ends at %d", l.End())
	}
	if _, err := l.Read(2, 9, 1000, true); !isOffline(err) {
		t.Fatalf("the error is %v", err)
	}
	for _, base := range []int64{0, 4, 6, 8} {
		fileBytes(t, m, logFile(spec, base))
	}
}

func fileBytes(t *testing.T, fsys disk.FS, name string) []byte {
	t.Helper()
	b, found, err := readSmall(fsys, name, 1<<30)
	if err != nil || !found {
		t.Fatalf("cannot read %s: found %v, %v", name, found, err)
	}
	return b
}

func truncate(t *testing.T, fsys disk.FS, name string, size int64) {
	t.Helper()
	f, err := fsys.Open(name, disk.ReadWrite)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileThatEndsBelowTheMarkIsDamage(t *testing.T) {
	m, spec := damaged(t, 9, 8, Config{SegmentBytes: 700})
	truncate(t, m, logFile(spec, 2), 100)
	l := mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
	if _, err := l.Read(3, 9, 1000, true); !isOffline(err) {
		t.Errorf("sealed segment: %v", err)
	}
	m, spec = damaged(t, 3, 3, Config{})
	truncate(t, m, logFile(spec, 0), 500)
	if _, err := reopen(t, testConfig(m, Fsync), spec).Log(spec.ID); !isOffline(err) {
		t.Errorf("active segment: %v", err)
	}
}

func TestMissingFilesTakeThePartitionOffline(t *testing.T) {
	m, spec := damaged(t, 3, 3, Config{})
	if err := m.Remove(logFile(spec, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := reopen(t, testConfig(m, Fsync), spec).Log(spec.ID); !isOffline(err) {
		t.Errorf("no segment: %v", err)
	}
	m, spec = damaged(t, 3, 3, Config{})
	if err := m.Rename(spec.ID.String(), "elsewhere"); err != nil {
		t.Fatal(err)
	}
	d := reopen(t, testConfig(m, Fsync), spec)
	if _, err := d.Log(spec.ID); !isOffline(err) {
		t.Errorf("no directory: %v", err)
	}
	if entries, _ := m.List("."); slices.ContainsFunc(entries, func(e disk.Entry) bool { return e.Name == spec.ID.String() }) {
		t.Error("the directory was made again, empty")
	}
}

// TestOldBytesBehindTheTailAreNotReplayed (D14): a whole batch of an earlier life lies behind the tail.
func TestOldBytesBehindTheTailAreNotReplayed(t *testing.T) {
	m, spec := damaged(t, 4, 2, Config{})
	name := logFile(spec, 0)
	at := positions(t, m, name)
	b := fileBytes(t, m, name)
	end := at[3] + at[1] // one batch more
	f, err := m.Open(name, disk.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b[at[1]:at[2]], end); err != nil { // offset 1 again, its CRC is right
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
	if l.End() != 4 {
		t.Errorf("the log ends at %d, want 4", l.End())
	}
	mustAppend(t, l, plain(t, "e"))
	if got := valuesOf(t, l); len(got) != 5 || got[4] != "e" {
		t.Errorf("%d values", len(got))
	}
}

// TestKillOnTheRealDisk: preallocated zeros end the log, and nothing that was appended is lost while the machine stays up.
func TestKillOnTheRealDisk(t *testing.T) {
	dir := t.TempDir()
	spec := Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 50_000}}
	for life := range 4 {
		fsys, err := disk.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		d := mustOpen(t, testConfig(fsys, Replicated))
		if err := d.Create(spec); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, spec.ID)
		if got := len(valuesOf(t, l)); got != life*50 {
			t.Fatalf("life %d: %d values", life, got)
		}
		for n := range 50 {
			mustAppend(t, l, plain(t, strings.Repeat("v", 40*n)))
		}
		d.Kill()
	}
}

// TestPartitionWithoutMarkIsOffline: what is durable is not known, so nothing may be taken for a tail.
func TestPartitionWithoutMarkIsOffline(t *testing.T) {
	m, spec := damaged(t, 9, 8, Config{SegmentBytes: 700})
	d := reopen(t, testConfig(m, Fsync))
	d.putMarks(markEntry{id: spec.ID, mark: mark{durable: -1}})
	if err := d.Load(spec); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Log(spec.ID); !isOffline(err) {
		t.Errorf("the error is %v", err)
	}
	for _, base := range []int64{0, 2, 4, 6, 8} {
		fileBytes(t, m, logFile(spec, base))
	}
}
