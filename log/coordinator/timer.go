package coordinator

import (
	"math"
	"sync/atomic"
	"time"
)

// never is the time of a shard that has nothing to do.
const never = time.Duration(math.MaxInt64)

// timer runs one goroutine that calls due whenever something is, and sleeps meanwhile.
type timer struct {
	now  func() time.Duration
	due  func(now time.Duration) (next time.Duration, ok bool)
	at   atomic.Int64 // when the goroutine wakes up by itself; never while it runs due
	wake chan struct{}
	quit chan struct{}
	done chan struct{}
}

func startTimer(now func() time.Duration, due func(time.Duration) (time.Duration, bool)) *timer {
	t := &timer{now: now, due: due, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	t.at.Store(int64(never))
	go t.run()
	return t
}

// arm makes sure that the goroutine runs at that time or before.
func (t *timer) arm(at time.Duration) {
	if at >= time.Duration(t.at.Load()) {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

func (t *timer) close() {
	close(t.quit)
	<-t.done
}

func (t *timer) run() {
	defer close(t.done)
	sleep := time.NewTimer(never)
	defer sleep.Stop()
	for {
		t.at.Store(int64(never)) // from here on arm wakes us, so that nothing slips in between due and the sleep
		now := t.now()
		at, ok := t.due(now)
		if ok {
			t.at.Store(int64(at))
			sleep.Reset(max(at-t.now(), 0))
		} else {
			sleep.Reset(never)
		}
		select {
		case <-sleep.C:
		case <-t.wake:
		case <-t.quit:
			return
		}
	}
}
