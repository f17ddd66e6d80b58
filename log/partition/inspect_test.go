package partition

import (
	"testing"
	"time"

	"github.com/millrace/millrace/log/disk"
)

// An inspector sees what a killed node left and what a clean stop adds, and changes neither.
func TestInspect(t *testing.T) {
	memory := disk.NewMemory()
	if i, err := Inspect(memory); err != nil || i.Identified || i.Clean || len(i.Marks) != 0 {
		t.Fatalf("an empty directory: %+v, %v", i, err)
	}
	cfg := testConfig(memory, Fsync)
	spec := Spec{ID: testID(0), Name: "orders"}
	d, err := OpenDirectory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Create(spec); err != nil {
		t.Fatal(err)
	}
	l, err := d.Log(spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int32(3) {
		if _, err := l.Append(AppendRequest{Batch: idempotent(t, 1, 0, n, "v")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(memory)
	mark := i.Marks[spec.ID.String()]
	if err != nil || !i.Identified || !i.Clean || mark.Durable != 3 {
		t.Errorf("after a clean stop: %+v, %v", i, err)
	}
	if !mark.Covers(mark.Segment, mark.Position-1) || mark.Covers(mark.Segment, mark.Position) || mark.Covers(mark.Segment+1, 0) {
		t.Errorf("%+v does not end at its position", mark)
	}
	if name := TopicName(memory, spec.ID.String()); name != "orders" {
		t.Errorf("the topic is %q", name)
	}
	if d, err = OpenDirectory(cfg); err != nil || !d.CleanStart() {
		t.Fatalf("inspecting changed something: clean start %t, %v", d.CleanStart(), err)
	}
	d.Kill()
	if i, err := Inspect(memory); err != nil || i.Clean || i.Marks[spec.ID.String()] != mark {
		t.Errorf("after a kill: %+v, %v", i, err)
	}
	if deleted := deletedName(spec.ID, time.UnixMilli(testNow)); !IsDeleted(deleted) || IsDeleted(spec.ID.String()) {
		t.Errorf("%s is a deleted directory, %s is none", deleted, spec.ID)
	}
}
