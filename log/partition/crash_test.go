package partition

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// history is what one run of the script did, as its clients saw it.
type history struct {
	logs map[ID]*partitionHistory
}

type partitionHistory struct {
	batches          []string // payloads in offset order, as appended; one record each, so the index is the offset
	acked            int64    // all below was acked (mode Fsync), or flushed (mode Replicated)
	maybe            string   // payload of an append that failed: it may be there or not
	start            int64    // moved durably
	maybeStart       int64    // asked for
	created, deleted bool
	maybeDeleted     bool
}

func payload(b record.Batch) string { return string(b[21:]) }

var errScript = errors.New("the script stops")

// script is a run over everything that writes. It returns at the first error.
type script struct {
	t    *testing.T
	cfg  DirectoryConfig
	h    *history
	d    *Directory
	spec []Spec
	seq  map[ID]int32
	n    int
}

func crashSpecs() []Spec {
	cfg := Config{SegmentBytes: 700, IndexIntervalBytes: 100, RetentionAge: -1}
	return []Spec{{ID: testID(0), Name: "plain", Config: cfg}, {ID: testID(1), Name: "idempotent", Config: cfg}, {ID: testID(2), Name: "deleted", Config: cfg}}
}

func (s *script) must(err error) {
	if err != nil {
		panic(fmt.Errorf("%w: %w", errScript, err))
	}
}

func (s *script) open() {
	d, err := OpenDirectory(s.cfg)
	s.must(err)
	s.d = d
}

func (s *script) log(i int) *Log {
	l, err := s.d.Log(testID(i))
	s.must(err)
	return l
}

// append appends one batch of one record to partition i; if ack, it waits for it.
func (s *script) append(i int, ack bool) {
	id, l := testID(i), s.log(i)
	h := s.h.logs[id]
	s.n++
	value := fmt.Sprintf("%d-%s", s.n, strings.Repeat("x", s.n*37%90))
	var b record.Batch
	if i == 1 {
		b = idempotent(s.t, 77, 0, s.seq[id], value)
		s.seq[id]++
	} else {
		b = plain(s.t, value)
	}
	h.maybe = payload(b)
	a, err := l.Append(AppendRequest{Batch: b, LeaderEpoch: max(l.Epoch(), 0)})
	s.must(err)
	if a.Base != int64(len(h.batches)) {
		s.t.Errorf("batch got offset %d, want %d", a.Base, len(h.batches))
	}
	h.batches, h.maybe = append(h.batches, h.maybe), ""
	if !ack {
		return
	}
	if s.cfg.Durability == Replicated {
		s.must(flushNow(l))
	}
	s.must(await(l, a.Next))
	h.acked = a.Next
}

func (s *script) deleteBefore(i int, offset int64) {
	h := s.h.logs[testID(i)]
	h.maybeStart = offset
	start, err := s.log(i).DeleteBefore(offset)
	s.must(err)
	h.start = start
	s.must(s.log(i).removeSegments())
}

func (s *script) retain(i int, bytes int64) {
	h, l := s.h.logs[testID(i)], s.log(i)
	cfg := *l.config.Load()
	cfg.RetentionBytes = bytes
	l.SetConfig(cfg)
	wanted, _, err := l.expired(l.config.Load(), testNow)
	s.must(err)
	h.maybeStart = max(h.start, wanted)
	s.must(l.retain(time.UnixMilli(testNow)))
	h.start = l.Start()
}

func (s *script) delete(i int) {
	h := s.h.logs[testID(i)]
	h.maybeDeleted = true
	s.must(s.d.Delete(testID(i)))
	h.deleted = true
}

func (s *script) load(specs ...Spec) {
	s.must(s.d.Load(specs...))
	for _, spec := range specs {
		_, err := s.d.Log(spec.ID)
		s.must(err)
	}
}

func (s *script) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			if err, _ = r.(error); !errors.Is(err, errScript) {
				panic(r)
			}
		}
		if s.d != nil {
			s.d.Kill()
		}
	}()
	s.open()
	s.must(s.d.Create(s.spec...))
	for _, h := range s.h.logs {
		h.created = true
	}
	s.must(s.log(0).StartEpoch(0))
	for n := range 14 {
		s.append(n%3, n%4 != 3)
	}
	for range 7 {
		s.append(1, true)
	}
	s.deleteBefore(0, 3)
	s.retain(1, 900)
	s.delete(2)
	s.append(0, true)
	s.must(s.d.Close())
	s.open() // a clean start
	s.load(s.spec[:2]...)
	if !s.d.CleanStart() {
		s.t.Error("the start after Close is not clean")
	}
	s.must(s.log(0).StartEpoch(3))
	for n := range 8 {
		s.append(n%2, n%3 != 2)
	}
	s.d.Kill() // as kill -9: the page cache stays
	s.open()
	s.load(s.spec[:2]...)
	if s.d.CleanStart() {
		s.t.Error("the start after Kill is clean")
	}
	for n := range 6 {
		s.append(n%2, true)
	}
	s.deleteBefore(1, s.h.logs[testID(1)].acked)
	s.append(1, true)
	s.must(s.d.Close())
	return nil
}

// verify opens the disk that a crash left and compares.
func (h *history) verify(t *testing.T, fsys disk.FS, mode Durability, whole bool) {
	d, err := OpenDirectory(testConfig(fsys, mode))
	if err != nil {
		t.Errorf("cannot open after the crash: %v", err)
		return
	}
	defer d.Kill()
	for _, spec := range crashSpecs() {
		if p := h.logs[spec.ID]; p.created && !p.maybeDeleted {
			if err := d.Load(spec); err != nil {
				t.Error(err)
				return
			}
			p.verify(t, d, spec, whole)
		}
	}
	strays, err := d.Strays()
	if err != nil {
		t.Error(err)
	}
	for _, id := range strays {
		if h.logs[id].deleted {
			t.Errorf("partition %s came back after its deletion", id)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("cannot close: %v", err)
	}
}

func (p *partitionHistory) verify(t *testing.T, d *Directory, spec Spec, whole bool) {
	l, err := d.Log(spec.ID)
	if err != nil {
		t.Errorf("partition %s: %v", spec.Name, err)
		return
	}
	got, err := readAllBatches(l, l.End())
	if err != nil {
		t.Errorf("partition %s: %v", spec.Name, err)
		return
	}
	if l.Start() < p.start || l.Start() > max(p.start, p.maybeStart) {
		t.Errorf("partition %s starts at %d, want %d…%d", spec.Name, l.Start(), p.start, p.maybeStart)
	}
	want := p.batches
	if p.maybe != "" {
		want = append(slices.Clone(want), p.maybe)
	}
	if l.End() < p.acked || whole && l.End() < int64(len(p.batches)) {
		t.Errorf("partition %s ends at %d: %d were acked, %d written", spec.Name, l.End(), p.acked, len(p.batches))
	}
	for _, b := range got {
		at := b.BaseOffset()
		if at >= int64(len(want)) || payload(b) != want[at] {
			t.Errorf("partition %s: the batch at %d is not the one that was sent", spec.Name, at)
		}
	}
	if spec.ID == testID(1) {
		verifyProducer(t, l, got, want)
	}
	a, err := l.Append(AppendRequest{Batch: plain(t, "after the crash"), LeaderEpoch: 9})
	if err != nil || a.Base < p.acked {
		t.Errorf("partition %s: append after the crash: offset %d, %v", spec.Name, a.Base, err)
	}
	if d.cfg.Durability == Fsync {
		if err := await(l, a.Next); err != nil {
			t.Error(err)
		}
	}
}

// verifyProducer sends the last batches again, and then the next one.
func verifyProducer(t *testing.T, l *Log, got []record.Batch, want []string) {
	for _, b := range got[max(0, len(got)-rememberedBatches):] {
		again := slices.Clone(b)
		a, err := l.Append(AppendRequest{Batch: again, LeaderEpoch: 9})
		if err != nil || !a.Duplicate || a.Base != b.BaseOffset() {
			t.Errorf("batch %d sent again: %+v, %v", b.BaseOffset(), a, err)
		}
	}
	end := l.End()
	a, err := l.Append(AppendRequest{Batch: idempotent(t, 77, 0, int32(end), "next"), LeaderEpoch: 9})
	if err != nil || a.Base != end {
		t.Errorf("the next sequence after the crash: %+v, %v", a, err)
	}
	if end > l.Start() {
		_, err = l.Append(AppendRequest{Batch: idempotent(t, 77, 0, int32(end+5), "gap"), LeaderEpoch: 9})
		if !errors.Is(err, ErrOutOfOrderSequence) {
			t.Errorf("a gap in the sequence after the crash: %v", err)
		}
	}
}

func runScript(t *testing.T, fsys disk.FS, mode Durability) (*history, error) {
	s := &script{t: t, cfg: testConfig(fsys, mode), h: &history{logs: make(map[ID]*partitionHistory)}, spec: crashSpecs(), seq: make(map[ID]int32)}
	for _, spec := range s.spec {
		s.h.logs[spec.ID] = &partitionHistory{}
	}
	return s.h, s.run()
}

// crashSeeds is how many ways to lose a half are tried at each point.
const crashSeeds = 2

func TestCrashAfterEveryCall(t *testing.T) {
	for _, mode := range []Durability{Fsync, Replicated} {
		t.Run(mode.String(), func(t *testing.T) {
			for n := 0; !t.Failed(); n++ {
				m := disk.NewMemory()
				h, err := runScript(t, disk.NewFaulty(m, disk.CrashAfter(n)), mode)
				if err != nil && !errors.Is(err, disk.ErrCrashed) && !errors.Is(err, ErrDirectoryFailed) {
					t.Fatalf("call %d: %v", n, err)
				}
				h.verify(t, m.Crash(0, nil), mode, false)
				h.verify(t, m.Crash(100, nil), mode, true)
				for seed := range uint64(crashSeeds) {
					h.verify(t, m.Crash(50, rand.New(rand.NewPCG(seed, uint64(n)))), mode, false)
				}
				if t.Failed() {
					t.Fatalf("after call %d", n)
				}
				if err == nil {
					if n < 100 {
						t.Fatalf("the script makes only %d calls", n)
					}
					t.Logf("%d calls", n)
					return
				}
			}
		})
	}
}

// TestCrashDuringRecovery cuts the power, and again after every call of the recovery.
func TestCrashDuringRecovery(t *testing.T) {
	const every = 23 // of the calls of the script; all would take minutes
	recoveries := 0
	for n := every; !t.Failed(); n += every {
		m := disk.NewMemory()
		h, err := runScript(t, disk.NewFaulty(m, disk.CrashAfter(n)), Fsync)
		if err == nil {
			break
		}
		for k := 0; ; k++ {
			rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			after := m.Crash(50, rng)
			whole := h.recover(disk.NewFaulty(after, disk.CrashAfter(k)))
			h.verify(t, after.Crash(50, rng), Fsync, false)
			if t.Failed() {
				t.Fatalf("after call %d, and call %d of the recovery", n, k)
			}
			if whole {
				break
			}
			recoveries++
		}
	}
	if recoveries < 100 {
		t.Errorf("only %d recoveries were cut", recoveries)
	}
}

// recover opens everything and is killed. It tells whether it got to the end.
func (h *history) recover(fsys disk.FS) bool {
	d, err := OpenDirectory(testConfig(fsys, Fsync))
	if err != nil {
		return false
	}
	defer d.Kill()
	for _, spec := range crashSpecs() {
		if p := h.logs[spec.ID]; p.created && !p.maybeDeleted {
			if d.Load(spec) != nil {
				return false
			}
			if _, err := d.Log(spec.ID); err != nil {
				return false
			}
		}
	}
	return true
}
