package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one connection of a client. Two goroutines belong to it: the reader, which also calls the handler, and the
// writer.
type Conn struct {
	id     uint64
	server *Server
	nc     net.Conn
	info   ListenerInfo
	ip     netip.Addr
	ctx    context.Context
	cancel context.CancelFunc
	closed atomic.Pointer[CloseError] // set once: why it ended

	// reader only
	br           *bufio.Reader
	readDeadline time.Time // what is set on nc
	clientID     string    // of the last request, so that it is not allocated for each
	rawClientID  []byte
	mutedUntil   time.Time

	written []*pending // writer only: scratch

	parker parker
	out    outbox        // of the writer while the queue is not empty, else of the reader
	wake   chan struct{} // capacity 1: the queue or ending changed
	done   chan struct{} // closed by the writer when it ends

	mu struct {
		sync.Mutex
		queue         []*pending // replies in order; the first stays here until it is written
		free          []*pending // for use again, at most Limits.InFlight
		inFlight      int
		inFlightBytes int64
		unsent        int64 // bytes of encoded replies in the queue
		parked        bool  // the reader waits in parker
		ending        bool  // nothing is queued any more
	}
}

func newConn(s *Server, nc net.Conn, ip netip.Addr, info ListenerInfo) *Conn {
	c := &Conn{
		id: s.nextID.Add(1), server: s, nc: nc, ip: ip, info: info,
		br:     bufio.NewReaderSize(nc, readBufferBytes),
		parker: newParker(nc),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	c.out.init(c)
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	return c
}

// ID is unique within the server.
func (c *Conn) ID() uint64 { return c.id }

// Listener is where the client came in.
func (c *Conn) Listener() ListenerInfo { return c.info }

// RemoteAddr is the address of the client.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// Close ends the connection; err is what the log will say.
func (c *Conn) Close(err error) { c.fail(&CloseError{Reason: ReasonServerClosed, Err: err}) }

// fail ends the connection at once: what is queued is dropped.
func (c *Conn) fail(why *CloseError) {
	c.closed.CompareAndSwap(nil, why)
	c.cancel()
	c.nc.Close()
	c.mu.Lock()
	c.wakeReader()
	c.mu.Unlock()
}

// run is the reading goroutine.
func (c *Conn) run() {
	go c.writeLoop()
	why := c.readLoop()
	drain := why.Reason == ReasonClientClosed || why.Reason == ReasonHandler
	c.closed.CompareAndSwap(nil, why)
	c.cancel()
	if !drain {
		c.nc.Close()
	}
	c.mu.Lock()
	c.mu.ending = true
	c.mu.Unlock()
	c.signal()
	<-c.done
	c.nc.Close()
}

// report counts and logs the end of the connection.
func (c *Conn) report() {
	why := c.closed.Load()
	defer c.server.counts.closed[why.Reason].Add(1) // who sees the count finds the line
	switch why.Reason {
	case ReasonClientClosed, ReasonServerClosed, ReasonIdle, ReasonTruncated, ReasonReadFailed, ReasonWriteFailed:
		c.server.log.Debug("connection closed", "reason", why.Reason.String(), "error", why.Err,
			"remote", c.nc.RemoteAddr().String())
	default:
		if c.server.foreign.allow(c.ip, time.Now()) {
			c.server.log.Warn("connection closed", "reason", why.Reason.String(), "error", why.Err,
				"listener", c.info.Name, "remote", c.nc.RemoteAddr().String(), "client", c.clientID)
		}
	}
}

// readLoop reads and serves requests until the connection ends.
func (c *Conn) readLoop() (why *CloseError) {
	for {
		p, err := c.readRequest()
		if err == nil {
			err = c.serve(p)
		}
		if err != nil {
			return reasonOf(err, ReasonReadFailed)
		}
	}
}

// waitUntil parks the reader until cond holds (asked with mu held), until a time that is not zero, or until the client
// hangs up. It is woken by wakeReader.
func (c *Conn) waitUntil(until time.Time, cond func() bool) error {
	for {
		c.mu.Lock()
		if cond() || !until.IsZero() && !time.Now().Before(until) {
			c.mu.Unlock()
			return nil
		}
		if c.ctx.Err() != nil {
			c.mu.Unlock()
			return &CloseError{Reason: ReasonServerClosed}
		}
		c.mu.parked = true
		c.parker.prepare(until)
		c.mu.Unlock()
		gone := c.parker.park(c.ctx)
		c.mu.Lock()
		c.mu.parked = false
		c.readDeadline = time.Time{}
		c.mu.Unlock()
		if gone {
			return &CloseError{Reason: ReasonClientClosed, Err: io.EOF}
		}
	}
}

// wakeReader wakes a parked reader. The caller holds mu.
func (c *Conn) wakeReader() {
	if c.mu.parked {
		c.parker.wake()
	}
}

func (c *Conn) wakeUp() {
	c.mu.Lock()
	c.wakeReader()
	c.mu.Unlock()
}

// signal tells the writer that the queue changed.
func (c *Conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve calls the handler and sees to the reply.
func (c *Conn) serve(p *pending) error {
	c.server.counts.requests[p.req.Key].Add(1)
	if err := c.callHandler(p); err != nil {
		c.recycle(p)
		return err
	}
	if p.none {
		c.recycle(p)
		return nil
	}
	return c.send(p)
}

// callHandler gets the reply into p; encoding it is guarded against panics as the handler is.
func (c *Conn) callHandler(p *pending) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = c.panicked(r)
		}
	}()
	reply, err := c.server.handler.Serve(c.ctx, &p.req)
	if err != nil {
		reply.drop()
		return reasonOf(err, ReasonHandler)
	}
	if reply.Throttle > 0 {
		c.mutedUntil = time.Now().Add(reply.Throttle)
	}
	return p.set(c, reply)
}

// panicked logs a panic of the handler and makes it the reason to close.
func (c *Conn) panicked(r any) error {
	err := &CloseError{Reason: ReasonPanic, Err: fmt.Errorf("handler panicked: %v", r)}
	c.server.log.Error("handler panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	return err
}

// send writes a reply at once if nothing is before it and nothing behind it is waiting to be read; else it queues it
// for the writer, which gathers replies into one write.
func (c *Conn) send(p *pending) error {
	more := c.br.Buffered() >= 4
	c.mu.Lock()
	if len(c.mu.queue) > 0 || p.later != nil || more {
		c.mu.queue = append(c.mu.queue, p)
		c.mu.unsent += p.unsent
		c.mu.Unlock()
		c.signal()
		return nil
	}
	c.mu.Unlock()
	c.out.add(p)
	return c.out.flush()
}
