package engine

import (
	"errors"
	"fmt"
	"iter"

	"github.com/millrace/millrace/streams/state"
)

// ErrUnknownStore is a store that the task, or the processor that asks, does not have.
var ErrUnknownStore = errors.New("unknown store")

// ErrStoreType is a store opened as another kind or with other types than it was made with.
var ErrStoreType = errors.New("store has another type")

// StoreTypes are the coders of a store of keys K and values V.
type StoreTypes[K, V any] struct {
	Key   *Coder[K]
	Value *Coder[V]
}

// Declare notes a store's types, so that it can be opened by name.
func Declare[K, V any](p *Program, store string, types StoreTypes[K, V]) { p.stores[store] = types }

func open[K, V any](t *Task, name string) (*taskStore, StoreTypes[K, V], error) {
	s := t.byName[name]
	if s == nil {
		return nil, StoreTypes[K, V]{}, fmt.Errorf("cannot open store %s: %w", name, ErrUnknownStore)
	}
	types, ok := t.program.stores[name].(StoreTypes[K, V])
	if !ok {
		return nil, types, fmt.Errorf("cannot open store %s: %w", name, ErrStoreType)
	}
	return s, types, nil
}

// KeyValue is a key-value store with its types. It belongs to its task's goroutine.
type KeyValue[K, V any] struct {
	StoreTypes[K, V]
	task    *Task
	rows    state.KeyValue
	scratch Scratch
}

// OpenKeyValue opens a key-value store of the task.
func OpenKeyValue[K, V any](t *Task, name string) (*KeyValue[K, V], error) {
	s, types, err := open[K, V](t, name)
	if err != nil {
		return nil, err
	}
	if s.keyValue == nil {
		return nil, fmt.Errorf("cannot open store %s as key-value store: %w", name, ErrStoreType)
	}
	return &KeyValue[K, V]{StoreTypes: types, task: t, rows: s.keyValue}, nil
}

// Get returns a copy of the value of k and its time in ms; ok is false if there is none.
func (s *KeyValue[K, V]) Get(k K) (v V, at int64, ok bool, err error) {
	kb, err := s.encodeKey(k)
	if err != nil {
		return v, 0, false, err
	}
	b, at, ok := s.rows.Get(kb)
	if !ok {
		return v, 0, false, nil
	}
	v, err = s.Value.DecodeBytes(b)
	return v, at, err == nil, err
}

// Put sets the value of k with a time in ms; null deletes.
func (s *KeyValue[K, V]) Put(k K, v V, at int64) error {
	kb, err := s.encodeKey(k)
	if err != nil {
		return err
	}
	vb, err := s.Value.Encode(v, &s.scratch)
	if err != nil {
		return err
	}
	s.rows.Put(kb, vb, at)
	return nil
}

// Delete removes k.
func (s *KeyValue[K, V]) Delete(k K) error {
	kb, err := s.encodeKey(k)
	if err == nil {
		s.rows.Delete(kb)
	}
	return err
}

// Len counts the entries.
func (s *KeyValue[K, V]) Len() int { return s.rows.Len() }

// Range yields the entries with from ≤ key ≤ to in the order of the keys' bytes, nil being an open end, until one cannot be
// decoded: that error goes to failed.
func (s *KeyValue[K, V]) Range(from, to *K, failed func(error)) iter.Seq2[K, V] {
	return s.scan(from, to, failed, s.rows.Range)
}

// RangeBackward is Range from the highest key down.
func (s *KeyValue[K, V]) RangeBackward(from, to *K, failed func(error)) iter.Seq2[K, V] {
	scanner, ok := s.rows.(state.Scanner)
	if !ok {
		panic(fmt.Sprintf("BUG: store of task %s cannot scan backward", s.task.id))
	}
	return s.scan(from, to, failed, scanner.RangeBackward)
}

func (s *KeyValue[K, V]) scan(from, to *K, failed func(error), rows func(from, to []byte) iter.Seq2[[]byte, state.Value]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		lo, err := s.bound(from)
		if err != nil {
			failed(err)
			return
		}
		hi, err := s.bound(to)
		if err != nil {
			failed(err)
			return
		}
		for kb, row := range rows(lo, hi) {
			k, err := s.Key.DecodeBytes(kb)
			if err != nil {
				failed(err)
				return
			}
			v, err := s.Value.DecodeBytes(row.Bytes)
			if err != nil {
				failed(err)
				return
			}
			if !yield(k, v) {
				return
			}
		}
	}
}

func (s *KeyValue[K, V]) bound(k *K) ([]byte, error) {
	if k == nil {
		return nil, nil
	}
	return s.Key.Encode(*k, new(Scratch))
}

func (s *KeyValue[K, V]) encodeKey(k K) ([]byte, error) {
	s.scratch.reset()
	b, err := s.Key.Encode(k, &s.scratch)
	if err == nil && b == nil {
		err = errNullKey
	}
	return b, err
}

var errNullKey = errors.New("the key is null")

// WindowStore is a store of windows with its types. It belongs to its task's goroutine.
type WindowStore[K, V any] struct {
	StoreTypes[K, V]
	size    int64 // of a window in ms
	windows state.Window
	scratch Scratch
}

// OpenWindow opens a window store of the task.
func OpenWindow[K, V any](t *Task, name string) (*WindowStore[K, V], error) {
	s, types, err := open[K, V](t, name)
	if err != nil {
		return nil, err
	}
	if s.window == nil {
		return nil, fmt.Errorf("cannot open store %s as window store: %w", name, ErrStoreType)
	}
	return &WindowStore[K, V]{StoreTypes: types, windows: s.window, size: s.desc.WindowSize.Milliseconds()}, nil
}

// Get returns a copy of the value of the window that begins at start, in ms.
func (s *WindowStore[K, V]) Get(k K, start int64) (v V, ok bool, err error) {
	kb, err := s.encodeKey(k)
	if err != nil {
		return v, false, err
	}
	b, _, ok := s.windows.Get(kb, start)
	if !ok {
		return v, false, nil
	}
	v, err = s.Value.DecodeBytes(b)
	return v, err == nil, err
}

// Put sets the value of the window that begins at start; null deletes. It reports false when the window has expired.
func (s *WindowStore[K, V]) Put(k K, start int64, v V, at int64) (bool, error) {
	kb, err := s.encodeKey(k)
	if err != nil {
		return false, err
	}
	vb, err := s.Value.Encode(v, &s.scratch)
	if err != nil {
		return false, err
	}
	return s.windows.Put(kb, start, vb, at), nil
}

// Fetch yields the windows of k with from ≤ start ≤ to, earliest first, until one cannot be decoded: that error goes to
// failed.
func (s *WindowStore[K, V]) Fetch(k K, from, to int64, failed func(error)) iter.Seq2[int64, V] {
	return func(yield func(int64, V) bool) {
		kb, err := s.Key.Encode(k, new(Scratch))
		if err != nil {
			failed(err)
			return
		}
		for start, row := range s.windows.Fetch(kb, from, to) {
			v, err := s.Value.DecodeBytes(row.Bytes)
			if err != nil {
				failed(err)
				return
			}
			if !yield(start, v) {
				return
			}
		}
	}
}

// FetchAll yields the windows of all keys with from ≤ start ≤ to, by start, then by key, until one cannot be decoded: that
// error goes to failed.
func (s *WindowStore[K, V]) FetchAll(from, to int64, failed func(error)) iter.Seq2[Windowed[K], V] {
	return func(yield func(Windowed[K], V) bool) {
		for w, row := range s.windows.FetchAll(from, to) {
			k, err := s.Key.DecodeBytes(w.Key)
			if err != nil {
				failed(err)
				return
			}
			v, err := s.Value.DecodeBytes(row.Bytes)
			if err != nil {
				failed(err)
				return
			}
			if !yield(Windowed[K]{Key: k, Window: Window{w.Start, w.Start + s.size}}, v) {
				return
			}
		}
	}
}

func (s *WindowStore[K, V]) encodeKey(k K) ([]byte, error) {
	s.scratch.reset()
	b, err := s.Key.Encode(k, &s.scratch)
	if err == nil && b == nil {
		err = errNullKey
	}
	return b, err
}
