package partition

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/segment"
)

func header(base int64, producer int64) segment.Header {
	return segment.Header{Base: base, Size: 100, MaxTimestamp: testNow, ProducerID: producer, Count: 1}
}

func TestDirectoryHasAnIdentity(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m, Fsync)
	d := mustOpen(t, cfg)
	id := d.ID()
	if !d.CleanStart() {
		t.Error("a new directory has lost something")
	}
	if _, err := OpenDirectory(cfg); !isLocked(err) {
		t.Errorf("opened twice: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*DirectoryConfig){func(c *DirectoryConfig) { c.ClusterID = "other" }, func(c *DirectoryConfig) { c.NodeID = 2 }} {
		other := cfg
		change(&other)
		if _, err := OpenDirectory(other); !errors.Is(err, ErrWrongDirectory) {
			t.Errorf("of somebody else: %v", err)
		}
	}
	if d = mustOpen(t, cfg); d.ID() != id || !d.CleanStart() {
		t.Errorf("id %v, want %v; clean %v", d.ID(), id, d.CleanStart())
	}
	d.Kill()
	if d = mustOpen(t, cfg); d.CleanStart() {
		t.Error("clean after a kill")
	}
	d.Kill()
	text := strings.Replace(string(fileBytes(t, m, metaFile)), "version=1", "version=2", 1)
	if err := writeAndSync(m, metaFile, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirectory(cfg); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("newer: %v", err)
	}
}

func isLocked(err error) bool {
	_, ok := errors.AsType[*disk.LockedError](err)
	return ok
}

func TestMissingMarksOrIdentityRefuseTheStart(t *testing.T) {
	for _, name := range []string{marksFile, metaFile} {
		m, spec := damaged(t, 3, 3, Config{})
		if err := m.Remove(name); err != nil {
			t.Fatal(err)
		}
		if d, err := OpenDirectory(testConfig(m, Fsync)); err == nil {
			d.Kill()
			t.Errorf("opened without %s", name)
		}
		fileBytes(t, m, logFile(spec, 0))
	}
}

// TestStraysAreKept (M24): that nobody mentions a partition is no reason to remove it.
func TestStraysAreKept(t *testing.T) {
	m, spec := damaged(t, 3, 3, Config{})
	d := reopen(t, testConfig(m, Fsync))
	d.cleanUp()
	if strays, err := d.Strays(); err != nil || !slices.Equal(strays, []ID{spec.ID}) {
		t.Fatalf("strays %v, %v", strays, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = reopen(t, testConfig(m, Fsync))
	d.cleanUp()
	if err := d.Load(spec); err != nil {
		t.Fatal(err)
	}
	if got := len(valuesOf(t, mustLog(t, d, spec.ID))); got != 3 {
		t.Errorf("%d values", got)
	}
	if strays, err := d.Strays(); err != nil || len(strays) != 0 {
		t.Errorf("strays %v, %v", strays, err)
	}
}

func TestDeletedPartitionsArePurgedLater(t *testing.T) {
	m, spec := damaged(t, 3, 3, Config{})
	d := reopen(t, testConfig(m, Fsync))
	if err := d.Delete(spec.ID); err != nil { // a stray
		t.Fatal(err)
	}
	if err := d.Delete(spec.ID); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("deleted twice: %v", err)
	}
	if err := m.Mkdir("precious.deleted-5"); err != nil {
		t.Fatal(err)
	}
	renamed := deletedName(spec.ID, time.UnixMilli(testNow))
	there := func(name string) bool {
		_, err := m.List(name)
		return err == nil
	}
	d.cleanUp()
	if !there(renamed) {
		t.Error("purged at once")
	}
	if err := d.purge(time.UnixMilli(testNow).Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if there(renamed) || !there("precious.deleted-5") {
		t.Errorf("purged %v, a foreign directory kept %v", !there(renamed), there("precious.deleted-5"))
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	m, spec := damaged(t, 3, 3, Config{})
	d := reopen(t, testConfig(m, Fsync))
	for range 2 {
		if err := d.Create(spec); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(valuesOf(t, mustLog(t, d, spec.ID))); got != 3 {
		t.Errorf("%d values", got)
	}
}

// TestIdlePartitionsCostNoFiles: nothing is preallocated before the first write, and at most one step after it.
func TestIdlePartitionsCostNoFiles(t *testing.T) {
	m := disk.NewMemory()
	d := mustOpen(t, testConfig(m, Fsync))
	var specs []Spec
	for n := range 100 {
		specs = append(specs, Spec{ID: testID(n), Name: "t"})
	}
	if err := d.Create(specs...); err != nil {
		t.Fatal(err)
	}
	sizes := func(id ID) (total int64) {
		entries, err := m.List(id.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			total += e.Size
		}
		return total
	}
	if n := sizes(testID(5)); n > 4096 {
		t.Errorf("an empty partition has %d bytes", n)
	}
	l := mustLog(t, d, testID(5))
	mustAppend(t, l, plain(t, "v"))
	if n := sizes(testID(5)); n > 4096+16<<10 {
		t.Errorf("a partition with one record has %d bytes", n)
	}
	if l.Stats().Bytes > 100 {
		t.Errorf("%d bytes are said to be written", l.Stats().Bytes)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := sizes(testID(5)); n > 4096 {
		t.Errorf("after Close %d bytes are left", n)
	}
}

// TestCleanStartScansNothing counts the bytes that are read of log files.
func TestCleanStartScansNothing(t *testing.T) {
	m := disk.NewMemory()
	spec := Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 100_000}}
	d := mustOpen(t, testConfig(m, Replicated))
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		mustAppend(t, mustLog(t, d, spec.ID), plain(t, strings.Repeat("v", 5000)))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	var read atomic.Int64
	fsys := disk.NewFaulty(m, func(o disk.Op) error {
		if o.Kind == disk.OpReadAt && strings.HasSuffix(o.Name, segment.LogSuffix) && o.Name != marksFile {
			read.Add(int64(o.Len))
		}
		return nil
	})
	d = reopen(t, testConfig(fsys, Fsync), spec)
	if l := mustLog(t, d, spec.ID); l.End() != 200 || l.Durable() != 200 {
		t.Errorf("end %d, durable %d", l.End(), l.Durable())
	}
	if n := read.Load(); n > 8192 {
		t.Errorf("%d bytes were read", n)
	}
}

func TestMarksAreCompacted(t *testing.T) {
	m := disk.NewMemory()
	marks, err := openMarks(m, true)
	if err != nil {
		t.Fatal(err)
	}
	most := int64(0)
	for n := range int64(20_000) {
		if err := marks.put(markEntry{testID(int(n % 3)), mark{durable: n}}); err != nil {
			t.Fatal(err)
		}
		most = max(most, marks.mu.size)
	}
	if most > marksStep+1000 {
		t.Errorf("marks.log grew to %d bytes", most)
	}
	if err := errors.Join(marks.sync(), marks.close()); err != nil {
		t.Fatal(err)
	}
	again, err := openMarks(m.Crash(0, nil), false)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		if got, _ := again.get(testID(int(n))); got.durable < 19_997 {
			t.Errorf("partition %d: %+v", n, got)
		}
	}
}

// TestMarksLagByOneCommit: on disk the mark follows within marksDelay when nothing else happens, and with the next commit at the latest.
func TestMarksLagByOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := disk.NewMemory()
		d := mustOpen(t, testConfig(m, Fsync))
		if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, testID(0))
		onDisk := func() int64 {
			marks, _ := decodeMarks(fileBytes(t, m.Crash(0, nil), marksFile))
			return marks[testID(0)].durable
		}
		for n := range int64(5) {
			if err := await(l, mustAppend(t, l, plain(t, "v")).Next); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the pass is over
			if got := onDisk(); got < n {
				t.Errorf("%d records are acked, the mark on disk is %d", n+1, got)
			}
		}
		time.Sleep(2 * marksDelay) // virtual time
		if got := onDisk(); got != 5 {
			t.Errorf("idle: the mark on disk is %d", got)
		}
	})
}

// TestStartThatFailedLeavesNoCleanStop: after an unclean stop the logs stay unclean until they have been loaded. A start that fails before, because a
// port is taken, must not make the next one believe that nothing was lost.
func TestStartThatFailedLeavesNoCleanStop(t *testing.T) {
	m := disk.NewMemory()
	spec := Spec{ID: testID(0), Name: "t"}
	d := mustOpen(t, testConfig(m, Fsync))
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	for range 2 {
		if d = mustOpen(t, testConfig(m, Fsync)); d.CleanStart() {
			t.Fatal("the directory was not closed, nor loaded, and counts as clean")
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d = reopen(t, testConfig(m, Fsync), spec)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d = mustOpen(t, testConfig(m, Fsync)); !d.CleanStart() {
		t.Error("the directory was loaded and closed, and counts as unclean")
	}
}
