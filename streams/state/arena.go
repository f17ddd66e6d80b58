package state

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// An arena hands out byte records and takes them back. Records have sizes of certain classes:
//
//	16 24 32 40 48 56 64 | 80 96 112 128 | 160 192 224 256 | 320 …      four classes per doubling
//
// so that a record wastes at most a fifth, and a value may grow a little where it lies. A record given back joins the list
// of its class; the list's link stands in the record's first 8 bytes. What such lists cannot serve again (many classes, little
// of each) comes back when the table that owns the arena copies it (table.compact).
const (
	minRecordBytes    = 16
	smallRecordBytes  = 64
	smallClasses      = (smallRecordBytes-minRecordBytes)/8 + 1
	maxRecordBytes    = 1 << 31
	classCount        = smallClasses + 4*25
	firstChunkBytes   = 1 << 10
	maxChunkBytes     = 1 << 20
	ownChunkBytes     = maxChunkBytes / 4 // from here on a record gets a chunk of its own
	compactSlackBytes = 64 << 10          // dead bytes that are not worth a copy
)

// ref is where a record lies: chunk number and offset, 32 bits each.
type ref uint64

type arena struct {
	chunks  [][]byte
	current int             // the chunk that is being filled; -1 before the first
	filled  int             // bytes handed out of the current chunk
	free    [classCount]ref // head of each class's list, plus 1; 0 is an empty list
	size    int64           // bytes of all chunks, less what is unused in the current one
	used    int64           // bytes in records; used ≤ size
}

func newArena() arena { return arena{current: -1} }

// class returns the number and the size of the class for n bytes.
func class(n int) (number, size int) {
	switch {
	case n <= minRecordBytes:
		return 0, minRecordBytes
	case n <= smallRecordBytes:
		size = (n + 7) &^ 7
		return (size - minRecordBytes) / 8, size
	case n > maxRecordBytes:
		panic(fmt.Sprintf("BUG: a record of %d bytes, the limit is %d", n, maxRecordBytes))
	}
	top := bits.Len(uint(n-1)) - 1 // n-1 has its highest bit here
	quarter := (n - 1) >> (top - 2)
	return smallClasses + (top-6)*4 + quarter&3, (quarter + 1) << (top - 2)
}

// alloc returns a record of at least n bytes and its true size.
func (a *arena) alloc(n int) (ref, int) {
	number, size := class(n)
	a.used += int64(size)
	if head := a.free[number]; head != 0 {
		r := head - 1
		a.free[number] = ref(binary.LittleEndian.Uint64(a.bytes(r, 8)))
		return r, size
	}
	if size >= ownChunkBytes {
		a.chunks = append(a.chunks, make([]byte, size))
		a.size += int64(size)
		return ref(len(a.chunks)-1) << 32, size
	}
	if a.current < 0 || a.filled+size > len(a.chunks[a.current]) {
		a.addChunk(size)
	}
	r := ref(a.current)<<32 | ref(a.filled)
	a.filled += size
	a.size += int64(size)
	return r, size
}

// addChunk starts a new chunk with room for at least size bytes. The rest of the old one is lost until the next compaction.
func (a *arena) addChunk(size int) {
	n := firstChunkBytes
	if a.current >= 0 {
		old := len(a.chunks[a.current])
		a.size += int64(old - a.filled)
		n = min(2*old, maxChunkBytes)
	}
	for n < size {
		n *= 2
	}
	a.chunks = append(a.chunks, make([]byte, n))
	a.current, a.filled = len(a.chunks)-1, 0
}

// full reports whether n bytes need a new chunk.
func (a *arena) full(n int) bool {
	number, size := class(n)
	return a.free[number] == 0 && (size >= ownChunkBytes || a.current < 0 || a.filled+size > len(a.chunks[a.current]))
}

// release takes back a record of the given true size.
func (a *arena) release(r ref, size int) {
	number, _ := class(size)
	binary.LittleEndian.PutUint64(a.bytes(r, 8), uint64(a.free[number]))
	a.free[number] = r + 1
	a.used -= int64(size)
}

// bytes returns n bytes of the record at r. It is never nil.
func (a *arena) bytes(r ref, n int) []byte {
	at := int(uint32(r))
	return a.chunks[r>>32][at : at+n : at+n]
}

// wasteful reports whether more than half of the arena is dead and a copy would pay.
func (a *arena) wasteful() bool { return a.size-a.used > a.used+compactSlackBytes }

// reset empties the arena and keeps the chunk that was being filled. Nobody may hold slices of it.
func (a *arena) reset() {
	if a.current < 0 {
		*a = newArena()
		return
	}
	*a = arena{chunks: [][]byte{a.chunks[a.current]}}
}
