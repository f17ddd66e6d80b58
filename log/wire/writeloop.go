package wire

import (
	"context"
	"slices"
)

// writeLoop is the writing goroutine: it takes replies from the front of the queue, runs what is not ready yet, and
// writes as many in one go as are ready. It ends when the connection is ending and the queue is empty.
func (c *Conn) writeLoop() {
	defer close(c.done)
	for {
		if err := c.writeBatch(); err != nil {
			c.fail(reasonOf(err, ReasonWriteFailed))
			c.dropQueue()
			return
		}
		if c.queued(0) != nil {
			continue
		}
		if c.isEnding() {
			return
		}
		<-c.wake
	}
}

func (c *Conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.ending && len(c.mu.queue) == 0
}

// queued is the i-th reply of the queue, or nil.
func (c *Conn) queued(i int) *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i >= len(c.mu.queue) {
		return nil
	}
	return c.mu.queue[i]
}

// writeBatch writes the queue until it is empty. The outbox always holds the first n replies of the queue.
func (c *Conn) writeBatch() error {
	n := 0
	for {
		p := c.queued(n)
		if p == nil && n == 0 {
			return nil
		}
		if p == nil || c.out.full() || p.later != nil && n > 0 && (p.ready == nil || !p.ready()) {
			if err := c.flushBatch(n); err != nil {
				return err
			}
			n = 0
			continue
		}
		if p.later != nil {
			if err := c.runLater(p); err != nil {
				return err
			}
		}
		c.out.add(p)
		n++
	}
}

// flushBatch writes the outbox and takes its n replies off the queue.
func (c *Conn) flushBatch(n int) error {
	if err := c.out.write(); err != nil {
		return err
	}
	// The moment the queue is empty the outbox may be the reader's: empty it before.
	c.written = append(c.written[:0], c.out.replies...)
	c.out.reset()
	c.mu.Lock()
	for _, p := range c.mu.queue[:n] {
		c.mu.unsent -= p.unsent
	}
	c.mu.queue = slices.Delete(c.mu.queue, 0, n)
	c.mu.Unlock()
	for i, p := range c.written {
		c.recycle(p)
		c.written[i] = nil
	}
	return nil
}

// runLater calls a Later until there is a reply. p stays in the queue.
func (c *Conn) runLater(p *pending) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.panicked(r)
		}
	}()
	for p.later != nil {
		if c.ctx.Err() != nil {
			return &CloseError{Reason: ReasonClientClosed, Err: c.ctx.Err()}
		}
		later := p.later
		p.later, p.ready, p.abandon = nil, nil, nil
		reply, err := later(c.ctx)
		if err != nil {
			reply.drop()
			if c.ctx.Err() != nil {
				return &CloseError{Reason: ReasonClientClosed, Err: context.Cause(c.ctx)}
			}
			return reasonOf(err, ReasonHandler)
		}
		before := p.unsent
		if err := p.set(c, reply); err != nil {
			return err
		}
		c.mu.Lock()
		c.mu.unsent += p.unsent - before
		c.mu.Unlock()
	}
	return nil
}

// dropQueue waits for the reader to end and gives back what it queued. Only the writer calls it, as its last act.
func (c *Conn) dropQueue() {
	c.out.reset() // while the queue is not empty the outbox is the writer's; afterwards the reader's
	for {
		c.mu.Lock()
		queue, ending := c.mu.queue, c.mu.ending
		c.mu.queue = nil
		c.mu.unsent = 0
		c.mu.Unlock()
		for _, p := range queue {
			c.recycle(p)
		}
		if ending {
			return
		}
		<-c.wake
	}
}
