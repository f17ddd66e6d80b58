package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/streams/state"
)

// layout says how a kind of store writes its changelog keys.
type layout struct {
	time func(key string) int64 // nil: the store has no time
	draw func(t *rapid.T) string
}

// subject is the store under test, spoken to in changelog keys.
type subject struct {
	logged state.Logged
	timed  state.Timed // nil for key-value
	put    func(key string, value []byte, ts int64) bool
	remove func(key string)                                        // nil if the store cannot
	get    func(key string) (value []byte, ts int64, ok bool)      // nil if the store cannot
	name   func(m *model, key string) string                       // the key that a put gets; nil: as it is
	scan   func(t *rapid.T) (scan, iter.Seq2[string, state.Value]) // draws a scan
	size   func() int                                              // nil if the store cannot
}

// scan is the order and the bounds of an iterator.
type scan struct {
	name    string
	compare func(a, b string) int
	within  func(key string) bool
}

var errEmit = errors.New("the log is full")

// walkRetentions are the retentions of the walks, in ms. Times are drawn from a range of 260: with the first, entries expire all
// the time; with the last, most entries of a key share a segment. Rare orders of events need some luck, so each comes twice.
func walkRetentions() []int64 { return []int64{40, 150, 2_000, 40, 150, 2_000} }

// walk runs random operations on a store and on the model.
func walk(t *testing.T, l layout, open func(retention time.Duration) subject) {
	for i, retention := range walkRetentions() {
		t.Run(fmt.Sprintf("Walk%d", i+1), func(t *testing.T) {
			walkOnce(t, l, retention, func() subject { return open(time.Duration(retention) * time.Millisecond) })
		})
	}
}

func walkOnce(t *testing.T, l layout, retention int64, open func() subject) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{layout: l, retention: retention, open: open}
		m.store, m.model = open(), newModel(l, retention)
		actions := map[string]func(*rapid.T){
			"":          m.invariants,
			"put":       m.put,
			"put again": m.put,
			"delete":    m.delete,
			"get":       m.get,
			"scan":      m.scan,
			"flush":     m.flush,
			"fail":      m.failFlush,
			"restart":   m.restart,
		}
		if m.store.timed != nil {
			actions["observe"] = m.observe
		}
		t.Repeat(actions)
	})
}

type machine struct {
	layout    layout
	retention int64
	open      func() subject
	store     subject
	model     *model
	log       []record // the changelog
}

func drawValue(t *rapid.T) []byte {
	n := rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(0, 300)).Draw(t, "size")
	return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
}

// drawKey is a key of the store, often one that it holds.
func (m *machine) drawKey(t *rapid.T) string {
	if keys := m.model.live(compareBytes); len(keys) > 0 && rapid.Bool().Draw(t, "old key") {
		return rapid.SampledFrom(keys).Draw(t, "key")
	}
	return m.layout.draw(t)
}

func (m *machine) put(t *rapid.T) {
	key := m.drawKey(t)
	value, ts := drawValue(t), rapid.Int64Range(0, 1000).Draw(t, "ts")
	if m.store.name != nil {
		key = m.store.name(m.model, key)
		ts = m.layout.time(key)
	}
	m.putBoth(t, key, value, ts)
}

func (m *machine) putBoth(t *rapid.T, key string, value []byte, ts int64) {
	passed := bytes.Clone(value)
	got, want := m.store.put(key, passed, ts), m.model.put(key, value, ts)
	if got != want {
		t.Fatalf("Put(%q) = %v, want %v at highest time %d", key, got, want, m.model.highest)
	}
	for i := range passed {
		passed[i]++ // the store must have copied
	}
}

func (m *machine) delete(t *rapid.T) {
	key := m.drawKey(t)
	switch {
	case m.store.name != nil: // duplicates: a null moves time and stores nothing
		got := m.store.put(key, nil, 0)
		m.model.observe(m.layout.time(key))
		if late := m.model.late(key); got == late {
			t.Fatalf("Put(%q, nil) = %v at highest time %d", key, got, m.model.highest)
		} else if late {
			m.model.expired++
		}
	case m.store.remove != nil && rapid.Bool().Draw(t, "remove"):
		m.store.remove(key)
		m.model.remove(key)
	default:
		m.putBoth(t, key, nil, rapid.Int64Range(0, 1000).Draw(t, "ts"))
	}
}

func (m *machine) get(t *rapid.T) {
	if m.store.get == nil {
		return
	}
	key := m.drawKey(t)
	value, ts, ok := m.store.get(key)
	want, wantOK := m.model.get(key)
	if ok != wantOK || !same(value, want.Bytes) || ts != want.Timestamp {
		t.Fatalf("Get(%q) = %q, %d, %v, want %q, %d, %v", key, value, ts, ok, want.Bytes, want.Timestamp, wantOK)
	}
}

// same compares values and tells null from empty.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// scan runs a scan that the store draws. In the loop it may write and stop; each step must give what the model has next.
func (m *machine) scan(t *rapid.T) {
	s, entries := m.store.scan(t)
	writes := rapid.Bool().Draw(t, "write in the loop")
	stop := rapid.IntRange(1, 50).Draw(t, "stop after")
	m.checkScan(t, s, entries, func() bool {
		if stop--; stop == 0 {
			return false
		}
		if writes {
			[]func(*rapid.T){m.put, m.delete, m.get, m.observe}[rapid.IntRange(0, 3).Draw(t, "write")](t)
		}
		return true
	})
}

func (m *machine) checkScan(t *rapid.T, s scan, entries iter.Seq2[string, state.Value], body func() bool) {
	var last *string
	for key, value := range entries {
		want, ok := m.model.successor(s, last)
		if !ok || key != want {
			t.Fatalf("%s gives %q, want %q (%v)", s.name, key, want, ok)
		}
		v := m.model.entries[key]
		if !same(value.Bytes, v.Bytes) || value.Timestamp != v.Timestamp {
			t.Fatalf("%s gives %q = %q at %d, want %q at %d", s.name, key, value.Bytes, value.Timestamp, v.Bytes, v.Timestamp)
		}
		last = &key
		if !body() {
			return
		}
	}
	if want, ok := m.model.successor(s, last); ok {
		t.Fatalf("%s ends before %q", s.name, want)
	}
}

func (m *machine) observe(t *rapid.T) {
	if m.store.timed == nil {
		return
	}
	at := m.model.highest + rapid.Int64Range(-20, 20).Draw(t, "time")
	m.store.timed.ObserveTime(at)
	m.model.observe(at)
}

func (m *machine) flush(t *rapid.T) { m.flushUpTo(t, -1) }

func (m *machine) failFlush(t *rapid.T) { m.flushUpTo(t, rapid.IntRange(0, 5).Draw(t, "records")) }

// flushUpTo flushes; from the record number limit on, if not negative, the changelog refuses.
func (m *machine) flushUpTo(t *rapid.T, limit int) {
	var got []record
	failed := false
	err := m.store.logged.Flush(func(key, value []byte, ts int64) error {
		if failed {
			t.Fatalf("Flush goes on after an error")
		}
		if value == nil && !m.model.known[string(key)] {
			return nil // made and deleted since the last flush: may be left out, need not
		}
		if len(got) == limit {
			failed = true
			return errEmit
		}
		got = append(got, record{string(key), bytes.Clone(value), ts})
		return nil
	})
	if failed != errors.Is(err, errEmit) || !failed && err != nil {
		t.Fatalf("Flush returns %v, emit had failed: %v", err, failed)
	}
	want := m.model.flush(limit)
	if len(got) != len(want) {
		t.Fatalf("Flush emits %d records, want %d: %v, want %v", len(got), len(want), got, want)
	}
	for i, r := range want {
		if g := got[i]; g.key != r.key || !same(g.value, r.value) || g.ts != r.ts {
			t.Fatalf("record %d of Flush is %v, want %v", i, got[i], r)
		}
	}
	m.log = append(m.log, got...)
	if n := m.store.logged.DirtyBytes(); !failed && m.store.timed == nil && n != 0 {
		t.Fatalf("DirtyBytes after a flush is %d", n)
	}
}

// restart replaces the store by a new one, restored from the changelog and the highest time.
func (m *machine) restart(t *rapid.T) {
	m.flush(t)
	expired := m.model.expired
	m.store = m.open()
	for _, r := range m.log {
		if err := m.store.logged.Restore([]byte(r.key), bytes.Clone(r.value), r.ts); err != nil {
			t.Fatal(err)
		}
	}
	if m.store.timed != nil {
		if n := m.store.timed.Expired(); n != 0 {
			t.Fatalf("restoring counts %d expired puts", n)
		}
		m.store.timed.ObserveTime(m.model.highest)
	}
	m.model.expired -= expired
	if n := m.store.logged.DirtyBytes(); n != 0 {
		t.Fatalf("a restored store has %d dirty bytes", n)
	}
	s, entries := m.store.scan(t)
	m.checkScan(t, s, entries, func() bool { return true })
}

func (m *machine) invariants(t *rapid.T) {
	if timed := m.store.timed; timed != nil {
		if got := timed.HighestTime(); got != m.model.highest {
			t.Fatalf("HighestTime is %d, want %d", got, m.model.highest)
		}
		if got := timed.Expired(); got != m.model.expired {
			t.Fatalf("Expired is %d, want %d", got, m.model.expired)
		}
	}
	if m.store.size != nil {
		if got, want := m.store.size(), len(m.model.live(compareBytes)); got != want {
			t.Fatalf("Len is %d, want %d", got, want)
		}
	}
}
