package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
