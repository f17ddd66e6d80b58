package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
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
