package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Limits of the pipe.
const (
	PipeBufferBytes = 256 << 10 // each way
	pipeBacklog     = 128       // dialed and not accepted
)

// PipeListener is a listener in memory: Dial reaches its Accept. It uses no descriptor, and works under virtual time.
type PipeListener struct {
	backlog chan *pipeConn
	closed  chan struct{}
	once    sync.Once
}

// Pipe makes a listener in memory.
func Pipe() *PipeListener {
	return &PipeListener{backlog: make(chan *pipeConn, pipeBacklog), closed: make(chan struct{})}
}

// Accept waits for a Dial.
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Dial connects to the listener. It waits for a place in the backlog, not for Accept.
func (l *PipeListener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := newPipe()
	select {
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	default:
	}
	select {
	case l.backlog <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: ctx.Err()}
	}
}

// Close ends Accept and Dial and hangs up on what was dialed and never accepted. Accepted connections stay.
func (l *PipeListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		for {
			select {
			case c := <-l.backlog:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr is the address "pipe".
func (l *PipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

var errPipeBroken = errors.New("the other end of the pipe is closed")

// pipeConn is one end: it reads from in and writes to out.
type pipeConn struct {
	in, out *stream
}

func newPipe() (*pipeConn, *pipeConn) {
	a, b := newStream(), newStream()
	return &pipeConn{in: a, out: b}, &pipeConn{in: b, out: a}
}

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

// CloseWrite ends the stream towards the other end, which reads what is left and then io.EOF.
func (c *pipeConn) CloseWrite() error {
	c.out.closeWrite()
	return nil
}

// Close hangs up both ways: the other end reads what is left, then io.EOF; its writes fail.
func (c *pipeConn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	return nil
}

// hungUp is closed when the other end will not write any more.
func (c *pipeConn) hungUp() <-chan struct{} { return c.in.ended }

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

func (c *pipeConn) SetDeadline(t time.Time) error {
	c.in.reader.set(t)
	c.out.writer.set(t)
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	c.in.reader.set(t)
	return nil
}

func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	c.out.writer.set(t)
	return nil
}

// stream is one direction: a ring of at most PipeBufferBytes that starts small.
//
//	buf  [....rrrrrrrrrr......]
//	          ^start    ^start+used (mod len)
type stream struct {
	mu    sync.Mutex
	buf   []byte
	start int
	used  int

	ended      chan struct{} // closed with the writing end
	readClosed bool
	endOnce    sync.Once

	reader, writer side
}

// side is what one end of a stream waits with.
type side struct {
	stream *stream
	cond   *sync.Cond

	// under stream.mu
	deadline time.Time
	timer    *time.Timer
	expired  bool
}

const pipeFirstBytes = 4 << 10

func newStream() *stream {
	s := &stream{buf: make([]byte, pipeFirstBytes), ended: make(chan struct{})}
	s.reader = side{stream: s, cond: sync.NewCond(&s.mu)}
	s.writer = side{stream: s, cond: sync.NewCond(&s.mu)}
	return s
}

// set changes the deadline of a side; a time in the past wakes it at once.
func (d *side) set(t time.Time) {
	d.stream.mu.Lock()
	defer d.stream.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.deadline, d.expired = t, false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		d.cond.Broadcast()
		return
	}
	d.timer = time.AfterFunc(wait, func() { d.expire(t) })
}

func (d *side) expire(t time.Time) {
	d.stream.mu.Lock()
	defer d.stream.mu.Unlock()
	if d.deadline.Equal(t) { // not moved meanwhile
		d.expired = true
		d.cond.Broadcast()
	}
}

func (s *stream) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readClosed:
			return 0, net.ErrClosed
		case s.reader.expired:
			return 0, os.ErrDeadlineExceeded
		case s.used > 0:
			n := 0
			for n < len(p) && s.used > 0 {
				m := copy(p[n:], s.buf[s.start:min(s.start+s.used, len(s.buf))])
				n += m
				s.used -= m
				s.start = (s.start + m) % len(s.buf)
			}
			s.writer.cond.Broadcast()
			return n, nil
		case s.hasEnded():
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.reader.cond.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for {
		switch {
		case s.hasEnded():
			return n, net.ErrClosed
		case s.readClosed:
			return n, errPipeBroken
		case s.writer.expired:
			return n, os.ErrDeadlineExceeded
		case n == len(p):
			return n, nil
		}
		if s.used == len(s.buf) {
			s.grow(len(p) - n)
		}
		if s.used == len(s.buf) {
			s.writer.cond.Wait()
			continue
		}
		for n < len(p) && s.used < len(s.buf) {
			at := (s.start + s.used) % len(s.buf)
			end := len(s.buf)
			if at < s.start {
				end = s.start
			}
			m := copy(s.buf[at:end], p[n:])
			n += m
			s.used += m
		}
		s.reader.cond.Broadcast()
	}
}

// grow makes room for more bytes up to the limit, in powers of two. The caller holds mu.
func (s *stream) grow(more int) {
	size := len(s.buf)
	for size < PipeBufferBytes && size < s.used+more {
		size *= 2
	}
	if size == len(s.buf) {
		return
	}
	buf := make([]byte, size)
	n := copy(buf, s.buf[s.start:min(s.start+s.used, len(s.buf))])
	copy(buf[n:], s.buf[:s.used-n])
	s.buf, s.start = buf, 0
}

func (s *stream) closeWrite() {
	s.endOnce.Do(func() {
		s.mu.Lock()
		close(s.ended)
		s.mu.Unlock()
		s.writer.set(time.Time{}) // stops the timer
		s.reader.cond.Broadcast()
		s.writer.cond.Broadcast()
	})
}

func (s *stream) closeRead() {
	s.reader.set(time.Time{})
	s.mu.Lock()
	s.readClosed = true
	s.used = 0
	s.mu.Unlock()
	s.reader.cond.Broadcast()
	s.writer.cond.Broadcast()
}
