package client

import (
	"context"
	"slices"
	"sync"
)

// callbacks carries the library's rebalance callbacks, which come on its own goroutine, over to the goroutine that polls.
//
// The library waits inside its callback until ours has run. So between two calls of Poll nothing happens to the member: neither
// does it lose partitions it works on, nor does the group go on without a last commit. (The library's own way,
// BlockRebalanceOnPoll, gives the same order but calls back on its goroutine.)
type callbacks struct {
	wake   chan struct{} // capacity 1: something is pending
	closed chan struct{}

	mu struct {
		sync.Mutex
		pending    []*callback // at most one in practice: the library delivers one at a time
		cancelPoll context.CancelFunc
		closed     bool
	}
}

type callbackKind int8

const (
	assigned callbackKind = iota
	revoked
	lost
)

type callback struct {
	kind       callbackKind
	partitions []TopicPartition
	done       chan struct{}
}

func (c *callbacks) init() {
	c.wake = make(chan struct{}, 1)
	c.closed = make(chan struct{})
}

// deliver hands one callback over and waits until it has run, or nobody will run it any more.
func (c *callbacks) deliver(kind callbackKind, m map[string][]int32) {
	if kind != assigned && len(m) == 0 {
		return
	}
	call := &callback{kind, flatten(m), make(chan struct{})}
	c.mu.Lock()
	c.mu.pending = append(c.mu.pending, call)
	if c.mu.cancelPoll != nil {
		c.mu.cancelPoll()
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case <-call.done:
	case <-c.closed:
	}
}

// watch returns a context that ends when a callback is delivered, or with ctx.
func (c *callbacks) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed || len(c.mu.pending) > 0 {
		cancel()
	}
	c.mu.cancelPoll = cancel
	return ctx, func() {
		c.mu.Lock()
		c.mu.cancelPoll = nil
		c.mu.Unlock()
		cancel()
	}
}

func (c *callbacks) take() []*callback {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.mu.pending
	c.mu.pending = nil
	return calls
}

func (c *callbacks) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return
	}
	c.mu.closed = true
	if c.mu.cancelPoll != nil {
		c.mu.cancelPoll()
	}
	close(c.closed)
}

// runCallbacks runs what is pending and reports whether there was anything.
func (g *Group) runCallbacks() bool {
	calls := g.calls.take()
	for _, call := range calls {
		g.run(call)
		close(call.done)
	}
	return len(calls) > 0
}

func (g *Group) run(call *callback) {
	switch call.kind {
	case assigned:
		for _, tp := range call.partitions {
			g.owned[tp] = struct{}{}
		}
		if g.cfg.OnAssigned == nil {
			return
		}
		a := Assigned{Added: call.partitions}
		a.MemberID, a.Generation = g.cl.GroupMetadata()
		if g.adapter != nil {
			a.UserData = g.adapter.lastUserData()
		}
		g.cfg.OnAssigned(a)
	case revoked:
		// The partitions are this member's until the callback returns, so that it can commit them.
		if tps := g.stillOwned(call.partitions); len(tps) > 0 && g.cfg.OnRevoked != nil {
			g.cfg.OnRevoked(tps)
		}
		g.disown(call.partitions)
	case lost:
		tps := g.stillOwned(call.partitions)
		g.disown(call.partitions)
		if len(tps) > 0 && g.cfg.OnLost != nil {
			g.cfg.OnLost(tps)
		}
	}
}

// stillOwned drops what was taken away before: the library repeats itself when a session ends.
func (g *Group) stillOwned(tps []TopicPartition) []TopicPartition {
	return slices.DeleteFunc(slices.Clone(tps), func(tp TopicPartition) bool { return !g.isOwned(tp) })
}

func (g *Group) disown(tps []TopicPartition) {
	for _, tp := range tps {
		delete(g.owned, tp)
	}
}
