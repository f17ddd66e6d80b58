package state

import (
	"bytes"
	"errors"
	"iter"
	"slices"
)

// MemoryKeyValue is a [KeyValue] in memory; also [Scanner] and [Logged].
type MemoryKeyValue struct {
	table   table
	dirty   []uint32 // in order of first change; may hold numbers that are clean again
	sorted  bool     // order is kept; from the first scan on
	order   order    // the live entries by key
	changes uint64   // inserts into and removals from order
}

// NewKeyValue returns an empty store.
func NewKeyValue() *MemoryKeyValue { return &MemoryKeyValue{table: newTable()} }

var (
	_ KeyValue = (*MemoryKeyValue)(nil)
	_ Scanner  = (*MemoryKeyValue)(nil)
	_ Logged   = (*MemoryKeyValue)(nil)
)

// Get implements [KeyValue].
func (s *MemoryKeyValue) Get(key []byte) (value []byte, ts int64, ok bool) {
	number := s.table.find(key)
	if number == none || !s.table.isLive(number) {
		return nil, 0, false
	}
	return s.table.value(number), s.table.entries[number].ts, true
}

// Put implements [KeyValue].
func (s *MemoryKeyValue) Put(key, value []byte, ts int64) {
	if value == nil {
		if number := s.table.find(key); number != none && s.table.isLive(number) {
			s.remove(number, ts)
		}
		return
	}
	number := s.store(key, value, ts)
	if s.table.mark(number) {
		s.dirty = append(s.dirty, number)
	}
}

// Delete implements [KeyValue].
func (s *MemoryKeyValue) Delete(key []byte) {
	if number := s.table.find(key); number != none && s.table.isLive(number) {
		s.remove(number, s.table.entries[number].ts)
	}
}

// Len implements [KeyValue].
func (s *MemoryKeyValue) Len() int { return s.table.live }

// store sets a value without making it dirty.
func (s *MemoryKeyValue) store(key, value []byte, ts int64) uint32 {
	number := s.table.obtain(key, len(value))
	created := !s.table.isLive(number)
	s.table.set(number, value, ts)
	if created && s.sorted {
		s.changes++
		s.order.insert(s.lowerBound(key), number)
	}
	return number
}

// remove deletes a live entry and makes it dirty.
func (s *MemoryKeyValue) remove(number uint32, ts int64) {
	s.forget(number)
	s.table.delete(number, ts)
	if s.table.mark(number) {
		s.dirty = append(s.dirty, number)
	}
}

// forget takes a live entry out of the order.
func (s *MemoryKeyValue) forget(number uint32) {
	if s.sorted {
		s.changes++
		s.order.remove(s.lowerBound(s.table.key(number)))
	}
}

// Flush implements [Logged].
func (s *MemoryKeyValue) Flush(emit func(key, value []byte, ts int64) error) error {
	for _, live := range []bool{true, false} {
		for _, number := range s.dirty {
			if s.table.isLive(number) != live {
				continue
			}
			if err := s.table.flush(number, emit); err != nil {
				s.dirty = slices.DeleteFunc(s.dirty, func(n uint32) bool { return !s.table.entries[n].dirty })
				return err
			}
		}
	}
	s.dirty = s.dirty[:0]
	s.table.trim()
	return nil
}

var errNullKey = errors.New("cannot restore record: its key is null")

// Restore implements [Logged].
func (s *MemoryKeyValue) Restore(key, value []byte, ts int64) error {
	if key == nil {
		return errNullKey
	}
	if value != nil {
		s.table.clean(s.store(key, value, ts), true)
		return nil
	}
	number := s.table.find(key)
	if number == none {
		return nil
	}
	if s.table.isLive(number) {
		s.forget(number)
		s.table.delete(number, ts)
	}
	s.table.clean(number, false)
	return nil
}

// DirtyBytes implements [Logged].
func (s *MemoryKeyValue) DirtyBytes() int64 { return s.table.dirtyBytes }

// Range implements [KeyValue].
func (s *MemoryKeyValue) Range(from, to []byte) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		s.ascend(from, func(key []byte) bool { return to == nil || bytes.Compare(key, to) <= 0 }, yield)
	}
}

// Prefix implements [Scanner].
func (s *MemoryKeyValue) Prefix(prefix []byte) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		s.ascend(prefix, func(key []byte) bool { return bytes.HasPrefix(key, prefix) }, yield)
	}
}

// ascend yields entries from the first key ≥ from on, while within says so.
func (s *MemoryKeyValue) ascend(from []byte, within func(key []byte) bool, yield func([]byte, Value) bool) {
	s.sort()
	p := s.lowerBound(from)
	for number := s.order.at(p); number != none; number = s.order.at(p) {
		key := s.table.key(number)
		if !within(key) {
			return
		}
		before := s.changes
		if !yield(key, s.table.stored(number)) {
			return
		}
		if s.changes != before { // the number still has its key: only a flush or restore releases it
			p = s.lowerBound(s.table.key(number))
			if s.order.at(p) != number {
				continue
			}
		}
		p = s.order.next(p)
	}
}

// RangeBackward implements [Scanner].
func (s *MemoryKeyValue) RangeBackward(from, to []byte) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		s.sort()
		p := position{block: len(s.order.blocks)}
		if to != nil {
			p = s.order.search(func(n uint32) bool { return bytes.Compare(s.table.key(n), to) <= 0 })
		}
		for {
			p = s.order.previous(p)
			number := s.order.at(p)
			if number == none {
				return
			}
			key := s.table.key(number)
			if bytes.Compare(key, from) < 0 {
				return
			}
			before := s.changes
			if !yield(key, s.table.stored(number)) {
				return
			}
			if s.changes != before {
				p = s.lowerBound(s.table.key(number))
			}
		}
	}
}

// lowerBound is the position of the first entry whose key is not before key.
func (s *MemoryKeyValue) lowerBound(key []byte) position {
	return s.order.search(func(n uint32) bool { return bytes.Compare(s.table.key(n), key) < 0 })
}

// sort makes the order, the first time it is needed.
func (s *MemoryKeyValue) sort() {
	if s.sorted {
		return
	}
	s.sorted = true
	numbers := make([]uint32, 0, s.table.live)
	for i := range s.table.entries {
		if s.table.entries[i].valueLen >= 0 {
			numbers = append(numbers, uint32(i))
		}
	}
	slices.SortFunc(numbers, func(a, b uint32) int { return bytes.Compare(s.table.key(a), s.table.key(b)) })
	s.order.fill(numbers)
}
