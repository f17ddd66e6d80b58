package state

import (
	"bytes"
	"hash/maphash"
)

// A table finds entries by key. Three layers, none with a pointer per entry:
//
//	slots     open addressing, linear probing: upper half of the key's 64-bit hash (32) │ entry number + 1 (32); 0 is empty
//	entries   by number; a number stays with its key until release, so lists and indexes hold numbers
//	arena     one record per entry: key, then value, in a size class with room to grow
//
// The half hash in the slot decides both the home slot and nearly every comparison, so a miss touches slots only and growing
// reads no key. The hash seed is random per table; no order that can be seen from outside depends on it.
//
// A deleted entry keeps its number and key (valueLen -1) until the flush that tells the changelog, then it is released.
type table struct {
	seed       maphash.Seed
	slots      []uint64 // a power of two, or empty
	entries    []entry
	spare      []uint32 // numbers that are free
	arena      arena
	live       int   // entries with a value
	dirtyBytes int64 // sum of weight over all entries
}

const (
	none         = ^uint32(0) // no entry
	minSlots     = 16
	deletedValue = -1 // valueLen of an entry without value
)

type entry struct {
	at       ref
	ts       int64
	keyLen   uint32
	valueLen int32  // deletedValue ≤ valueLen, keyLen + valueLen ≤ capacity
	capacity uint32 // bytes of the record; 0 for a free number
	dirty    bool   // changed since the last flush; its number is on the store's dirty list
	logged   bool   // the changelog may hold a value
}

func newTable() table { return table{seed: maphash.MakeSeed(), arena: newArena()} }

func (t *table) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key) >> 32) }

// find returns the number of key's entry, deleted or not, or none.
func (t *table) find(key []byte) uint32 {
	if len(t.slots) == 0 {
		return none
	}
	return t.probe(key, t.hash(key))
}

func (t *table) probe(key []byte, tag uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			return none
		}
		if uint32(s>>32) == tag {
			number := uint32(s) - 1
			if bytes.Equal(t.key(number), key) {
				return number
			}
		}
	}
}

// obtain returns the entry of key, making a deleted one with room for a value of n bytes if there is none.
func (t *table) obtain(key []byte, n int) uint32 {
	tag := t.hash(key)
	if len(t.slots) > 0 {
		if number := t.probe(key, tag); number != none {
			return number
		}
	}
	at, capacity := t.alloc(len(key) + n)
	copy(t.arena.bytes(at, len(key)), key)
	e := entry{at: at, keyLen: uint32(len(key)), valueLen: deletedValue, capacity: uint32(capacity)}
	var number uint32
	if last := len(t.spare) - 1; last >= 0 {
		number = t.spare[last]
		t.spare = t.spare[:last]
		t.entries[number] = e
	} else {
		number = uint32(len(t.entries))
		t.entries = append(t.entries, e)
	}
	if occupied := len(t.entries) - len(t.spare); occupied > len(t.slots)/4*3 {
		t.grow()
	}
	t.link(uint64(tag)<<32 | uint64(number+1))
	return number
}

// alloc is arena.alloc, after a compaction if that may spare a chunk.
func (t *table) alloc(n int) (ref, int) {
	if t.arena.wasteful() && t.arena.full(n) {
		t.compact()
	}
	return t.arena.alloc(n)
}

// grow doubles the slots.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(minSlots, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			t.link(s)
		}
	}
}

// link puts a slot's content into the first free slot from its home on.
func (t *table) link(s uint64) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(s>>32) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// unlink empties the slot of an entry and moves later ones back, so that no probe ends early.
func (t *table) unlink(number uint32) {
	mask := uint32(len(t.slots) - 1)
	i := t.hash(t.key(number)) & mask
	for uint32(t.slots[i]) != number+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j] != 0; j = (j + 1) & mask {
		home := uint32(t.slots[j]>>32) & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
}

func (t *table) key(number uint32) []byte {
	e := &t.entries[number]
	return t.arena.bytes(e.at, int(e.keyLen))
}

// value returns an entry's value, nil if it is deleted.
func (t *table) value(number uint32) []byte {
	e := &t.entries[number]
	if e.valueLen < 0 {
		return nil
	}
	return t.arena.bytes(e.at+ref(e.keyLen), int(e.valueLen))
}

func (t *table) isLive(number uint32) bool { return t.entries[number].valueLen >= 0 }

func (t *table) stored(number uint32) Value {
	return Value{Bytes: t.value(number), Timestamp: t.entries[number].ts}
}

// set gives an entry a value, which may be one of this table's own slices.
func (t *table) set(number uint32, value []byte, ts int64) {
	e := &t.entries[number]
	before := e.weight()
	if e.valueLen < 0 {
		t.live++
	}
	if need := int(e.keyLen) + len(value); need > int(e.capacity) {
		t.move(number, need, value)
	} else {
		copy(t.arena.bytes(e.at+ref(e.keyLen), len(value)), value)
	}
	e.valueLen = int32(len(value))
	e.ts = ts
	t.dirtyBytes += e.weight() - before
}

// move gives an entry a record of at least need bytes with its key and value. The old record is released last, because value
// may lie in it.
func (t *table) move(number uint32, need int, value []byte) {
	at, capacity := t.alloc(need)
	e := &t.entries[number]
	record := t.arena.bytes(at, int(e.keyLen)+len(value))
	copy(record, t.key(number))
	copy(record[e.keyLen:], value)
	t.arena.release(e.at, int(e.capacity))
	e.at, e.capacity = at, uint32(capacity)
}

// delete takes an entry's value away.
func (t *table) delete(number uint32, ts int64) {
	e := &t.entries[number]
	before := e.weight()
	e.valueLen = deletedValue
	e.ts = ts
	t.live--
	t.dirtyBytes += e.weight() - before
}

// mark makes an entry dirty, and reports whether it was not.
func (t *table) mark(number uint32) bool {
	e := &t.entries[number]
	if e.dirty {
		return false
	}
	e.dirty = true
	t.dirtyBytes += e.weight()
	return true
}

// clean ends an entry's dirtiness; logged says whether the changelog now holds its value. A deleted entry is released.
func (t *table) clean(number uint32, logged bool) {
	e := &t.entries[number]
	t.dirtyBytes -= e.weight()
	e.dirty = false
	e.logged = logged
	if e.valueLen < 0 {
		t.release(number)
	}
}

// weight is what an entry adds to a flush, in bytes.
func (e *entry) weight() int64 {
	switch {
	case !e.dirty || e.valueLen < 0 && !e.logged:
		return 0
	case e.valueLen < 0:
		return int64(e.keyLen)
	}
	return int64(e.keyLen) + int64(e.valueLen)
}

// flush emits one entry if it is dirty and the changelog needs to hear of it.
func (t *table) flush(number uint32, emit func(key, value []byte, ts int64) error) error {
	e := &t.entries[number]
	if !e.dirty {
		return nil // restored since, or changed again after a flush that failed
	}
	if e.valueLen >= 0 || e.logged {
		if err := emit(t.key(number), t.value(number), e.ts); err != nil {
			return err
		}
	}
	t.clean(number, e.valueLen >= 0)
	return nil
}

// release frees a deleted entry's number and record.
func (t *table) release(number uint32) {
	t.unlink(number)
	e := &t.entries[number]
	t.arena.release(e.at, int(e.capacity))
	*e = entry{valueLen: deletedValue}
	t.spare = append(t.spare, number)
}

// compact copies all records into a fresh arena. Slices handed out before still see the old one.
func (t *table) compact() {
	fresh := newArena()
	for i := range t.entries {
		e := &t.entries[i]
		if e.capacity == 0 {
			continue
		}
		n := int(e.keyLen) + int(max(e.valueLen, 0))
		at, capacity := fresh.alloc(n)
		copy(fresh.bytes(at, n), t.arena.bytes(e.at, n))
		e.at, e.capacity = at, uint32(capacity)
	}
	t.arena = fresh
}

// trim compacts if more than half of the arena is dead. It is called where no slice is in use.
func (t *table) trim() {
	if t.arena.wasteful() {
		t.compact()
	}
}

// reset empties the table and keeps slots and entries, but not the arena: its slices may be in someone's hands.
func (t *table) reset() {
	clear(t.slots)
	t.entries = t.entries[:0]
	t.spare = t.spare[:0]
	t.arena = newArena()
	t.live, t.dirtyBytes = 0, 0
}
