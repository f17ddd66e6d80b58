package wire

import "sync/atomic"

// Stats is a copy of a server's counters since it was made.
type Stats struct {
	Connections int64            // open now
	Accepted    int64            // ever, without refused ones
	Closed      map[string]int64 // ended and refused connections by Reason.String()
	Requests    map[int16]int64  // by API key
	BytesIn     int64            // frames with their length
	BytesOut    int64
	Writes      int64 // system calls (or pipe writes) that BytesOut took; a vector counts once
	InFlight    int64 // bytes of the node's budget in use
	Blocked     int64 // times a connection had to wait for the budget of the node
}

type counters struct {
	open     atomic.Int64
	accepted atomic.Int64
	bytesIn  atomic.Int64
	bytesOut atomic.Int64
	writes   atomic.Int64
	requests [maxAPIKeys]atomic.Int64
	closed   [reasonCount]atomic.Int64
}

func (c *counters) snapshot() Stats {
	s := Stats{
		Connections: c.open.Load(),
		Accepted:    c.accepted.Load(),
		BytesIn:     c.bytesIn.Load(),
		BytesOut:    c.bytesOut.Load(),
		Writes:      c.writes.Load(),
		Closed:      map[string]int64{},
		Requests:    map[int16]int64{},
	}
	for i := range c.closed {
		if n := c.closed[i].Load(); n > 0 {
			s.Closed[Reason(i).String()] = n
		}
	}
	for i := range c.requests {
		if n := c.requests[i].Load(); n > 0 {
			s.Requests[int16(i)] = n
		}
	}
	return s
}
