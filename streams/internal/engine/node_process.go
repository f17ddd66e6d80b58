package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Processor is a node of the user's own, as the engine drives it.
type Processor[K, V any] struct {
	Init    func() error // after the stores have been restored
	Process func(*Record[K, V]) error
	Close   func() error // only after Init has succeeded
}

// Process adds a processor, which may forward any records. make is called once per task.
func Process[K, V, K2, V2 any](p *Port[Record[K, V]], n Node, stores []string, keyOut *Coder[K2], valueOut *Coder[V2], make func(*Outlet[K2, V2]) Processor[K, V]) *Port[Record[K2, V2]] {
	return process(p, n, stores, keyOut, valueOut, make, func(*Outlet[K2, V2], *Record[K, V]) {})
}

// ProcessValues adds a processor that must forward records under the keys it was given.
func ProcessValues[K, V, V2 any](p *Port[Record[K, V]], n Node, stores []string, key *Coder[K], valueOut *Coder[V2], make func(*Outlet[K, V2]) Processor[K, V]) *Port[Record[K, V2]] {
	return process(p, n, stores, key, valueOut, make, func(o *Outlet[K, V2], r *Record[K, V]) { o.given = &r.Key })
}

func process[K, V, K2, V2 any](p *Port[Record[K, V]], n Node, stores []string, keyOut *Coder[K2], valueOut *Coder[V2], make func(*Outlet[K2, V2]) Processor[K, V], prepare func(*Outlet[K2, V2], *Record[K, V])) *Port[Record[K2, V2]] {
	out := new(Port[Record[K2, V2]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		o := &Outlet[K2, V2]{Site: b.site(n), stores: stores, key: keyOut, value: valueOut}
		o.next, o.children = out.compileNamed(b)
		proc, started := make(o), false
		b.task.starts = append(b.task.starts, func() error {
			if err := guarded(proc.Init); err != nil {
				return fmt.Errorf("cannot initialise processor %s of task %s: %w", n.Name, b.task.id, err)
			}
			started = true
			return nil
		})
		b.task.closers = append(b.task.closers, func() error {
			if !started {
				return nil
			}
			if err := guarded(proc.Close); err != nil {
				return fmt.Errorf("cannot close processor %s of task %s: %w", n.Name, b.task.id, err)
			}
			return nil
		})
		return func(r *Record[K, V]) error {
			o.here()
			o.below = nil
			prepare(o, r)
			err := proc.Process(r)
			if o.below != nil {
				return o.below
			}
			if err != nil {
				return o.failed(Processing, err)
			}
			return nil
		}
	})
	return out
}

// Outlet is what a processor can reach: the nodes below, its task's time and its stores.
type Outlet[K, V any] struct {
	*Site
	stores   []string
	key      *Coder[K]
	value    *Coder[V]
	next     Next[Record[K, V]]
	children map[string]Next[Record[K, V]]
	given    *Field[K] // the only key that may be forwarded now; nil: any
	o        Record[K, V]
	below    error // an error of the nodes below, which must not pass for one of the processor
}

// ErrUnknownChild is a node that is not directly below the processor that forwards to it.
var ErrUnknownChild = errors.New("no such node is directly below")

// ErrKeyChanged is a record forwarded under another key than the one that is being processed, where keys must not change.
var ErrKeyChanged = errors.New("the key is not that of the record")

// ForwardTo is Forward to one of the nodes below.
func (o *Outlet[K, V]) ForwardTo(child string, k K, v V, nullKey, nullValue bool, at int64, headers []Header) error {
	next := o.children[child]
	if next == nil {
		return fmt.Errorf("cannot forward from %s to %q, only to %q: %w", o.name, child, slices.Sorted(maps.Keys(o.children)), ErrUnknownChild)
	}
	return o.forward(next, k, v, nullKey, nullValue, at, headers)
}

// Forward sends a record on. headers replace those of the record in work while it is on its way.
func (o *Outlet[K, V]) Forward(k K, v V, nullKey, nullValue bool, at int64, headers []Header) error {
	return o.forward(o.next, k, v, nullKey, nullValue, at, headers)
}

func (o *Outlet[K, V]) forward(next Next[Record[K, V]], k K, v V, nullKey, nullValue bool, at int64, headers []Header) error {
	if !validTime(at) {
		return fmt.Errorf("cannot forward from %s: %w: %d", o.name, ErrInvalidTimestamp, at)
	}
	before := o.task.headers
	o.task.headers = headers
	defer func() { o.task.headers = before }()
	r := &o.o
	o.key.Set(&r.Key, k)
	if nullKey {
		r.Key.SetNull()
	}
	if o.given != nil {
		if err := o.sameKey(&r.Key); err != nil {
			return err
		}
	}
	o.value.Set(&r.Value, v)
	if nullValue {
		r.Value.SetNull()
	}
	r.Time = at
	err := next(r)
	o.here() // the processor goes on
	if err != nil {
		o.below = err
	}
	return err
}

// sameKey checks a key against the one given.
func (o *Outlet[K, V]) sameKey(k *Field[K]) error {
	have, err := o.key.Bytes(k, o.scratch())
	if err != nil {
		return err
	}
	want, err := o.key.Bytes(o.given, o.scratch())
	if err != nil {
		return err
	}
	if (have == nil) != (want == nil) || string(have) != string(want) {
		return fmt.Errorf("cannot forward from %s: %w", o.name, ErrKeyChanged)
	}
	return nil
}

// Schedule runs f every interval ms by the given clock, until cancel is called.
func (o *Outlet[K, V]) Schedule(interval int64, by Clock, f func(at int64) error) (cancel func(), err error) {
	return o.task.schedule(o.name, by, interval, func(at int64) error {
		o.here()
		o.below, o.given = nil, nil
		err := f(at)
		if o.below != nil {
			return o.below
		}
		if err != nil {
			return o.failed(Processing, err)
		}
		return nil
	})
}

// Task is the outlet's task.
func (o *Outlet[K, V]) Task() *Task { return o.task }

// Uses checks that the processor was connected with a store.
func (o *Outlet[K, V]) Uses(store string) error {
	if !slices.Contains(o.stores, store) {
		return fmt.Errorf("cannot open store %s: processor %s is not connected with it: %w", store, o.name, ErrUnknownStore)
	}
	return nil
}

// Current is the record in work as it was read, and its headers.
func (t *Task) Current() (*Input, []Header) { return t.cur, t.headers }

// Now is the wall clock in ms.
func (t *Task) Now() int64 { return t.cfg.Now() }
