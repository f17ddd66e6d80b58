package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// header is the start of a frame of so many bytes for a key.
func header(size int64, key int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	return binary.BigEndian.AppendUint16(b, uint16(key))
}

// sized is a whole frame of exactly size bytes.
func sized(key int16, size int) []byte {
	empty := len(request(key, 0, 1, nil)) - 4
	return request(key, 0, 1, make([]byte, size-empty))
}

func TestForeignBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		bytes  string
		reason Reason
		logged string
	}{
		{"http get", "GET / HTTP/1.1\r\n\r\n", ReasonHTTP, "http request"},
		{"http post", "POST /topics HTTP/1.1\r\n\r\n", ReasonHTTP, "http request"},
		{"http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ReasonHTTP, "http request"},
		{"tls hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ReasonTLS, "tls hello"},
		{"negative", "\xff\xff\xff\xff\x00\x12", ReasonNegativeSize, "negative frame size"},
		{"least", "\x80\x00\x00\x00\x00\x12", ReasonNegativeSize, "negative frame size"},
		{"largest", "\x7f\xff\xff\xff\x00\x00", ReasonFrameTooLarge, "frame too large"},
		{"empty", "\x00\x00\x00\x00\x00\x12", ReasonFrameTooSmall, "frame too small"},
		{"7 bytes", "\x00\x00\x00\x07\x00\x12", ReasonFrameTooSmall, "frame too small"},
		{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", ReasonFrameTooLarge, "frame too large"},
		{"unknown key", string(header(100, 999)), ReasonUnknownAPI, "unknown api"},
		{"key that is gone", string(header(100, 4)), ReasonUnknownAPI, "unknown api"},
		{"negative key", string(header(100, -1)), ReasonUnknownAPI, "unknown api"},
		{"negative version", string(header(8, 18)) + "\xff\xff\x00\x00\x00\x01", ReasonBadHeader, "bad request header"},
		{"no client id", string(header(8, 18)) + "\x00\x00\x00\x00\x00\x01", ReasonBadHeader, "bad request header"},
		{"client id beyond the frame", string(header(10, 18)) + "\x00\x00\x00\x00\x00\x01\x00\x01", ReasonBadHeader, "bad request header"},
		{"2^32-1 tags in the header", string(header(15, 18)) + "\x00\x03\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\x0f", ReasonBadHeader, "bad request header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, echo, Limits{})
			defer s.stop()
			cl := s.dial()
			cl.send([]byte(c.bytes))
			cl.gone()
			s.closedFor(c.reason, 1)
			if !strings.Contains(s.log.String(), c.logged) {
				t.Errorf("log: %s", s.log.String())
			}
		})
	}
}

func TestForeignBytesAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{})
		for range 3 {
			for range 5 {
				c := s.dial()
				c.send([]byte("GET / HTTP/1.1\r\n\r\n"))
				c.gone()
				synctest.Wait()
			}
			time.Sleep(logPeriod)
		}
		s.stop()
		if n := strings.Count(s.log.String(), "http request"); n != 3 {
			t.Errorf("%d lines in three minutes:\n%s", n, s.log.String())
		}
		if n := s.Stats().Closed[ReasonHTTP.String()]; n != 15 {
			t.Errorf("%d counted", n)
		}
	})
}

func TestFrameSizeLimits(t *testing.T) {
	small := Limits{ProduceFrameBytes: 4096, FrameBytes: 1024}
	for _, c := range []struct {
		name   string
		limits Limits
		frame  []byte
		ok     bool
	}{
		{"at the limit", small, sized(heartbeat, 1024), true},
		{"one above", small, sized(heartbeat, 1025), false},
		{"produce at the limit", small, sized(keyProduce, 4096), true},
		{"produce one above", small, sized(keyProduce, 4097), false},
		{"16 MiB", Limits{}, sized(heartbeat, MaxFrameBytes), true},
		{"16 MiB and one", Limits{}, header(MaxFrameBytes+1, heartbeat), false},
		{"100 MiB of produce", Limits{}, sized(keyProduce, MaxProduceFrameBytes), true},
		{"100 MiB of produce and one", Limits{}, header(MaxProduceFrameBytes+1, keyProduce), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(context.Context, *Request) (Reply, error) {
				return Reply{Frame: &Frame{}}, nil
			}, c.limits)
			defer s.stop()
			cl := s.dial()
			go cl.Write(c.frame)
			if c.ok {
				cl.receive()
				cl.Close()
				return
			}
			cl.gone()
			s.closedFor(ReasonFrameTooLarge, 1)
		})
	}
}

func TestBudgetIsTakenBeforeReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{BudgetBytes: 4000})
		first, second, third, hb := s.dial(), s.dial(), s.dial(), s.dial()
		first.send(header(2000, keyProduce)) // claims its budget, sends nothing
		synctest.Wait()
		if n := s.Stats().InFlight; n != 2000 {
			t.Errorf("%d bytes claimed", n)
		}
		second.send(sized(keyProduce, 1000)) // 3,000 = three quarters: fits
		synctest.Wait()
		second.receive()
		third.send(sized(keyProduce, 1001)) // one too many
		synctest.Wait()
		if st := s.Stats(); st.Blocked != 1 || st.InFlight != 2000 {
			t.Errorf("third is not held up: %+v", st)
		}
		hb.send(sized(heartbeat, 1900)) // may use the reserve and pass
		hb.receive()
		first.Close() // gives back its claim
		third.receive()
		for _, c := range []*client{second, third, hb} {
			c.Close()
		}
		synctest.Wait()
		s.stop()
	})
}

func TestBudgetWaiterHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{BudgetBytes: 4000})
		first, second, third := s.dial(), s.dial(), s.dial()
		first.send(header(2500, keyProduce))
		synctest.Wait()
		second.send(sized(keyProduce, 2900))
		synctest.Wait()
		third.send(sized(keyProduce, 400)) // would fit, but waits behind second
		synctest.Wait()
		if n := s.Stats().Blocked; n != 2 {
			t.Errorf("%d wait", n)
		}
		second.Close()
		third.receive()
		first.Close()
		third.Close()
		synctest.Wait()
		s.stop()
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := serve(t, func(_ context.Context, r *Request) (Reply, error) {
			if r.CorrelationID == 99 {
				return Reply{Later: func(context.Context) (Reply, error) { <-hold; return Reply{Frame: &Frame{}}, nil }}, nil
			}
			return echo(context.Background(), r)
		}, Limits{})
		c, waiting, half := s.dial(), s.dial(), s.dial()
		waiting.send(request(heartbeat, 0, 99, nil))
		half.send([]byte{0, 0})
		for range 3 { // used just in time
			time.Sleep(IdleTimeout - time.Second)
			c.send(request(heartbeat, 0, 1, nil))
			c.receive()
		}
		synctest.Wait()
		if st := s.Stats(); st.Connections != 2 || st.Closed[ReasonSlowFrame.String()] != 1 {
			t.Fatalf("%+v", st)
		}
		time.Sleep(IdleTimeout + 2*deadlineSlack)
		synctest.Wait()
		if st := s.Stats(); st.Connections != 1 || st.Closed[ReasonIdle.String()] != 1 {
			t.Fatalf("%+v", st)
		}
		close(hold)
		waiting.receive() // half an hour, and not idle
		time.Sleep(IdleTimeout + IdleTimeout + 2*deadlineSlack)
		synctest.Wait()
		if st := s.Stats(); st.Connections != 0 {
			t.Fatalf("%+v", st)
		}
		s.stop()
	})
}

func TestSlowFrame(t *testing.T) {
	// A frame of 640 KiB may take 10 s + 10 s.
	for _, c := range []struct {
		pause time.Duration
		ok    bool
	}{{19 * time.Second, true}, {21 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, func(context.Context, *Request) (Reply, error) { return Reply{Frame: &Frame{}}, nil }, Limits{})
			cl := s.dial()
			frame := sized(heartbeat, 640<<10)
			cl.send(frame[:1000])
			time.Sleep(c.pause)
			cl.Write(frame[1000:])
			if c.ok {
				cl.receive()
			} else {
				cl.gone()
				synctest.Wait()
				if n := s.Stats().Closed[ReasonSlowFrame.String()]; n != 1 {
					t.Errorf("%v", s.Stats().Closed)
				}
			}
			cl.Close()
			s.stop()
		})
	}
}

func TestOneByteAtATimeIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{})
		c := s.dial()
		start := time.Now()
		for _, b := range sized(heartbeat, 100) {
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took > 20*time.Second || s.Stats().Closed[ReasonSlowFrame.String()] != 1 {
			t.Errorf("after %v: %v", took, s.Stats().Closed)
		}
		s.stop()
	})
}

// TestSlowReader: a client that takes nothing is closed; one that takes a little in each half minute is not.
func TestSlowReader(t *testing.T) {
	for _, inline := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			big := make([]byte, 2*PipeBufferBytes)
			s := serve(t, func(_ context.Context, r *Request) (Reply, error) {
				reply := Reply{Frame: &Frame{Parts: []Part{{Bytes: big}}}}
				if inline {
					return reply, nil
				}
				return Reply{Later: func(context.Context) (Reply, error) { return reply, nil }}, nil
			}, Limits{})
			slow, dead := s.dial(), s.dial()
			slow.send(request(heartbeat, 0, 1, nil))
			dead.send(request(heartbeat, 0, 1, nil))
			buf := make([]byte, PipeBufferBytes/8)
			for range 12 {
				time.Sleep(WriteTimeout - time.Second)
				if _, err := io.ReadFull(slow, buf); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if st := s.Stats(); st.Connections != 1 || st.Closed[ReasonSlowReader.String()] != 1 {
				t.Errorf("%+v", st)
			}
			slow.Close()
			s.stop()
		})
	}
}

func TestInFlightLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		size   int
		want   int64
	}{
		"16 requests":       {Limits{}, 100, MaxInFlight},
		"bytes":             {Limits{InFlightBytes: 3000}, 1000, 3},
		"bytes, one above":  {Limits{InFlightBytes: 2999}, 1000, 2},
		"one larger than a": {Limits{InFlightBytes: 10}, 1000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var served atomic.Int64
				s := serve(t, func(context.Context, *Request) (Reply, error) {
					served.Add(1)
					return Reply{Later: func(ctx context.Context) (Reply, error) { <-ctx.Done(); return Reply{}, ctx.Err() }}, nil
				}, c.limits)
				cl := s.dial()
				for range MaxInFlight + 3 {
					cl.send(sized(heartbeat, c.size))
				}
				synctest.Wait()
				if served.Load() != c.want {
					t.Errorf("%d requests served, want %d", served.Load(), c.want)
				}
				cl.Close()
				s.stop()
			})
		})
	}
}

func TestUnsentBytesStopReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		s := serve(t, func(context.Context, *Request) (Reply, error) {
			served.Add(1)
			return Reply{Frame: &Frame{Parts: []Part{{Bytes: make([]byte, 400<<10)}}}}, nil
		}, Limits{UnsentBytes: 1 << 20})
		cl := s.dial()
		for range 10 {
			cl.Write(request(heartbeat, 0, 1, nil))
		}
		synctest.Wait()
		if n := served.Load(); n > 4 {
			t.Errorf("%d replies of 400 KiB made while the client reads none", n)
		}
		for range 10 {
			cl.receive()
		}
		cl.Close()
		s.stop()
	})
}

func TestClientID(t *testing.T) {
	for in, want := range map[string]string{
		"rdkafka":                "rdkafka",
		"":                       "",
		"grüße":                  "grüße",
		"a\nb\x1b[31m":           `a\u000ab\u001b[31m`,
		"\xff\xfe":               `\xff\xfe`,
		strings.Repeat("x", 256): strings.Repeat("x", 256),
		strings.Repeat("x", 257): strings.Repeat("x", 256),
		strings.Repeat("\n", 99): strings.Repeat(`\u000a`, 42),
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

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

func misbehave(nc net.Conn, how int, garbage []byte) {
	switch how {
	case 0:
		nc.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	case 1:
		nc.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))
	case 2:
		nc.Write(garbage)
	case 3:
		nc.Write(append(header(300, 18), garbage...))
	case 4:
		nc.Write(header(1000, 18)) // and nothing more
	case 5:
		nc.Write(append(header(16<<20, 1), garbage...))
		nc.Close()
	case 6:
		nc.(*net.TCPConn).SetLinger(0)
		nc.Close() // a reset
	case 7: // silent
	}
}

// TestBadConnectionsLeaveNothing: two thousand bad connections over TCP end, each with a reason, without a goroutine.
func TestBadConnectionsLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := serve(t, echo, Limits{FrameTimeout: 50 * time.Millisecond, IdleTimeout: 200 * time.Millisecond})
	ln, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(ln, ListenerInfo{Name: "tcp"})
	r := rand.New(rand.NewPCG(9, 10))
	garbage := make([]byte, 300)
	const conns, atOnce = 2000, 200
	for i := 0; i < conns; i += atOnce {
		var open []net.Conn
		for j := range atOnce {
			nc, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, nc)
			for k := range garbage {
				garbage[k] = byte(r.Uint32())
			}
			misbehave(nc, j%8, garbage)
		}
		for _, nc := range open {
			if _, err := io.Copy(io.Discard, nc); err != nil && !isReset(err) && !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			nc.Close()
		}
	}
	good := &client{t: t}
	if good.Conn, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	good.send(request(heartbeat, 0, 5, []byte("still here")))
	if n, b := good.receive(); n != 5 || string(b) != "still here" {
		t.Errorf("%d %q", n, b)
	}
	good.Close()
	s.stop()
	var ended int64
	for _, n := range s.Stats().Closed {
		ended += n
	}
	if ended != conns+1 {
		t.Errorf("%d connections ended, there were %d: %v", ended, conns+1, s.Stats().Closed)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestBombsOverTheWire: the bodies that cost a trusting decoder minutes or gigabytes close the connection at once.
func TestBombsOverTheWire(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, decodeAll, Limits{})
			defer s.stop()
			c := s.dial()
			frame := request(b.key, b.version, 1, nil)
			if s.flexible(b.key, b.version) {
				frame = append(frame, 0)
			}
			frame = append(frame, b.body...)
			binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
			start := time.Now()
			go c.Write(frame)
			c.gone()
			s.closedFor(ReasonBadRequest, 1)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range reasonCount {
		name := r.String()
		if name == "" || seen[name] {
			t.Errorf("reason %d: %q", r, name)
		}
		seen[name] = true
	}
	if s := fmt.Sprint(Reason(-1), reasonCount); s != fmt.Sprintf("reason -1 reason %d", int(reasonCount)) {
		t.Error(s)
	}
}
