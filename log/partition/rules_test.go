package partition

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

func tryAppend(l *Log, b record.Batch) (Appended, error) {
	return l.Append(AppendRequest{Batch: b, LeaderEpoch: max(l.Epoch(), 0)})
}

func TestTransactionsAndControlBatchesAreRefused(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	mk := func(cfg record.BuilderConfig) record.Batch {
		cfg.Producer = &record.Producer{ID: 1}
		b := record.NewBuilder(cfg)
		b.Add(testNow, []byte("k"), []byte("v"))
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return batch
	}
	if _, err := tryAppend(l, mk(record.BuilderConfig{Transactional: true})); !errors.Is(err, ErrTransactional) {
		t.Errorf("transactional: %v", err)
	}
	_, err := tryAppend(l, mk(record.BuilderConfig{Control: true, Transactional: true}))
	if bad, ok := errors.AsType[*record.InvalidError](err); !ok || bad.Kind != record.Invalid {
		t.Errorf("control: %v", err)
	}
	if l.End() != 0 || l.Stats().Producers != 0 {
		t.Error("something was changed")
	}
}

func TestAppendChecks(t *testing.T) {
	l := newLog(t, Replicated, Config{MaxMessageBytes: 300, SegmentBytes: 400, Compact: true})
	flipped := plain(t, "v")
	flipped[len(flipped)-2] ^= 1
	b := record.NewBuilder(record.BuilderConfig{Codec: record.LZ4})
	b.Add(testNow, nil, []byte("v"))
	noKey, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	_, err = tryAppend(l, flipped)
	if bad, ok := errors.AsType[*record.InvalidError](err); !ok || bad.Kind != record.Corrupt {
		t.Errorf("flipped bit: %v", err)
	}
	_, err = tryAppend(l, noKey)
	if bad, ok := errors.AsType[*record.InvalidError](err); !ok || bad.Kind != record.Invalid {
		t.Errorf("no key in a compacted topic: %v", err)
	}
	if _, err := tryAppend(l, plain(t, strings.Repeat("x", 300))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := l.Append(AppendRequest{Batch: plain(t, strings.Repeat("x", 400)), Origin: FromCoordinator}); !errors.Is(err, ErrTooLargeForSegment) {
		t.Errorf("too large for a segment: %v", err)
	}
	mustAppend(t, l, plain(t, "v"))
	if err := l.StartEpoch(5); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(AppendRequest{Batch: plain(t, "v"), LeaderEpoch: 4}); !errors.Is(err, ErrStaleEpoch) {
		t.Errorf("old leader epoch: %v", err)
	}
	if l.End() != 1 {
		t.Errorf("end %d", l.End())
	}
}

func TestTimestamps(t *testing.T) {
	l := newLog(t, Replicated, Config{TimestampBeforeMax: time.Minute})
	for ms, want := range map[int64]error{
		testNow: nil, testNow + time.Hour.Milliseconds(): nil, testNow + time.Hour.Milliseconds() + 1: ErrTimestamp,
		testNow - time.Minute.Milliseconds(): nil, testNow - time.Minute.Milliseconds() - 1: ErrTimestamp,
	} {
		if _, err := tryAppend(l, build(t, nil, ms, "v")); !errors.Is(err, want) {
			t.Errorf("%d ms from now: %v, want %v", ms-testNow, err, want)
		}
	}
	l = newLog(t, Replicated, Config{LogAppendTime: true})
	a := mustAppend(t, l, build(t, nil, 5, "v", "w"))
	if a.Time != testNow {
		t.Errorf("append time %d", a.Time)
	}
	batches, err := readAllBatches(l, l.End()) // checks the CRC
	if err != nil || !batches[0].LogAppendTime() || batches[0].MaxTimestamp() != testNow {
		t.Errorf("%v, %v", batches, err)
	}
	if b := mustAppend(t, newLog(t, Replicated, Config{}), plain(t, "v")); b.Time != -1 {
		t.Errorf("with create time the append time is %d", b.Time)
	}
}

// TestBatchIsNotKept: the caller reuses the buffer at once (M23).
func TestBatchIsNotKept(t *testing.T) {
	l := newLog(t, Fsync, Config{})
	b := plain(t, "precious")
	a := mustAppend(t, l, b)
	for i := range b {
		b[i] = 0xff
	}
	if err := await(l, a.Next); err != nil {
		t.Fatal(err)
	}
	if got := valuesOf(t, l); got[0] != "precious" {
		t.Errorf("got %q", got)
	}
}

func TestReadLimits(t *testing.T) {
	l := newLog(t, Replicated, Config{SegmentBytes: 2000, IndexIntervalBytes: 1})
	var sizes []int64
	for range 20 {
		b := plain(t, strings.Repeat("v", 100), "w")
		sizes = append(sizes, int64(len(b)))
		mustAppend(t, l, b)
	}
	size := int(sizes[0])
	for _, c := range []struct {
		offset, limit int64
		max           int
		one           bool
		want          int // batches
	}{
		{0, 40, 1 << 20, false, 2000 / size}, // one segment
		{0, 40, size, false, 1},
		{1, 40, size, false, 1}, // the batch that contains the offset
		{0, 40, size - 1, false, 0},
		{0, 40, size - 1, true, 1},
		{0, 40, 3*size + 5, false, 3},
		{0, 3, 1 << 20, true, 1}, // none that ends beyond the limit
		{0, 1, 1 << 20, true, 0},
		{40, 40, 1 << 20, true, 0},
		{38, 100, 1 << 20, true, 1},
		{5, 5, 1 << 20, true, 0},
	} {
		r, err := l.Read(c.offset, c.limit, c.max, c.one)
		if err != nil || r.Size() != c.want*size {
			t.Errorf("%+v: %d bytes, %v", c, r.Size(), err)
		}
		if r.Size() > 0 {
			b := make([]byte, 61)
			if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
				t.Error(err)
			}
			if base := record.Batch(b).BaseOffset(); base != c.offset&^1 {
				t.Errorf("%+v begins with %d", c, base)
			}
		}
		r.Release()
	}
	for _, offset := range []int64{-1, 41} {
		if _, err := l.Read(offset, 100, 1, true); !isRange(err) {
			t.Errorf("read at %d: %v", offset, err)
		}
	}
}

func isRange(err error) bool {
	_, ok := errors.AsType[*RangeError](err)
	return ok
}

func TestRegionOutlivesDeletion(t *testing.T) {
	fsys, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(fsys, Replicated)
	cfg.OpenFiles = 1
	d := mustOpen(t, cfg)
	if err := d.Create(Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 200}}); err != nil {
		t.Fatal(err)
	}
	l := mustLog(t, d, testID(0))
	for range 6 {
		mustAppend(t, l, plain(t, strings.Repeat("v", 50)))
	}
	if err := flushNow(l); err != nil {
		t.Fatal(err)
	}
	var regions []Region
	for n := range int64(6) {
		r, err := l.Read(n, 6, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := r.File(); !ok {
			t.Error("no descriptor on the real disk")
		}
		regions = append(regions, r)
	}
	if n := d.Stats().OpenFiles; n != 1 {
		t.Errorf("%d files in the cache", n)
	}
	if _, err := l.DeleteBefore(4); err != nil {
		t.Fatal(err)
	}
	if err := l.removeSegments(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(1, 6, 1000, true); !isRange(err) {
		t.Errorf("below the start: %v", err)
	}
	if err := d.Delete(testID(0)); err != nil {
		t.Fatal(err)
	}
	if err := d.purge(time.UnixMilli(testNow).Add(2 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	for n, r := range regions {
		b := make([]byte, r.Size())
		f, at, _ := r.File()
		if _, err := f.ReadAt(b, at); err != nil {
			t.Errorf("region %d: %v", n, err)
		}
		if err := record.Batch(b).CheckStored(); err != nil {
			t.Errorf("region %d: %v", n, err)
		}
		r.Release()
	}
	if _, err := l.Append(AppendRequest{Batch: plain(t, "x")}); !errors.Is(err, ErrDeleted) {
		t.Errorf("append: %v", err)
	}
	if _, err := l.Read(4, 6, 1000, true); !errors.Is(err, ErrDeleted) {
		t.Errorf("read: %v", err)
	}
	if _, err := d.Log(testID(0)); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("log: %v", err)
	}
}

func TestOffsetForTime(t *testing.T) {
	l := newLog(t, Replicated, Config{SegmentBytes: 600, IndexIntervalBytes: 100})
	times := []int64{10, 30, 20, 50, 50, 40, 70, 60, 80}
	for _, ms := range times {
		b := record.NewBuilder(record.BuilderConfig{})
		b.Add(testNow+ms-1, []byte("k"), []byte(strings.Repeat("v", 60)))
		b.Add(testNow+ms, []byte("k"), []byte("w"))
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, batch)
	}
	for limit := range l.End() + 1 {
		for ms := int64(0); ms < 90; ms++ {
			want := int64(-1)
			for i := range limit {
				if times[i/2]-1+i%2 >= ms {
					want = i
					break
				}
			}
			got, found, err := l.OffsetForTime(testNow+ms, limit)
			if err != nil || found != (want >= 0) || found && (got.Offset != want || got.Timestamp != testNow+times[want/2]-1+want%2) {
				t.Fatalf("time %d below %d: %+v %v %v, want %d", ms, limit, got, found, err, want)
			}
		}
		best := int64(-1)
		for i := range limit &^ 1 {
			if best < 0 || times[i/2]-1+i%2 > times[best/2]-1+best%2 {
				best = i
			}
		}
		got, found, err := l.MaxTimestamp(limit)
		if err != nil || found != (best >= 0) || found && got.Offset != best {
			t.Fatalf("newest below %d: %+v %v %v, want %d", limit, got, found, err, best)
		}
	}
}

func TestEpochs(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	if e, end := l.EpochEnd(0); e != -1 || end != -1 {
		t.Errorf("empty log: %d %d", e, end)
	}
	for _, epoch := range []int32{1, 4, 4, 6} {
		if err := l.StartEpoch(epoch); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, plain(t, "a"))
	}
	for _, c := range []struct {
		ask, epoch int32
		end        int64
	}{{0, 0, 0}, {1, 1, 1}, {3, 1, 1}, {4, 4, 3}, {5, 4, 3}, {6, 6, 4}, {7, -1, -1}, {-1, -1, -1}} {
		if e, end := l.EpochEnd(c.ask); e != c.epoch || end != c.end {
			t.Errorf("epoch %d: %d %d, want %d %d", c.ask, e, end, c.epoch, c.end)
		}
	}
	for offset, want := range []int32{1, 4, 4, 6} {
		if got := l.EpochAt(int64(offset)); got != want {
			t.Errorf("epoch at %d: %d, want %d", offset, got, want)
		}
	}
	if err := l.StartEpoch(5); !errors.Is(err, ErrStaleEpoch) {
		t.Errorf("old epoch: %v", err)
	}
	batches, err := readAllBatches(l, l.End())
	if err != nil || batches[2].LeaderEpoch() != 4 || batches[3].LeaderEpoch() != 6 {
		t.Errorf("epochs in the batches: %v", err)
	}
}

func TestFromLeaderKeepsOffsets(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	b := idempotent(t, 1, 0, 7, "a", "b")
	b.SetBaseOffset(10)
	b.SetLeaderEpoch(3)
	if a, err := l.Append(AppendRequest{Batch: b, Origin: FromLeader}); err != nil || a.Base != 10 || a.Next != 12 {
		t.Fatalf("%+v, %v", a, err)
	}
	if l.Epoch() != 3 || l.Stats().Producers != 1 {
		t.Errorf("epoch %d, %d producers", l.Epoch(), l.Stats().Producers)
	}
	b.SetBaseOffset(13)
	if _, err := l.Append(AppendRequest{Batch: b, Origin: FromLeader}); !errors.Is(err, ErrUnexpectedOffset) {
		t.Errorf("not at the end: %v", err)
	}
	if got := valuesOf(t, l); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}
