package engine

import (
	"fmt"
	"slices"
)

// Processor is a node of the user's own, as the engine drives it.
type Processor[K, V any] struct {
	Init    func() error // after the stores have been restored
	Process func(*Record[K, V]) error
	Close   func() error
}

// Process adds a processor. make is called once per task.
func Process[K, V, K2, V2 any](p *Port[Record[K, V]], n Node, stores []string, keyOut *Coder[K2], valueOut *Coder[V2], make func(*Outlet[K2, V2]) Processor[K, V]) *Port[Record[K2, V2]] {
	out := new(Port[Record[K2, V2]])
	p.To(func(b *Build) Next[Record[K, V]] {
		o := &Outlet[K2, V2]{Site: b.site(n), stores: stores, key: keyOut, value: valueOut, next: out.compile(b)}
		proc := make(o)
		b.task.starts = append(b.task.starts, func() error {
			if err := proc.Init(); err != nil {
				return fmt.Errorf("cannot initialise processor %s of task %s: %w", n.Name, b.task.id, err)
			}
			return nil
		})
		b.task.closers = append(b.task.closers, func() error {
			if err := proc.Close(); err != nil {
				return fmt.Errorf("cannot close processor %s of task %s: %w", n.Name, b.task.id, err)
			}
			return nil
		})
		return func(r *Record[K, V]) error {
			o.below = nil
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
	stores []string
	key    *Coder[K]
	value  *Coder[V]
	next   Next[Record[K, V]]
	o      Record[K, V]
	below  error // an error of the nodes below, which must not pass for one of the processor
}

// Forward sends a record on. headers replace those of the record in work while it is on its way.
func (o *Outlet[K, V]) Forward(k K, v V, nullKey, nullValue bool, at int64, headers []Header) error {
	before := o.task.headers
	o.task.headers = headers
	defer func() { o.task.headers = before }()
	r := &o.o
	o.key.Set(&r.Key, k)
	if nullKey {
		r.Key.SetNull()
	}
	o.value.Set(&r.Value, v)
	if nullValue {
		r.Value.SetNull()
	}
	r.Time = at
	if err := o.next(r); err != nil {
		o.below = err
		return err
	}
	return nil
}

// Schedule runs f every interval ms by the given clock, until cancel is called.
func (o *Outlet[K, V]) Schedule(interval int64, by Clock, f func(at int64) error) (cancel func(), err error) {
	return o.task.schedule(o.name, by, interval, func(at int64) error {
		o.below = nil
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
