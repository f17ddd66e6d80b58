package streamstest

import (
	"iter"

	"github.com/millrace/millrace/streams/internal/engine"
)

// KeyValue is a key-value store of the topology, as it is now. It must be opened again after Crash.
type KeyValue[K, V any] struct {
	d     *Driver
	store *engine.KeyValue[K, V]
}

// KeyValue opens a store by name with the types it was made with.
func (d *Driver) KeyValue[K, V any](name string) *KeyValue[K, V] {
	d.t.Helper()
	s, err := engine.OpenKeyValue[K, V](d.task, name)
	if err != nil {
		d.t.Fatal(err)
	}
	return &KeyValue[K, V]{d: d, store: s}
}

// Get returns the value of key; ok is false if there is none.
func (s *KeyValue[K, V]) Get(key K) (value V, ok bool) {
	s.d.t.Helper()
	value, _, ok, err := s.store.Get(key)
	if err != nil {
		s.d.t.Fatal(err)
	}
	return value, ok
}

// All yields the entries in the order of their keys' bytes.
func (s *KeyValue[K, V]) All() iter.Seq2[K, V] {
	s.d.t.Helper()
	return s.store.Range(nil, nil, func(err error) { s.d.t.Fatal(err) })
}

// Len counts the entries.
func (s *KeyValue[K, V]) Len() int { return s.store.Len() }

// Window is a window store of the topology, as it is now. It must be opened again after Crash.
type Window[K, V any] struct {
	d     *Driver
	store *engine.WindowStore[K, V]
}

// Window opens a window store by name with the types it was made with.
func (d *Driver) Window[K, V any](name string) *Window[K, V] {
	d.t.Helper()
	s, err := engine.OpenWindow[K, V](d.task, name)
	if err != nil {
		d.t.Fatal(err)
	}
	return &Window[K, V]{d: d, store: s}
}

// Get returns the value of the window of key that begins at start, in ms.
func (s *Window[K, V]) Get(key K, start int64) (value V, ok bool) {
	s.d.t.Helper()
	value, ok, err := s.store.Get(key, start)
	if err != nil {
		s.d.t.Fatal(err)
	}
	return value, ok
}
