package statetest

import (
	"cmp"
	"slices"

	"github.com/millrace/millrace/streams/state"
)

// record is one record of a changelog; a nil value is a tombstone.
type record struct {
	key   string
	value []byte
	ts    int64
}

// model is a store as simple as it can be: a map from changelog keys to values.
type model struct {
	layout    layout
	retention int64
	highest   int64
	expired   int64
	entries   map[string]state.Value // Bytes nil: deleted
	changed   []string               // keys in order of first change since the last flush
	known     map[string]bool        // keys of which the changelog has a value
}

func newModel(l layout, retention int64) *model {
	return &model{
		layout: l, retention: retention, highest: -1,
		entries: make(map[string]state.Value), known: make(map[string]bool),
	}
}

// late reports whether a key has expired.
func (m *model) late(key string) bool {
	return m.layout.time != nil && m.layout.time(key) <= m.highest-m.retention
}

func (m *model) observe(time int64) { m.highest = max(m.highest, time) }

func (m *model) get(key string) (state.Value, bool) {
	v, ok := m.entries[key]
	if !ok || v.Bytes == nil || m.late(key) {
		return state.Value{}, false
	}
	return v, true
}

// put sets a value, or deletes it where value is nil; false if the key has expired.
func (m *model) put(key string, value []byte, ts int64) bool {
	if m.layout.time != nil {
		m.observe(m.layout.time(key))
		if m.late(key) {
			m.expired++
			return false
		}
	}
	if _, ok := m.get(key); !ok && value == nil {
		return true
	}
	m.entries[key] = state.Value{Bytes: slices.Clone(value), Timestamp: ts}
	if !slices.Contains(m.changed, key) {
		m.changed = append(m.changed, key)
	}
	return true
}

func (m *model) remove(key string) {
	if v, ok := m.get(key); ok {
		m.put(key, nil, v.Timestamp)
	}
}

// live returns the keys with a value, sorted.
func (m *model) live(compare func(a, b string) int) []string {
	var keys []string
	for key := range m.entries {
		if _, ok := m.get(key); ok {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compare)
	return keys
}

// successor is the first key after last in the order of a scan and within its bounds.
func (m *model) successor(s scan, last *string) (string, bool) {
	for _, key := range m.live(s.compare) {
		if s.within(key) && (last == nil || s.compare(key, *last) > 0) {
			return key, true
		}
	}
	return "", false
}

// flush returns what a flush must emit first, at most n records, and takes them as flushed.
func (m *model) flush(n int) []record {
	var out []record
	order := slices.Clone(m.changed)
	slices.SortStableFunc(order, func(a, b string) int { // what is there before tombstones
		return cmp.Compare(deleted(m.entries[a]), deleted(m.entries[b]))
	})
	for _, key := range order {
		v := m.entries[key]
		if needed := !m.late(key) && (v.Bytes != nil || m.known[key]); needed {
			if len(out) == n {
				return out
			}
			out = append(out, record{key, v.Bytes, v.Timestamp})
			m.known[key] = v.Bytes != nil
		}
		m.changed = slices.DeleteFunc(m.changed, func(other string) bool { return other == key })
		if v.Bytes == nil {
			delete(m.entries, key)
		}
	}
	return out
}

// deleted is 1 for a tombstone.
func deleted(v state.Value) int {
	if v.Bytes == nil {
		return 1
	}
	return 0
}
