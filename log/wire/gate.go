package wire

import (
	"cmp"
	"context"
	"math"
	"net/netip"
	"sync"
	"time"
)

// withDefaults fills in the start values and resolves what depends on the process.
func (l Limits) withDefaults() Limits {
	l.ProduceFrameBytes = cmp.Or(l.ProduceFrameBytes, MaxProduceFrameBytes)
	l.FrameBytes = cmp.Or(l.FrameBytes, MaxFrameBytes)
	if l.Connections == 0 {
		l.Connections = MaxConnections
		if n := openFileLimit(); n > 0 {
			l.Connections = int(min(int64(MaxConnections), n/4*3))
		}
	}
	l.ReservedConnections = cmp.Or(l.ReservedConnections, min(ReservedConnections, max(l.Connections/4, 0)))
	l.ConnectionsPerIP = cmp.Or(l.ConnectionsPerIP, MaxConnectionsPerIP)
	l.ConnectionRate = cmp.Or(l.ConnectionRate, ConnectionRate)
	l.ConnectionBurst = cmp.Or(l.ConnectionBurst, ConnectionBurst)
	l.ConnectionRatePerIP = cmp.Or(l.ConnectionRatePerIP, ConnectionRatePerIP)
	l.ConnectionBurstPerIP = cmp.Or(l.ConnectionBurstPerIP, ConnectionBurstPerIP)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, IdleTimeout)
	l.FrameTimeout = cmp.Or(l.FrameTimeout, FrameTimeout)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, WriteTimeout)
	l.InFlight = cmp.Or(l.InFlight, MaxInFlight)
	l.InFlightBytes = cmp.Or(l.InFlightBytes, MaxInFlightBytes)
	l.UnsentBytes = cmp.Or(l.UnsentBytes, MaxUnsentBytes)
	return l
}

// gate decides which connections may come in.
type gate struct {
	limits Limits

	mu struct {
		sync.Mutex
		open   int
		perIP  map[netip.Addr]int
		total  bucket
		rates  map[netip.Addr]*bucket // at most maxTrackedIPs
		purged time.Time
	}
}

func newGate(l Limits) *gate {
	g := &gate{limits: l}
	g.mu.perIP = map[netip.Addr]int{}
	g.mu.rates = map[netip.Addr]*bucket{}
	return g
}

// waitForRate waits until the total rate allows one more connection; false if ctx ended first. It takes the token, so
// a connection is paid for before it is accepted: until then it waits in the listen queue of the system.
func (g *gate) waitForRate(ctx context.Context) bool {
	if g.limits.ConnectionRate < 0 {
		return ctx.Err() == nil
	}
	for {
		g.mu.Lock()
		wait := g.mu.total.take(time.Now(), g.limits.ConnectionRate, g.limits.ConnectionBurst)
		g.mu.Unlock()
		if wait == 0 {
			return ctx.Err() == nil
		}
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// enter counts a connection in, or says why not.
func (g *gate) enter(ip netip.Addr, internal bool, now time.Time) (Reason, bool) {
	l := &g.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	limit := l.Connections
	if !internal {
		limit -= l.ReservedConnections
	}
	if l.Connections >= 0 && g.mu.open >= limit {
		return ReasonTooManyConnections, false
	}
	if !internal && ip.IsValid() {
		if l.ConnectionsPerIP >= 0 && g.mu.perIP[ip] >= l.ConnectionsPerIP {
			return ReasonTooManyFromIP, false
		}
		if l.ConnectionRatePerIP >= 0 && (!ip.IsLoopback() || l.RateLimitLoopback) && !g.rate(ip, now) {
			return ReasonConnectionRate, false
		}
		g.mu.perIP[ip]++
	}
	g.mu.open++
	return 0, true
}

func (g *gate) leave(ip netip.Addr, internal bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.open--
	if internal || !ip.IsValid() {
		return
	}
	if g.mu.perIP[ip]--; g.mu.perIP[ip] == 0 {
		delete(g.mu.perIP, ip)
	}
}

// rate takes a token of ip. When too many addresses are remembered, those whose bucket is full again are forgotten; if
// that does not help, unknown addresses are refused: a spoofed flood must not grow memory. The caller holds mu.
func (g *gate) rate(ip netip.Addr, now time.Time) bool {
	b := g.mu.rates[ip]
	if b == nil {
		if len(g.mu.rates) >= maxTrackedIPs && now.Sub(g.mu.purged) >= time.Second {
			g.mu.purged = now
			for k, v := range g.mu.rates {
				if v.full(now, g.limits.ConnectionRatePerIP) {
					delete(g.mu.rates, k)
				}
			}
		}
		if len(g.mu.rates) >= maxTrackedIPs {
			return false
		}
		b = &bucket{}
		g.mu.rates[ip] = b
	}
	return b.take(now, g.limits.ConnectionRatePerIP, g.limits.ConnectionBurstPerIP) == 0
}

// bucket is a token bucket; the zero value is full.
type bucket struct {
	spent float64 // tokens missing
	at    time.Time
}

func (b *bucket) refill(now time.Time, rate float64) {
	if !b.at.IsZero() {
		b.spent = math.Max(0, b.spent-now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
}

// take takes one token, or tells how long until there is one.
func (b *bucket) take(now time.Time, rate float64, burst int) time.Duration {
	b.refill(now, rate)
	if b.spent+1 <= float64(burst) {
		b.spent++
		return 0
	}
	return time.Duration((b.spent+1-float64(burst))/rate*float64(time.Second)) + 1
}

func (b *bucket) full(now time.Time, rate float64) bool {
	b.refill(now, rate)
	return b.spent == 0
}

// throttledLog lets one line per address and minute through, so that a flood does not fill the log.
type throttledLog struct {
	mu struct {
		sync.Mutex
		last map[netip.Addr]time.Time // at most maxTrackedIPs
	}
}

func newThrottledLog() *throttledLog {
	t := &throttledLog{}
	t.mu.last = map[netip.Addr]time.Time{}
	return t
}

func (t *throttledLog) allow(ip netip.Addr, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.mu.last[ip]; ok && now.Sub(last) < logPeriod {
		return false
	}
	if len(t.mu.last) >= maxTrackedIPs {
		clear(t.mu.last)
	}
	t.mu.last[ip] = now
	return true
}
