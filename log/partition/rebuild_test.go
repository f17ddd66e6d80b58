package partition

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/segment"
)

// TestIndexesAreRebuilt: missing, torn and wrong ones are never an error, after either kind of stop.
func TestIndexesAreRebuilt(t *testing.T) {
	spoil := map[string]func(fsys disk.FS, name string){
		"missing": func(fsys disk.FS, name string) { _ = fsys.Remove(name) },
		"short":   func(fsys disk.FS, name string) { truncate(t, fsys, name, 5) },
		"wrong": func(fsys disk.FS, name string) {
			if len(fileBytes(t, fsys, name)) > 7 {
				if err := disk.FlipBit(fsys, name, 7, 2); err != nil {
					t.Error(err)
				}
			}
		},
	}
	for how, fn := range spoil {
		for _, clean := range []bool{true, false} {
			m, spec := damaged(t, 20, 19, Config{SegmentBytes: 2500, IndexIntervalBytes: 300})
			d := reopen(t, testConfig(m, Fsync), spec)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if !clean {
				if err := m.Remove(cleanFile); err != nil {
					t.Fatal(err)
				}
			}
			entries, err := m.List(spec.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			spoiled := 0
			for _, e := range entries {
				if strings.HasSuffix(e.Name, "index") {
					fn(m, spec.ID.String()+"/"+e.Name)
					spoiled++
				}
			}
			if spoiled < 4 {
				t.Fatalf("%d index files", spoiled)
			}
			l := mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
			if got := valuesOf(t, l); len(got) != 20 {
				t.Errorf("%s, clean %v: %d values", how, clean, len(got))
			}
			for offset := range int64(20) {
				r, err := l.Read(offset, 20, 1, true)
				if err != nil || r.Size() == 0 {
					t.Errorf("%s, clean %v: read at %d: %v", how, clean, offset, err)
				}
				r.Release()
			}
			if at, found, err := l.OffsetForTime(testNow, 20); err != nil || !found || at.Offset != 0 {
				t.Errorf("%s, clean %v: by time: %+v %v %v", how, clean, at, found, err)
			}
		}
	}
}

// TestProducersSurviveLostSnapshots: after either stop, whatever became of the snapshot files.
func TestProducersSurviveLostSnapshots(t *testing.T) {
	for _, how := range []string{"kept", "removed", "flipped"} {
		for _, clean := range []bool{true, false} {
			m := disk.NewMemory()
			spec := Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 600}}
			d := mustOpen(t, testConfig(m, Fsync))
			if err := d.Create(spec); err != nil {
				t.Fatal(err)
			}
			l := mustLog(t, d, spec.ID)
			for n := range int32(12) {
				a := mustAppend(t, l, idempotent(t, 5, 2, n, strings.Repeat("z", 100)))
				if err := await(l, a.Next); err != nil {
					t.Fatal(err)
				}
			}
			if clean {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
			d.Kill()
			spoilSnapshots(t, m, spec, how)
			l = mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
			a, err := l.Append(AppendRequest{Batch: idempotent(t, 5, 2, 9, strings.Repeat("z", 100))})
			if err != nil || !a.Duplicate || a.Base != 9 {
				t.Errorf("%s, clean %v: batch sent again: %+v, %v", how, clean, a, err)
			}
			if _, err := l.Append(AppendRequest{Batch: idempotent(t, 5, 1, 0, "x")}); !errors.Is(err, ErrProducerFenced) {
				t.Errorf("%s, clean %v: old epoch: %v", how, clean, err)
			}
		}
	}
}

func spoilSnapshots(t *testing.T, m *disk.Memory, spec Spec, how string) {
	t.Helper()
	c, err := (&Directory{cfg: DirectoryConfig{FS: m}}).list(spec.ID.String())
	if err != nil || len(c.snapshots) == 0 {
		t.Fatalf("%d snapshots, %v", len(c.snapshots), err)
	}
	for _, offset := range c.snapshots {
		name := spec.ID.String() + "/" + segment.FileName(offset, snapshotSuffix)
		switch how {
		case "removed":
			err = m.Remove(name)
		case "flipped":
			err = disk.FlipBit(m, name, 20, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeaderEpochCheckpointIsRebuilt(t *testing.T) {
	for _, clean := range []bool{true, false} {
		m := disk.NewMemory()
		spec := Spec{ID: testID(0), Name: "t"}
		d := mustOpen(t, testConfig(m, Fsync))
		if err := d.Create(spec); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, spec.ID)
		for epoch := range int32(4) {
			if err := l.StartEpoch(epoch * 2); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, plain(t, "a"))
			if err := await(l, mustAppend(t, l, plain(t, "b")).Next); err != nil {
				t.Fatal(err)
			}
		}
		want := *l.epochs.Load()
		if clean {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
		d.Kill()
		truncate(t, m, spec.ID.String()+"/"+epochFile, 9)
		l = mustLog(t, reopen(t, testConfig(m, Fsync), spec), spec.ID)
		if got := *l.epochs.Load(); !slices.Equal(got, want) {
			t.Errorf("clean %v: %v, want %v", clean, got, want)
		}
	}
}
