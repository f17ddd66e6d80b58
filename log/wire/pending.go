package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// pending is a request and what becomes of it. It owns the frame and the encoded reply until recycle.
type pending struct {
	req   Request
	frame *buffer
	head  *buffer // length, response header, and the body if it is a Response

	parts   []Part // of a Frame, behind head
	done    func()
	later   func(context.Context) (Reply, error)
	ready   func() bool
	abandon func()
	unsent  int64 // bytes of the reply in memory
	none    bool
}

// takePending returns an empty pending. The caller holds mu.
func (c *Conn) takePending() *pending {
	if n := len(c.mu.free); n > 0 {
		p := c.mu.free[n-1]
		c.mu.free = c.mu.free[:n-1]
		return p
	}
	return &pending{}
}

// recycle gives everything back that p holds: the last thing that happens to a request. p is not in the queue any more.
func (c *Conn) recycle(p *pending) {
	p.release()
	bytes, decoded := p.req.frameBytes, p.req.decoded
	c.server.pool.put(p.frame)
	c.server.pool.put(p.head)
	*p = pending{}
	c.mu.Lock()
	c.mu.inFlight--
	c.mu.inFlightBytes -= bytes
	if len(c.mu.free) < c.server.limits.InFlight {
		c.mu.free = append(c.mu.free, p)
	}
	c.wakeReader()
	c.mu.Unlock()
	c.server.budget.release(bytes + decoded)
}

// release gives back the regions and the parts, and tells whoever waits that p is over.
func (p *pending) release() {
	releaseParts(p.parts, p.done)
	p.parts, p.done = nil, nil
	if p.abandon != nil && p.later != nil {
		p.abandon()
	}
	p.later, p.ready, p.abandon = nil, nil, nil
}

func releaseParts(parts []Part, done func()) {
	for _, part := range parts {
		if part.Region != nil {
			part.Region.Release()
		}
	}
	if done != nil {
		done()
	}
}

// drop releases what a reply holds that will not be written.
func (r *Reply) drop() {
	if r.Frame != nil {
		releaseParts(r.Frame.Parts, r.Frame.Done)
	}
	if r.Later != nil && r.Abandon != nil {
		r.Abandon()
	}
}

var errBadReply = errors.New("the handler gave no reply, or more than one")

// responseHeaderRoom is the length, the correlation id and the empty tagged fields.
const responseHeaderRoom = 4 + 4 + 1

// set takes over a reply. On an error what the reply holds is released.
func (p *pending) set(c *Conn, r Reply) error {
	ways := 0
	for _, is := range [...]bool{r.Response != nil, r.Frame != nil, r.Later != nil, r.None} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		r.drop()
		return &CloseError{Reason: ReasonHandler, Err: errBadReply}
	}
	p.none = r.None
	switch {
	case r.Later != nil:
		p.later, p.ready, p.abandon = r.Later, r.Ready, r.Abandon
	case r.Frame != nil:
		return p.setFrame(c, r.Frame)
	case r.Response != nil:
		return p.setResponse(c, r)
	}
	return nil
}

// appendResponseHeader appends room for the length, and the header: version 1, with empty tagged fields, for flexible
// versions except ApiVersions.
func appendResponseHeader(b []byte, correlationID int32, key int16, flexible bool) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(correlationID))
	if flexible && key != keyAPIVersions {
		b = append(b, 0)
	}
	return b
}

const firstResponseBytes = 512

func (p *pending) setResponse(c *Conn, r Reply) error {
	if key := r.Response.Key(); key != p.req.Key {
		return &CloseError{Reason: ReasonHandler, Err: fmt.Errorf("a response with key %d to a request with key %d", key, p.req.Key)}
	}
	if !r.KeepVersion {
		r.Response.SetVersion(p.req.Version)
	}
	p.head = c.server.pool.get(firstResponseBytes)
	b := appendResponseHeader(p.head.b[:0], p.req.CorrelationID, p.req.Key, r.Response.IsFlexible())
	b = r.Response.AppendTo(b)
	p.head.b = b
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	p.unsent = int64(len(b))
	return nil
}

func (p *pending) setFrame(c *Conn, f *Frame) error {
	p.parts, p.done = f.Parts, f.Done
	p.head = c.server.pool.get(responseHeaderRoom)
	b := appendResponseHeader(p.head.b[:0], p.req.CorrelationID, p.req.Key, c.server.flexible(p.req.Key, p.req.Version))
	p.head.b = b
	size := int64(len(b) - 4)
	p.unsent = int64(len(b))
	for _, part := range f.Parts {
		if part.Region != nil {
			size += int64(part.Region.Size())
		} else {
			size += int64(len(part.Bytes))
			p.unsent += int64(len(part.Bytes))
		}
	}
	if size > maxResponseBytes {
		return &CloseError{Reason: ReasonHandler, Err: fmt.Errorf("a reply of %d bytes", size)}
	}
	binary.BigEndian.PutUint32(b, uint32(size))
	return nil
}

// maxResponseBytes is what the length of a frame can say.
const maxResponseBytes = 1<<31 - 1
