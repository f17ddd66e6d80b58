package streams

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/topology"
)

// Errors of opening a store.
var (
	ErrUnknownStore = engine.ErrUnknownStore
	ErrStoreType    = engine.ErrStoreType
)

// StoreSpec describes a store for [Builder.AddStore]: see [KeyValueStore] and [WindowStore].
type StoreSpec struct {
	store topology.Store
	types func(*Builder)
	err   error
}

// KeyValueStore is a store of one value per key. Options: Unlogged.
func KeyValueStore[K, V any](name string, key serde.Serde[K], value serde.Serde[V], opts ...Option) StoreSpec {
	return storeSpec(topology.Store{Name: name, Kind: topology.KeyValue}, key, value, opts)
}

// WindowStore is a store of one value per key and window start. It keeps windows for retention, measured from the highest
// start it has seen, and drops what comes later. Options: Unlogged.
func WindowStore[K, V any](name string, key serde.Serde[K], value serde.Serde[V], size, retention time.Duration, opts ...Option) StoreSpec {
	spec := storeSpec(topology.Store{Name: name, Kind: topology.Window, WindowSize: size, Retention: retention}, key, value, opts)
	if spec.err = wholeMillis(size, retention); spec.err == nil && (size <= 0 || retention < size) {
		spec.err = fmt.Errorf("cannot add store %s: windows of %s kept for %s", name, size, retention)
	}
	return spec
}

func storeSpec[K, V any](s topology.Store, key serde.Serde[K], value serde.Serde[V], opts []Option) StoreSpec {
	s.Logged = !apply(opts).unlogged
	return StoreSpec{store: s, types: func(b *Builder) {
		kc, ok := keyCoder(b, key)
		vc, ok2 := valueCoder(b, value)
		if ok && ok2 {
			engine.Declare(b.program, s.Name, engine.StoreTypes[K, V]{Key: kc, Value: vc})
		}
	}}
}

// AddStore adds a store for processors, which are connected with it by [Uses].
func (b *Builder) AddStore(spec StoreSpec) {
	if !b.open() {
		return
	}
	err := errors.Join(spec.err, checkName(spec.store.Name))
	if b.stores[spec.store.Name] != nil || b.program.Graph.Store(spec.store.Name) != nil {
		err = fmt.Errorf("cannot add store %s: there is one of that name", spec.store.Name)
	}
	if err != nil {
		b.fail(err)
		return
	}
	spec.types(b)
	b.stores[spec.store.Name] = func() { b.addStore(spec.store) }
}

// KeyValue is a key-value store in the hands of a processor. It belongs to the task's goroutine. What it returns is decoded
// anew each time and belongs to the caller.
type KeyValue[K, V any] struct {
	store *engine.KeyValue[K, V]
	now   func() int64
}

// KeyValue opens a key-value store that the processor uses, in Init or later.
func (c *Context[K, V]) KeyValue[SK, SV any](name string) (*KeyValue[SK, SV], error) {
	if err := c.outlet.Uses(name); err != nil {
		return nil, err
	}
	s, err := engine.OpenKeyValue[SK, SV](c.outlet.Task(), name)
	if err != nil {
		return nil, err
	}
	return &KeyValue[SK, SV]{store: s, now: c.outlet.Task().StreamTime}, nil
}

// Get returns the value of key; ok is false if there is none.
func (s *KeyValue[K, V]) Get(key K) (value V, ok bool, err error) {
	value, _, ok, err = s.store.Get(key)
	return value, ok, err
}

// Put sets the value of key; a null value deletes it. The entry's time is the task's stream time.
func (s *KeyValue[K, V]) Put(key K, value V) error { return s.store.Put(key, value, s.now()) }

// Delete removes key, if it is there.
func (s *KeyValue[K, V]) Delete(key K) error { return s.store.Delete(key) }

// Len counts the entries.
func (s *KeyValue[K, V]) Len() int { return s.store.Len() }

// Scan is all entries, in the order of the keys' bytes.
func (s *KeyValue[K, V]) Scan() *Scan[K, V] {
	return scan(func(failed func(error)) iter.Seq2[K, V] { return s.store.Range(nil, nil, failed) })
}

// Range is the entries with from ≤ key ≤ to, in the order of the keys' bytes.
func (s *KeyValue[K, V]) Range(from, to K) *Scan[K, V] {
	return scan(func(failed func(error)) iter.Seq2[K, V] { return s.store.Range(&from, &to, failed) })
}

// ScanBackward is Scan from the last key to the first.
func (s *KeyValue[K, V]) ScanBackward() *Scan[K, V] {
	return scan(func(failed func(error)) iter.Seq2[K, V] { return s.store.RangeBackward(nil, nil, failed) })
}

// RangeBackward is Range from the last key to the first.
func (s *KeyValue[K, V]) RangeBackward(from, to K) *Scan[K, V] {
	return scan(func(failed func(error)) iter.Seq2[K, V] { return s.store.RangeBackward(&from, &to, failed) })
}

// PutIfAbsent sets the value of key if it has none, and reports whether it did.
func (s *KeyValue[K, V]) PutIfAbsent(key K, value V) (bool, error) {
	if _, _, ok, err := s.store.Get(key); ok || err != nil {
		return false, err
	}
	return true, s.Put(key, value)
}

// Scan is a pass over a store:
//
//	scan := store.Scan()
//	for k, v := range scan.All() { … }
//	if err := scan.Err(); err != nil { … }
type Scan[K, V any] struct {
	seq iter.Seq2[K, V]
	err error
}

func scan[K, V any](open func(failed func(error)) iter.Seq2[K, V]) *Scan[K, V] {
	s := new(Scan[K, V])
	s.seq = open(func(err error) { s.err = err })
	return s
}

// All yields the entries. The store may be written to meanwhile: what is added or removed ahead is seen or not.
func (s *Scan[K, V]) All() iter.Seq2[K, V] { return s.seq }

// Err is why the last pass ended early, or nil.
func (s *Scan[K, V]) Err() error { return s.err }

// WindowValues is a window store in the hands of a processor; see [KeyValue] for ownership.
type WindowValues[K, V any] struct {
	store   *engine.WindowStore[K, V]
	now     func() int64
	expired func()
}

// Window opens a window store that the processor uses, in Init or later.
func (c *Context[K, V]) Window[SK, SV any](name string) (*WindowValues[SK, SV], error) {
	if err := c.outlet.Uses(name); err != nil {
		return nil, err
	}
	s, err := engine.OpenWindow[SK, SV](c.outlet.Task(), name)
	if err != nil {
		return nil, err
	}
	return &WindowValues[SK, SV]{
		store: s, now: c.outlet.Task().StreamTime, expired: func() { c.outlet.Drop(engine.DropExpired) },
	}, nil
}

// Get returns the value of the window of key that begins at start.
func (s *WindowValues[K, V]) Get(key K, start time.Time) (value V, ok bool, err error) {
	return s.store.Get(key, start.UnixMilli())
}

// Put sets the value of the window of key that begins at start; a null value deletes it. It reports false, and does nothing,
// when the window has expired: that is counted as [DroppedExpired].
func (s *WindowValues[K, V]) Put(key K, start time.Time, value V) (bool, error) {
	ok, err := s.store.Put(key, start.UnixMilli(), value, s.now())
	if err == nil && !ok {
		s.expired()
	}
	return ok, err
}

// Fetch is the windows of key with from ≤ start ≤ to, earliest first.
func (s *WindowValues[K, V]) Fetch(key K, from, to time.Time) *Scan[time.Time, V] {
	return scan(func(failed func(error)) iter.Seq2[time.Time, V] {
		return func(yield func(time.Time, V) bool) {
			for start, v := range s.store.Fetch(key, from.UnixMilli(), to.UnixMilli(), failed) {
				if !yield(time.UnixMilli(start).UTC(), v) {
					return
				}
			}
		}
	})
}

// FetchAll is the windows of all keys with from ≤ start ≤ to, by start, then in the order of the keys' bytes.
func (s *WindowValues[K, V]) FetchAll(from, to time.Time) *Scan[Windowed[K], V] {
	return scan(func(failed func(error)) iter.Seq2[Windowed[K], V] {
		return s.store.FetchAll(from.UnixMilli(), to.UnixMilli(), failed)
	})
}
