package partition

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/log/disk"
)

func TestRollByAge(t *testing.T) {
	now := int64(testNow)
	cfg := testConfig(disk.NewMemory(), Replicated)
	cfg.Now = func() time.Time { return time.UnixMilli(now) }
	d := mustOpen(t, cfg)
	if err := d.Create(Spec{ID: testID(0), Name: "t", Config: Config{SegmentAge: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, testID(0))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {59 * time.Minute, 1}, {time.Minute, 2}, {59 * time.Minute, 2}, {2 * time.Hour, 3}} {
		now += step.after.Milliseconds()
		mustAppend(t, l, build(t, nil, 5, "v")) // the record's own time does not matter
		if n := l.Stats().Segments; n != step.want {
			t.Errorf("%v later: %d segments, want %d", step.after, n, step.want)
		}
	}
}

// TestRetentionByTime: by the records' own time (M13), but for those from the future; only where the policy contains delete.
func TestRetentionByTime(t *testing.T) {
	hour := time.Hour.Milliseconds()
	for _, c := range []struct {
		name  string
		cfg   Config
		times []int64 // hours before now, one segment each
		start int64
	}{
		{"old records written today go", Config{RetentionAge: 2 * time.Hour}, []int64{9, 8, 7, 1}, 3},
		{"the first one that is new keeps what follows", Config{RetentionAge: 2 * time.Hour}, []int64{9, 1, 9, 1}, 1},
		{"all may go", Config{RetentionAge: 2 * time.Hour}, []int64{9, 8, 7, 6}, 4},
		{"the future drops nothing and keeps nothing", Config{RetentionAge: 2 * time.Hour, TimestampAfterMax: -1}, []int64{9, -9000, 1, 1}, 1},
		{"compacted", Config{RetentionAge: 2 * time.Hour, Compact: true}, []int64{9, 8, 7, 6}, 0},
		{"compacted and deleted", Config{RetentionAge: 2 * time.Hour, Compact: true, Delete: true}, []int64{9, 8, 7, 1}, 3},
		{"no limit", Config{RetentionAge: -1}, []int64{9, 8, 7, 6}, 0},
	} {
		c.cfg.SegmentBytes = 150
		l := newLog(t, Fsync, c.cfg)
		for _, h := range c.times {
			mustAppend(t, l, build(t, nil, testNow-h*hour, strings.Repeat("v", 60)))
		}
		if err := await(l, l.End()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.retain(time.UnixMilli(testNow)), flushNow(l), l.removeSegments()); err != nil {
			t.Fatal(err)
		}
		if l.Start() != c.start || l.End() != 4 {
			t.Errorf("%s: [%d, %d), want start %d", c.name, l.Start(), l.End(), c.start)
		}
		if got := len(valuesOf(t, l)); got != int(4-c.start) {
			t.Errorf("%s: %d values", c.name, got)
		}
		if n := l.Stats().Segments; n != int(max(1, 4-c.start)) {
			t.Errorf("%s: %d segments", c.name, n)
		}
	}
}

func TestRetentionBySize(t *testing.T) {
	l := newLog(t, Fsync, Config{SegmentBytes: 150, RetentionBytes: 300})
	var size int64
	for range 8 {
		b := plain(t, strings.Repeat("v", 60))
		size = int64(len(b))
		mustAppend(t, l, b)
	}
	if err := errors.Join(await(l, l.End()), l.retain(time.UnixMilli(testNow))); err != nil {
		t.Fatal(err)
	}
	if want := 8 - (300+size-1)/size; l.Start() != want {
		t.Errorf("start %d, want %d", l.Start(), want)
	}
}

func TestDeleteBefore(t *testing.T) {
	l := newLog(t, Fsync, Config{SegmentBytes: 300})
	for range 6 {
		mustAppend(t, l, plain(t, strings.Repeat("v", 60)))
	}
	if err := await(l, 6); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ offset, want int64 }{{3, 3}, {2, 3}, {-1, 6}} {
		if start, err := l.DeleteBefore(c.offset); err != nil || start != c.want || l.Start() != c.want {
			t.Errorf("before %d: %d, %v", c.offset, start, err)
		}
	}
	for _, offset := range []int64{7, -2} {
		if _, err := l.DeleteBefore(offset); !isRange(err) {
			t.Errorf("before %d: %v", offset, err)
		}
	}
	if a := mustAppend(t, l, plain(t, "v")); a.Base != 6 || a.Start != 6 {
		t.Errorf("%+v", a)
	}
}

// TestRetentionOfTheFuture: a record from the future counts by when it was appended.
func TestRetentionOfTheFuture(t *testing.T) {
	l := newLog(t, Fsync, Config{SegmentBytes: 150, RetentionAge: 2 * time.Hour, TimestampAfterMax: -1})
	for _, ms := range []int64{testNow + 9000*time.Hour.Milliseconds(), testNow, testNow} {
		mustAppend(t, l, build(t, nil, ms, strings.Repeat("v", 60)))
	}
	if err := await(l, 3); err != nil {
		t.Fatal(err)
	}
	for hours, want := range []int64{0, 0, 0, 3} {
		if err := l.retain(time.UnixMilli(testNow).Add(time.Duration(hours) * time.Hour)); err != nil || l.Start() != want {
			t.Errorf("%d hours later: start %d, want %d, %v", hours, l.Start(), want, err)
		}
	}
}
