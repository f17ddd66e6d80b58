package group

import (
	"container/heap"
	"time"
)

// timer is one thing to be done at a time, unless it is stopped or moved before.
type timer struct {
	at    time.Duration
	seq   uint64 // makes the order of equal times the order in which the timers were set
	index int    // in the heap; -1: not set
	fire  func()
}

func newTimer(fire func()) *timer { return &timer{index: -1, fire: fire} }

func (t *timer) set() bool { return t.index >= 0 }

// timers is a heap of those that are set. Moving one costs a few comparisons, which makes heartbeats cheap and NextTick exact.
type timers struct {
	heap timerHeap
	seq  uint64
}

// arm sets or moves t.
func (ts *timers) arm(t *timer, at time.Duration) {
	ts.seq++
	t.at, t.seq = at, ts.seq
	if t.set() {
		heap.Fix(&ts.heap, t.index)
		return
	}
	heap.Push(&ts.heap, t)
}

func (ts *timers) stop(t *timer) {
	if t.set() {
		heap.Remove(&ts.heap, t.index)
	}
}

// due takes out the first timer that is due at now, nil if there is none.
func (ts *timers) due(now time.Duration) *timer {
	if len(ts.heap) == 0 || ts.heap[0].at > now {
		return nil
	}
	return heap.Pop(&ts.heap).(*timer)
}

func (ts *timers) next() (time.Duration, bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].at, true
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
