package replica

// Watcher is told when a high watermark reaches a wanted offset. One watcher may watch many leaders; it does not say which one moved.
type Watcher struct {
	// C receives a value when something may have changed. It holds at most one: look at every leader after each receive.
	C chan struct{}
}

// NewWatcher returns a watcher that watches nothing yet.
func NewWatcher() *Watcher { return &Watcher{C: make(chan struct{}, 1)} }

func (w *Watcher) fire() {
	select {
	case w.C <- struct{}{}:
	default: // it has not looked since the last one
	}
}

// awaited is what one watcher waits for: a high watermark of hw or more, or a log start above start.
type awaited struct{ hw, start int64 }

// Watch makes w fire when the high watermark is at or above hw (at once if it is), the log's start moves, the log fails or the leader stops. Who
// read the start before must look at it once more after Watch: a move in between does not fire.
func (l *Leader) Watch(w *Watcher, hw int64) {
	l.mu.Lock()
	l.mu.watchers[w] = awaited{hw: hw, start: l.log.Start()}
	stopped := l.mu.stopped
	l.mu.Unlock()
	if stopped != nil || l.HighWatermark() >= hw || l.log.Err() != nil {
		w.fire()
	}
}

// Unwatch ends what Watch began; w may still hold one value.
func (l *Leader) Unwatch(w *Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.watchers, w)
}
