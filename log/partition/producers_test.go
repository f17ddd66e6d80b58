package partition

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestProducerRemembersFiveBatches(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	for n := range int32(8) {
		mustAppend(t, l, idempotent(t, 1, 0, n*2, "a", "b"))
	}
	for n := range int32(8) {
		a, err := tryAppend(l, idempotent(t, 1, 0, n*2, "a", "b"))
		if n < 3 {
			if !errors.Is(err, ErrOutOfOrderSequence) {
				t.Errorf("batch %d, no longer remembered: %+v, %v", n, a, err)
			}
			continue
		}
		if err != nil || !a.Duplicate || a.Base != int64(n)*2 || a.Next != int64(n)*2+2 {
			t.Errorf("batch %d again: %+v, %v", n, a, err)
		}
	}
	if _, err := tryAppend(l, idempotent(t, 1, 0, 14, "a")); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Errorf("same first sequence but another length is no duplicate: %v", err)
	}
	if l.End() != 16 {
		t.Errorf("duplicates were appended: end %d", l.End())
	}
}

func TestProducerEpochAndSequence(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	steps := []struct {
		epoch    int16
		sequence int32
		want     error
	}{
		{0, 3, ErrOutOfOrderSequence}, // never held a record: only 0 (KAFKA-15591)
		{0, 0, nil},
		{0, 2, ErrOutOfOrderSequence},
		{0, 1, nil},
		{2, 1, ErrOutOfOrderSequence}, // a higher epoch begins with 0
		{2, 0, nil},
		{1, 2, ErrProducerFenced},
		{1, 0, ErrProducerFenced}, // epoch before sequence, and before duplicates
		{2, 1, nil},
	}
	for i, s := range steps {
		if _, err := tryAppend(l, idempotent(t, 9, s.epoch, s.sequence, "v")); !errors.Is(err, s.want) {
			t.Errorf("step %d: %v, want %v", i, err, s.want)
		}
	}
	if _, err := tryAppend(l, idempotent(t, 10, 0, 41, "v")); err != nil {
		t.Errorf("no state: any first sequence is taken (KIP-360): %v", err)
	}
}

func TestProducerOfAnEmptiedPartition(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	mustAppend(t, l, plain(t, "a"))
	if _, err := l.DeleteBefore(1); err != nil {
		t.Fatal(err)
	}
	if _, err := tryAppend(l, idempotent(t, 10, 0, 41, "v")); err != nil {
		t.Errorf("a partition that was emptied is not one that was never written: %v", err)
	}
}

func TestSequencesWrap(t *testing.T) {
	l := newLog(t, Replicated, Config{})
	mustAppend(t, l, plain(t, "a"))
	mustAppend(t, l, idempotent(t, 1, 0, math.MaxInt32-1, "a", "b", "c")) // ends with 0
	if a, err := tryAppend(l, idempotent(t, 1, 0, math.MaxInt32-1, "a", "b", "c")); err != nil || !a.Duplicate {
		t.Errorf("duplicate across the wrap: %+v, %v", a, err)
	}
	mustAppend(t, l, idempotent(t, 1, 0, 1, "d"))
	l = newLog(t, Replicated, Config{})
	mustAppend(t, l, plain(t, "a"))
	mustAppend(t, l, idempotent(t, 1, 0, math.MaxInt32, "a"))
	mustAppend(t, l, idempotent(t, 1, 0, 0, "b"))
}

// TestProducersExpireByTheLog: by the newest timestamp in the log, never by the clock, so that two replicas agree.
func TestProducersExpireByTheLog(t *testing.T) {
	l := newLog(t, Replicated, Config{ProducerIDExpiration: time.Hour, TimestampAfterMax: -1})
	mustAppend(t, l, idempotent(t, 1, 4, 0, "a"))
	mustAppend(t, l, build(t, nil, testNow+time.Hour.Milliseconds(), "b"))
	if _, err := tryAppend(l, idempotent(t, 1, 3, 1, "c")); !errors.Is(err, ErrProducerFenced) {
		t.Errorf("still known: %v", err)
	}
	mustAppend(t, l, build(t, nil, testNow+time.Hour.Milliseconds()+1, "b"))
	if l.Stats().Producers != 0 {
		t.Errorf("%d producers", l.Stats().Producers)
	}
	if _, err := tryAppend(l, idempotent(t, 1, 3, 7, "c")); err != nil {
		t.Errorf("expired: %v", err)
	}
}

func TestProducersAreBounded(t *testing.T) {
	p := newProducers()
	h := header(0, 0)
	for n := range int64(MaxProducers + 10) {
		h.Base, h.ProducerID = n, n
		p.apply(h, math.MaxInt64)
	}
	if p.len() != MaxProducers || len(p.all) > MaxProducers+1 {
		t.Errorf("%d producers in %d places", p.len(), len(p.all))
	}
	if _, known := p.byID[9]; known {
		t.Error("the one silent for longest is still there")
	}
}
