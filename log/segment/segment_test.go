package segment

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

func testConfig(fsys disk.FS) Config {
	return Config{FS: fsys, Dir: "p", Cache: NewCache(4), IndexInterval: 300, Step: 8 << 10, MaxBytes: 1 << 20}
}

// batchAt builds a batch of one record of some size.
func batchAt(t testing.TB, offset int64, epoch int32, ms int64, size int) ([]byte, Header) {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{BaseOffset: offset, LeaderEpoch: epoch})
	b.Add(ms, nil, []byte(strings.Repeat("v", size)))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHeader(batch)
	if err != nil {
		t.Fatal(err)
	}
	return batch, h
}

func filled(t testing.TB, cfg Config, base int64, times ...int64) *Segment {
	t.Helper()
	if err := cfg.FS.Mkdir(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	s, err := Create(cfg, base)
	if err != nil {
		t.Fatal(err)
	}
	for i, ms := range times {
		b, h := batchAt(t, base+int64(i), 0, ms, 100)
		if err := s.Append(b, h); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func fileHex(t *testing.T, s *Segment, suffix string) string {
	t.Helper()
	b, found, err := s.readFile(suffix)
	if err != nil || !found {
		t.Fatalf("%s: found %v, %v", suffix, found, err)
	}
	return hex.EncodeToString(b)
}

// TestIndexBytes prints both indexes against the drawings in format.go. A batch has 170 bytes: with an interval of 300 each third one, the first
// excepted, is indexed.
func TestIndexBytes(t *testing.T) {
	s := filled(t, testConfig(disk.NewMemory()), 1000, 5, 9, 7, 8, 0x0102, 8, 3, 0x0203)
	s.Seal()
	if err := errors.Join(s.Trim(), s.Sync(), s.WriteIndexes(true)); err != nil {
		t.Fatal(err)
	}
	size := s.Size() / 8
	want := fmt.Sprintf("00000002%08x"+"00000004%08x"+"00000006%08x", 2*size, 4*size, 6*size)
	if got := fileHex(t, s, IndexSuffix); got != want {
		t.Errorf("index is\n%s, want\n%s", got, want)
	}
	want = "0000000000000009" + "00000001" + "0000000000000102" + "00000004" + "0000000000000203" + "00000007"
	if got := fileHex(t, s, TimeSuffix); got != want {
		t.Errorf("time index is\n%s, want\n%s", got, want)
	}
}

func TestFileIsPreallocatedInStepsAndTrimmed(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m)
	cfg.MaxBytes = 40 << 10
	s := filled(t, cfg, 0)
	length := func() int64 {
		entries, err := m.List("p")
		if err != nil {
			t.Fatal(err)
		}
		return entries[0].Size
	}
	if length() != 0 {
		t.Errorf("an empty segment has %d bytes", length())
	}
	lengths := []int64{}
	for n := range int64(200) {
		b, h := batchAt(t, n, 0, 1, 100)
		if err := s.Append(b, h); err != nil {
			t.Fatal(err)
		}
		if l := length(); len(lengths) == 0 || l != lengths[len(lengths)-1] {
			lengths = append(lengths, l)
		}
	}
	if !slices.Equal(lengths, []int64{8 << 10, 24 << 10, 40 << 10}) {
		t.Errorf("lengths %v", lengths)
	}
	if err := s.Trim(); err != nil || length() != s.Size() {
		t.Errorf("trimmed to %d of %d, %v", length(), s.Size(), err)
	}
}

// TestEveryKindOfSegmentIsReadAlike: active, sealed, settled, opened again with and without indexes.
func TestEveryKindOfSegmentIsReadAlike(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m)
	times := make([]int64, 40)
	for i := range times {
		times[i] = int64(i * 7 % 50)
	}
	s := filled(t, cfg, 100, times...)
	size, next := s.Size(), s.Next()
	check := func(kind string, s *Segment) {
		t.Helper()
		for i := range int64(40) {
			at, h, err := s.Find(100 + i)
			if err != nil || h.Base != 100+i || at != i*size/40 {
				t.Fatalf("%s: offset %d found at %d, %+v, %v", kind, 100+i, at, h, err)
			}
			r, err := s.Read(100+i, next, int(2*size/40), false, Mark{Offset: -1})
			if want := min(2*size/40, size-at); err != nil || int64(r.Size()) != want {
				t.Fatalf("%s: read at %d: %d bytes, %v", kind, 100+i, r.Size(), err)
			}
			r.Release()
		}
		if _, _, err := s.Find(140); err != io.EOF {
			t.Errorf("%s: the end: %v", kind, err)
		}
		for ms := range int64(52) {
			want := slices.IndexFunc(times, func(v int64) bool { return v >= ms })
			_, h, err := s.FindTime(ms, 0, 1000)
			if want < 0 != (err == io.EOF) || want >= 0 && h.Base != 100+int64(want) {
				t.Fatalf("%s: time %d: %+v, %v, want %d", kind, ms, h, err, want)
			}
		}
		if n, err := s.Newest(); err != nil || n != (Newest{49, 107}) {
			t.Errorf("%s: newest %+v, %v", kind, n, err)
		}
	}
	check("active", s)
	s.Seal()
	check("sealed", s)
	if err := errors.Join(s.Trim(), s.Sync(), s.WriteIndexes(true)); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	check("settled", s)
	s.Close()
	check("opened", OpenSealed(cfg, 100, size, next))
	active, err := OpenActive(cfg, 100, size, next)
	if err != nil {
		t.Fatal(err)
	}
	check("opened to append", active)
	for _, suffix := range []string{IndexSuffix, TimeSuffix} {
		if err := m.Remove(s.path(suffix)); err != nil {
			t.Fatal(err)
		}
		check("without "+suffix, OpenSealed(cfg, 100, size, next))
	}
}

// TestWrongIndexIsNoError: entries that look right and are not.
func TestWrongIndexIsNoError(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m)
	s := filled(t, cfg, 0, make([]int64, 40)...)
	size, next := s.Size(), s.Next()
	s.Seal()
	if err := errors.Join(s.Trim(), s.Sync(), s.WriteIndexes(true)); err != nil {
		t.Fatal(err)
	}
	if err := disk.FlipBit(m, s.path(IndexSuffix), 8*5+7, 3); err != nil { // a position in the middle
		t.Fatal(err)
	}
	s = OpenSealed(cfg, 0, size, next)
	for i := range int64(40) {
		if _, h, err := s.Find(i); err != nil || h.Base != i {
			t.Errorf("offset %d: %+v, %v", i, h, err)
		}
	}
}

func TestCacheIsBoundedAndCounted(t *testing.T) {
	m := disk.NewMemory()
	cfg := testConfig(m)
	var all []*Segment
	for n := range int64(10) {
		s := filled(t, cfg, n*10, 1, 2)
		size, next := s.Size(), s.Next()
		s.Close()
		all = append(all, OpenSealed(cfg, n*10, size, next))
	}
	var held []Region
	for n, s := range all {
		r, err := s.Read(int64(n*10), 1000, 1000, true, Mark{Offset: -1})
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, r)
		if cfg.Cache.Len() > 4 {
			t.Errorf("%d files are open", cfg.Cache.Len())
		}
	}
	for n, r := range held {
		if err := all[n].Remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(make([]byte, r.Size()), 0); err != nil {
			t.Errorf("region %d after the removal: %v", n, err)
		}
		r.Release()
	}
	if cfg.Cache.Len() != 0 {
		t.Errorf("%d files are left open", cfg.Cache.Len())
	}
}

func TestRecoverStopsAtOldEpochsAndOffsets(t *testing.T) {
	for _, c := range []struct {
		name   string
		offset int64
		epoch  int32
		next   int64
	}{{"next", 3, 2, 4}, {"same offset again", 2, 2, 3}, {"a hole", 4, 2, 3}, {"older epoch", 3, 1, 3}, {"newer epoch", 3, 5, 4}} {
		m := disk.NewMemory()
		cfg := testConfig(m)
		s := filled(t, cfg, 0)
		for n := range int64(3) {
			b, h := batchAt(t, n, 2, 1, 50)
			if err := s.Append(b, h); err != nil {
				t.Fatal(err)
			}
		}
		b, h := batchAt(t, c.offset, c.epoch, 1, 50)
		h.Base = 3
		if err := s.Append(b, h); err != nil {
			t.Fatal(err)
		}
		s.Close()
		_, r, err := OpenRecovered(cfg, 0, Mark{}, -1, func(Header) {})
		if err != nil || r.Next != c.next || (r.Cut > 0) != (c.next == 3) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(appendIndex(nil, []IndexEntry{{5, 100}, {9, 300}}), appendTimes(nil, []TimeEntry{{7, 5}, {8, 9}}), int64(1000))
	f.Add([]byte{0, 0, 0}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, int64(10))
	f.Fuzz(func(t *testing.T, offsets, times []byte, size int64) {
		entries, whole := decodeIndex(offsets, size)
		for i, e := range entries {
			if int64(e.Position) >= size || i > 0 && (e.Offset <= entries[i-1].Offset || e.Position <= entries[i-1].Position) {
				t.Fatalf("entry %d of %v", i, entries)
			}
		}
		if again := appendIndex(nil, entries); whole && string(again) != string(offsets) {
			t.Errorf("%x becomes %x", offsets, again)
		}
		x := indexes{offsets: entries}
		x.before(10, size)
		x.boundary(size)
		newer, whole := decodeTimes(times, size)
		for i, e := range newer {
			if int64(e.Offset) >= size || i > 0 && e.Timestamp <= newer[i-1].Timestamp {
				t.Fatalf("entry %d of %v", i, newer)
			}
		}
		if again := appendTimes(nil, newer); whole && string(again) != string(times) {
			t.Errorf("%x becomes %x", times, again)
		}
	})
}

// FuzzRecover opens any bytes as a segment: it finds whole batches or an error, and what it finds can be read.
func FuzzRecover(f *testing.F) {
	one, _ := batchAt(f, 0, 1, 5, 30)
	two, _ := batchAt(f, 1, 1, 6, 30)
	f.Add(append(append(append([]byte{}, one...), two...), make([]byte, 100)...), int64(0), int64(0))
	f.Add(append(append([]byte{}, one...), two[:70]...), int64(1), int64(len(one)))
	f.Fuzz(func(t *testing.T, b []byte, offset, position int64) {
		if offset < 0 || position < 0 {
			return
		}
		cfg := testConfig(disk.NewMemory())
		s := filled(t, cfg, 0)
		if _, err := s.own.Load().file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s, r, err := OpenRecovered(cfg, 0, Mark{offset, position}, -1, func(Header) {})
		if err != nil {
			return
		}
		n := int64(0)
		err = s.Scan(0, func(_ int64, h Header) error {
			n += h.Size
			return nil
		})
		if err != nil || n != r.Size || r.Size < position {
			t.Errorf("%+v: %d bytes of batches, %v", r, n, err)
		}
		s.Close()
	})
}

func FuzzHeader(f *testing.F) {
	b, _ := batchAt(f, 7, 1, 5, 30)
	f.Add([]byte(b))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err == nil && (h.Size < record.HeaderBytes || h.Base < 0 || h.Next() <= h.Base) {
			t.Errorf("%+v", h)
		}
	})
}

func TestWhatDoesNotFit(t *testing.T) {
	s := filled(t, testConfig(disk.NewMemory()), 10, 1)
	if !s.Fits(10+1<<31-1) || s.Fits(10+1<<31) {
		t.Error("relative offsets have 31 bits")
	}
	if s.IndexFull() {
		t.Error("the index is not full")
	}
	v := *s.view.Load()
	v.offsets = make([]IndexEntry, maxIndexEntries-1)
	s.view.Store(&v)
	if !s.IndexFull() {
		t.Error("the index is full")
	}
}
