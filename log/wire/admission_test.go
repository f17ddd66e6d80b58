package wire

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// addrConn is a connection that claims an address.
type addrConn struct {
	net.Conn
	addr netip.AddrPort
}

func (c addrConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.addr) }

// connect makes the server see a connection from ip, and tells whether it was let in.
func (s *testServer) connect(ip string, info ListenerInfo) (admitted bool, hangUp func()) {
	client, server := newPipe()
	before := s.Stats().Accepted
	s.start(addrConn{server, netip.AddrPortFrom(netip.MustParseAddr(ip), 1)}, info)
	return s.Stats().Accepted == before+1, func() { client.Close() }
}

func TestConnectionLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{Connections: 10, ReservedConnections: 3, ConnectionsPerIP: 4})
		expect := func(ip string, internal, want bool) func() {
			t.Helper()
			got, hangUp := s.connect(ip, ListenerInfo{Internal: internal})
			if got != want {
				t.Errorf("from %s: admitted %t, want %t", ip, got, want)
			}
			return hangUp
		}
		var last func()
		for range 4 {
			last = expect("192.0.2.1", false, true)
		}
		expect("192.0.2.1", false, false)        // the fifth from this address
		expect("::ffff:192.0.2.1", false, false) // the same address
		for range 3 {
			expect("192.0.2.2", false, true)
		}
		expect("192.0.2.3", false, false) // the eighth: the rest is reserved
		for range 3 {
			expect("192.0.2.1", true, true)
		}
		expect("192.0.2.1", true, false) // the eleventh
		last()
		synctest.Wait()
		expect("192.0.2.1", true, true)
		st := s.Stats()
		if st.Closed[ReasonTooManyFromIP.String()] != 2 || st.Closed[ReasonTooManyConnections.String()] != 2 || st.Connections != 10 {
			t.Errorf("%+v", st)
		}
		s.stop()
	})
}

func TestConnectionRatePerIP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{})
		admit := func(ip string, n int) (admitted int) {
			for range n {
				ok, hangUp := s.connect(ip, ListenerInfo{})
				if hangUp(); ok {
					admitted++
				}
			}
			synctest.Wait()
			return admitted
		}
		if n := admit("192.0.2.1", 201); n != ConnectionBurstPerIP {
			t.Errorf("%d of 201 at once", n)
		}
		if n := admit("127.0.0.1", 1000); n != 1000 {
			t.Errorf("%d of 1,000 from loopback", n)
		}
		time.Sleep(time.Second)
		if n := admit("192.0.2.1", 101); n != ConnectionRatePerIP {
			t.Errorf("%d of 101 a second later", n)
		}
		s.stop()
		limited := serve(t, echo, Limits{RateLimitLoopback: true})
		for i := range 201 {
			if ok, hangUp := limited.connect("127.0.0.1", ListenerInfo{}); ok != (i < 200) {
				t.Errorf("connection %d from loopback: %t", i, ok)
			} else {
				hangUp()
			}
		}
		limited.stop()
	})
}

func TestTotalConnectionRateDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{ConnectionRate: 10, ConnectionBurst: 5})
		start := time.Now()
		for range 15 {
			c := s.dial()
			c.send(request(heartbeat, 0, 1, nil))
			c.receive()
			c.Close()
		}
		if took := time.Since(start); took < 900*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("15 connections took %v", took)
		}
		s.stop()
	})
}

func TestRememberedAddressesAreBounded(t *testing.T) {
	g := newGate(Limits{}.withDefaults())
	now := time.Now()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range maxTrackedIPs {
		if _, ok := g.enter(at(i), false, now); ok {
			g.leave(at(i), false)
		}
	}
	if _, ok := g.enter(at(maxTrackedIPs), false, now); ok || len(g.mu.rates) > maxTrackedIPs {
		t.Errorf("address %d was admitted, %d are remembered", maxTrackedIPs, len(g.mu.rates))
	}
	if _, ok := g.enter(at(maxTrackedIPs), false, now.Add(2*time.Second)); !ok || len(g.mu.rates) != 1 {
		t.Errorf("full buckets are not forgotten: %d", len(g.mu.rates))
	}
	if len(g.mu.perIP) != 1 {
		t.Errorf("%d addresses are counted", len(g.mu.perIP))
	}
}
