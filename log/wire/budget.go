package wire

import (
	"container/list"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// reservedShare of the budget (one part in so many) is kept for membership and administration, so that a flood of data
// cannot evict group members.
const reservedShare = 4

// budget counts the bytes of frames and decoded requests of all connections. Who finds it used up waits in line.
type budget struct {
	total   int64
	blocked atomic.Int64
	used    atomic.Int64 // copy of mu.used for Stats

	mu struct {
		sync.Mutex
		used    int64
		waiters list.List // of *ticket, in order of arrival
	}
}

// waker is woken after its ticket was granted, without locks held.
type waker interface{ wakeUp() }

// ticket is a place in the line.
type ticket struct {
	bytes    int64
	reserved bool // may use the reserve
	granted  atomic.Bool
	waiter   waker
	place    *list.Element
}

func newBudget(total int64) *budget {
	if total == 0 {
		total = DefaultBudgetBytes
		if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
			total = limit / 4
		}
	}
	return &budget{total: total}
}

// room reports whether bytes fit. A frame that alone is larger than the budget is let through when nothing else is in
// use: else it would wait for ever. The caller holds mu.
func (b *budget) room(bytes int64, reserved bool) bool {
	limit := b.total
	if !reserved {
		limit -= b.total / reservedShare
	}
	return b.mu.used == 0 || b.mu.used+bytes <= limit
}

// take gets bytes at once, or a ticket to wait for.
func (b *budget) take(bytes int64, reserved bool, w waker) *ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.room(bytes, reserved) && (reserved || b.mu.waiters.Len() == 0) {
		b.add(bytes)
		return nil
	}
	b.blocked.Add(1)
	t := &ticket{bytes: bytes, reserved: reserved, waiter: w}
	t.place = b.mu.waiters.PushBack(t)
	return t
}

// charge takes bytes without waiting, above the limit if need be: for a request that is being decoded already.
func (b *budget) charge(bytes int64) {
	b.mu.Lock()
	b.add(bytes)
	b.mu.Unlock()
}

func (b *budget) add(bytes int64) {
	b.mu.used += bytes
	b.used.Store(b.mu.used)
}

// leave gives up a ticket. What was granted meanwhile is given back.
func (b *budget) leave(t *ticket) {
	b.mu.Lock()
	granted := t.granted.Load()
	if !granted {
		b.mu.waiters.Remove(t.place)
	}
	b.mu.Unlock()
	if granted {
		b.release(t.bytes)
	} else {
		b.release(0) // whoever stood behind may fit
	}
}

// release gives bytes back and lets waiters in: in order, but those who may use the reserve pass the others.
func (b *budget) release(bytes int64) {
	b.mu.Lock()
	b.add(-bytes)
	if b.mu.used < 0 {
		b.mu.Unlock()
		panic("BUG: wire: more bytes released than were taken from the budget")
	}
	var granted []*ticket
	blocked := false // someone without reserve stands in front and does not fit
	for e := b.mu.waiters.Front(); e != nil; {
		t, next := e.Value.(*ticket), e.Next()
		if fits := b.room(t.bytes, t.reserved); fits && (t.reserved || !blocked) {
			b.add(t.bytes)
			b.mu.waiters.Remove(e)
			t.granted.Store(true)
			granted = append(granted, t)
		} else if !t.reserved {
			blocked = true
		}
		e = next
	}
	b.mu.Unlock()
	for _, t := range granted {
		t.waiter.wakeUp()
	}
}
