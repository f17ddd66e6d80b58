package wire

import (
	"errors"
	"net"
	"os"
	"time"
)

// inlineRegionBytes is the size up to which a region is copied into the write of its neighbours: one system call less
// is worth more than a small copy.
const inlineRegionBytes = 32 << 10

// loopbackSendBuffer is the send buffer of connections within the machine, in bytes. There is no delay to bridge: what fits into the caches of
// the processor is copied faster than the megabytes to which the kernel would grow it. Other connections leave the size to the kernel.
const loopbackSendBuffer = 256 << 10

// outbox gathers replies and writes them. It belongs to the writer while the queue is not empty, else to the reader.
type outbox struct {
	conn     *Conn
	replies  []*pending
	bytes    int64
	parts    int
	vec      net.Buffers // what the next write takes
	store    net.Buffers // memory of vec, empty, because writing consumes vec
	copied   []*buffer   // small regions in vec
	deadline time.Time   // what is set on the connection
	files    fileSender
}

func (o *outbox) init(c *Conn) {
	o.conn = c
	o.files = newFileSender(c.nc)
	if tcp, ok := c.nc.(*net.TCPConn); ok && c.ip.IsLoopback() {
		_ = tcp.SetWriteBuffer(loopbackSendBuffer) // the connection works without
	}
}

func (o *outbox) add(p *pending) {
	o.replies = append(o.replies, p)
	o.bytes += p.unsent
	o.parts += 1 + len(p.parts)
}

func (o *outbox) full() bool {
	return o.bytes >= maxBatchBytes || o.parts >= maxBatchParts || len(o.replies) >= maxBatchParts
}

// flush writes and recycles.
func (o *outbox) flush() error {
	err := o.write()
	o.recycle()
	return err
}

// write writes everything added. The buffers stay with the replies until recycle.
func (o *outbox) write() error {
	o.vec = o.store
	var err error
	for _, p := range o.replies {
		if p.none {
			continue
		}
		o.vec = append(o.vec, p.head.b)
		for i := range p.parts {
			if err = o.addPart(&p.parts[i]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = o.writeVec(false)
	}
	for _, b := range o.copied {
		o.conn.server.pool.put(b)
	}
	clear(o.copied)
	o.copied = o.copied[:0]
	return err
}

// addPart adds a part to vec, or writes vec and the region behind it.
func (o *outbox) addPart(part *Part) error {
	r := part.Region
	if r == nil {
		if len(part.Bytes) > 0 {
			o.vec = append(o.vec, part.Bytes)
		}
		return nil
	}
	size := r.Size()
	if size == 0 {
		return nil
	}
	if size <= inlineRegionBytes {
		b := o.conn.server.pool.get(size)
		o.copied = append(o.copied, b)
		if err := readRegion(r, b.b, 0); err != nil {
			return err
		}
		o.vec = append(o.vec, b.b)
		return nil
	}
	if o.files != nil {
		if f, off, ok := r.File(); ok {
			if err := o.writeVec(true); err != nil {
				return err
			}
			return o.writeFile(f, off, int64(size))
		}
	}
	return o.copyRegion(r, size)
}

// writeVec writes what is in vec; more says that a file follows at once.
func (o *outbox) writeVec(more bool) error {
	o.store = o.vec[:0]
	for len(o.vec) > 0 {
		o.arm()
		var n int64
		var err error
		switch {
		case more:
			n, err = o.files.writeMore(o.vec)
			consume(&o.vec, n)
		case len(o.vec) == 1:
			var m int
			m, err = o.conn.nc.Write(o.vec[0])
			n = int64(m)
			consume(&o.vec, n)
		default:
			n, err = o.vec.WriteTo(o.conn.nc)
		}
		if err := o.wrote(n, err); err != nil {
			return err
		}
	}
	o.vec = o.store
	return nil
}

// consume drops n bytes from the front of v.
func consume(v *net.Buffers, n int64) {
	for len(*v) > 0 {
		if first := int64(len((*v)[0])); n < first {
			(*v)[0] = (*v)[0][n:]
			return
		} else {
			n -= first
			(*v)[0] = nil
			*v = (*v)[1:]
		}
	}
}

func (o *outbox) writeFile(f *os.File, off, size int64) error {
	for size > 0 {
		o.arm()
		n, err := o.files.sendFile(f, off, min(size, sendfileChunkBytes))
		off, size = off+n, size-n
		if err := o.wrote(n, err); err != nil {
			return err
		}
	}
	return nil
}

// copyRegion writes a region through memory, together with what is in vec.
func (o *outbox) copyRegion(r Region, size int) error {
	b := o.conn.server.pool.get(min(size, regionChunkBytes))
	defer o.conn.server.pool.put(b)
	for off := 0; off < size; {
		n := min(size-off, len(b.b))
		if err := readRegion(r, b.b[:n], int64(off)); err != nil {
			return err
		}
		o.vec = append(o.vec, b.b[:n])
		if err := o.writeVec(false); err != nil {
			return err
		}
		off += n
	}
	return nil
}

var errRegionShort = errors.New("the region is shorter than it said")

func readRegion(r Region, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = errRegionShort
	}
	return &CloseError{Reason: ReasonHandler, Err: err}
}

// arm sets the write deadline, up to a slack too late, and leaves one that is late enough.
func (o *outbox) arm() {
	timeout := o.conn.server.limits.WriteTimeout
	deadline := time.Now().Add(timeout)
	if o.deadline.Before(deadline) {
		o.deadline = deadline.Add(slack(timeout))
		o.conn.nc.SetWriteDeadline(o.deadline)
	}
}

// wrote counts and judges one write: a timeout with some progress is none.
func (o *outbox) wrote(n int64, err error) error {
	o.conn.server.counts.bytesOut.Add(n)
	o.conn.server.counts.writes.Add(1)
	if err == nil || n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &CloseError{Reason: ReasonSlowReader, Err: err}
	}
	if isReset(err) {
		return &CloseError{Reason: ReasonClientClosed, Err: err}
	}
	return &CloseError{Reason: ReasonWriteFailed, Err: err}
}

// recycle gives the replies back.
func (o *outbox) recycle() {
	for i, p := range o.replies {
		o.conn.recycle(p)
		o.replies[i] = nil
	}
	o.reset()
}

// reset forgets the replies without giving them back.
func (o *outbox) reset() {
	clear(o.replies)
	o.replies = o.replies[:0]
	o.bytes, o.parts = 0, 0
}
