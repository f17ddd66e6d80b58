package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// readRequest reads one frame and its header.
func (c *Conn) readRequest() (*pending, error) {
	if !c.mutedUntil.IsZero() {
		if err := c.waitUntil(c.mutedUntil, func() bool { return false }); err != nil {
			return nil, err
		}
		c.mutedUntil = time.Time{}
	}
	size, key, err := c.readSize()
	if err != nil {
		return nil, err
	}
	p, err := c.admit(size, key)
	if err != nil {
		return nil, err
	}
	p.frame = c.server.pool.get(int(size))
	if err := c.readBody(p.frame.b); err != nil {
		c.recycle(p)
		return nil, err
	}
	c.server.counts.bytesIn.Add(size + 4)
	if err := c.parseHeader(p); err != nil {
		c.recycle(p)
		return nil, &CloseError{Reason: ReasonBadHeader, Err: err}
	}
	return p, nil
}

// readSize waits for the length of the next frame and its API key, which decides about the limit.
func (c *Conn) readSize() (size int64, key int16, err error) {
	l := &c.server.limits
	if c.br.Buffered() < 4 {
		c.arm(l.IdleTimeout, true)
	}
	head, err := c.br.Peek(4)
	for err != nil && len(head) == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.waitsForReply() {
		c.arm(l.IdleTimeout, true) // a client that waits for a long poll is not idle
		head, err = c.br.Peek(4)
	}
	if err != nil {
		return 0, 0, c.readError(err, ReasonIdle, len(head) > 0)
	}
	size = int64(int32(uint32(head[0])<<24 | uint32(head[1])<<16 | uint32(head[2])<<8 | uint32(head[3])))
	if reason, ok := checkSize(size, head, l); !ok {
		return 0, 0, &CloseError{Reason: reason, Err: fmt.Errorf("the first four bytes are %q, a length of %d", head, size)}
	}
	if c.br.Buffered() < 6 {
		c.arm(l.FrameTimeout, false)
	}
	head, err = c.br.Peek(6)
	if err != nil {
		return 0, 0, c.readError(err, ReasonSlowFrame, true)
	}
	key = int16(uint16(head[4])<<8 | uint16(head[5]))
	limit := l.FrameBytes
	if key == keyProduce {
		limit = l.ProduceFrameBytes
	}
	if size > limit {
		return 0, 0, &CloseError{Reason: ReasonFrameTooLarge,
			Err: fmt.Errorf("a request with key %d and %d bytes, %d are allowed", key, size, limit)}
	}
	if c.server.api(key) == nil {
		return 0, 0, &CloseError{Reason: ReasonUnknownAPI, Err: fmt.Errorf("API key %d", key)}
	}
	c.br.Discard(4)
	return size, key, nil
}

func (c *Conn) waitsForReply() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.inFlight > 0
}

// checkSize looks at the first four bytes of a frame.
func checkSize(size int64, head []byte, l *Limits) (Reason, bool) {
	switch {
	case size >= MinFrameBytes && size <= max(l.ProduceFrameBytes, l.FrameBytes):
		return 0, true
	case head[0] == 0x16 && head[1] == 0x03:
		return ReasonTLS, false
	case isHTTP(string(head)):
		return ReasonHTTP, false
	case size < 0:
		return ReasonNegativeSize, false
	case size < MinFrameBytes:
		return ReasonFrameTooSmall, false
	}
	return ReasonFrameTooLarge, false
}

func isHTTP(head string) bool {
	switch head {
	case "GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ":
		return true
	}
	return false
}

// admit waits until the connection and the node have room for a frame.
func (c *Conn) admit(size int64, key int16) (*pending, error) {
	l := &c.server.limits
	if err := c.waitUntil(time.Time{}, func() bool {
		m := &c.mu
		return m.inFlight == 0 || m.inFlight < l.InFlight && m.inFlightBytes+size <= l.InFlightBytes && m.unsent <= l.UnsentBytes
	}); err != nil {
		return nil, err
	}
	t := c.server.budget.take(size, usesReserve(key, size), c)
	if t != nil {
		if err := c.waitUntil(time.Time{}, t.granted.Load); err != nil {
			c.server.budget.leave(t)
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.inFlight++
	c.mu.inFlightBytes += size
	p := c.takePending()
	p.req.frameBytes = size
	return p, nil
}

// usesReserve tells which requests may use the reserved part of the budget: membership of groups and administration.
func usesReserve(key int16, size int64) bool {
	return key != keyProduce && key != keyFetch && size <= ReservedFrameBytes
}

// readBody fills b within the time that its size deserves.
func (c *Conn) readBody(b []byte) error {
	if c.br.Buffered() < len(b) {
		seconds := float64(len(b)) / FrameBytesPerSecond
		c.arm(c.server.limits.FrameTimeout+time.Duration(seconds*float64(time.Second)), false)
	}
	if _, err := io.ReadFull(c.br, b); err != nil {
		return c.readError(err, ReasonSlowFrame, true)
	}
	return nil
}

// arm sets the deadline of the next read. A lazy one may end a slack later and is left alone while it still is far
// enough away: setting it costs more than reading a small frame.
func (c *Conn) arm(d time.Duration, lazy bool) {
	deadline := time.Now().Add(d)
	if lazy {
		if !c.readDeadline.Before(deadline) && c.readDeadline.Sub(deadline) <= slack(d) {
			return
		}
		deadline = deadline.Add(slack(d))
	}
	c.readDeadline = deadline
	c.nc.SetReadDeadline(deadline)
}

// slack is by how much a timeout may come late.
func slack(timeout time.Duration) time.Duration { return min(deadlineSlack, timeout/8) }

// readError names the reason of a failed read.
func (c *Conn) readError(err error, onTimeout Reason, inside bool) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		if inside && onTimeout == ReasonIdle {
			onTimeout = ReasonSlowFrame
		}
		return &CloseError{Reason: onTimeout, Err: err}
	case inside && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return &CloseError{Reason: ReasonTruncated, Err: err}
	case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || isReset(err):
		return &CloseError{Reason: ReasonClientClosed, Err: err}
	}
	return &CloseError{Reason: ReasonReadFailed, Err: err}
}
