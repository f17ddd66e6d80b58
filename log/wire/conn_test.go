package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRequestFields(t *testing.T) {
	got := make(chan Request, 1)
	s := serve(t, func(_ context.Context, r *Request) (Reply, error) {
		q := *r
		q.Body = bytes.Clone(r.Body)
		got <- q
		return echo(context.Background(), r)
	}, Limits{})
	defer s.stop()
	c := s.dial()
	c.send(request(heartbeat, 3, 77, []byte("body")))
	if n, b := c.receive(); n != 77 || string(b) != "body" {
		t.Errorf("reply %d %q", n, b)
	}
	r := <-got
	if r.Key != heartbeat || r.Version != 3 || r.CorrelationID != 77 || r.ClientID != "test" || string(r.Body) != "body" || !r.Supported {
		t.Errorf("request %+v", r)
	}
	if r.Conn.Listener().Name != "pipe" || r.Conn.ID() == 0 || r.Conn.RemoteAddr().String() != "pipe" || r.Conn.Context().Err() != nil {
		t.Errorf("connection %+v", r.Conn)
	}
}

// TestResponseHeaders: version 1 (with tagged fields) for flexible versions, but never for ApiVersions.
func TestResponseHeaders(t *testing.T) {
	s := serve(t, func(_ context.Context, r *Request) (Reply, error) {
		req := kmsg.RequestForKey(r.Key)
		if err := Decode(r, req); err != nil {
			return Reply{}, err
		}
		resp := req.ResponseKind()
		if r.Key == 18 && r.Version == 5 { // as for a version that is not known
			resp.SetVersion(0)
			return Reply{Response: resp, KeepVersion: true}, nil
		}
		return Reply{Response: resp}, nil
	}, Limits{})
	defer s.stop()
	c := s.dial()
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me"))
	for version := int16(0); version <= 5; version++ {
		c.send(formatter.AppendRequest(nil, apiVersions(version), 9))
		_, body := c.receive()
		resp := kmsg.NewPtrApiVersionsResponse()
		if resp.Version = version; version == 5 {
			resp.Version = 0
		}
		if err := resp.ReadFrom(body); err != nil {
			t.Errorf("ApiVersions v%d: %v", version, err)
		}
	}
	for version := int16(0); version <= 4; version++ {
		hb := kmsg.NewPtrHeartbeatRequest()
		hb.Version = version
		c.send(formatter.AppendRequest(nil, hb, 9))
		_, body := c.receive()
		if version == 4 {
			if body[0] != 0 {
				t.Errorf("no tagged fields in the response header")
			}
			body = body[1:]
		}
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version = version
		if err := resp.ReadFrom(body); err != nil {
			t.Errorf("Heartbeat v%d: %v", version, err)
		}
	}
}

// TestParkedReplyIsCancelled: the client hangs up while its request waits, with an empty and with a full pipeline
// behind it, over the pipe and over TCP. (What does not fit into the receive buffer of a socket hides the hang-up that
// follows it; nobody can see that without reading.)
func TestParkedReplyIsCancelled(t *testing.T) {
	for _, over := range []string{"pipe", "tcp"} {
		for _, requests := range []int{1, 2, MaxInFlight, MaxInFlight + 1, MaxInFlight + 5} {
			for _, bytes := range []int{10, 8_000} {
				t.Run(fmt.Sprintf("%s/%d requests of %d bytes", over, requests, bytes), func(t *testing.T) {
					parked, cancelled := make(chan struct{}, 100), make(chan struct{}, 100)
					s := serve(t, func(context.Context, *Request) (Reply, error) {
						return Reply{Later: func(ctx context.Context) (Reply, error) {
							parked <- struct{}{}
							<-ctx.Done()
							cancelled <- struct{}{}
							return Reply{}, ctx.Err()
						}}, nil
					}, Limits{})
					defer s.stop()
					c := s.dial()
					if over == "tcp" {
						c = s.tcp()
					}
					for i := range int32(requests) {
						c.send(request(heartbeat, 0, i, make([]byte, bytes)))
					}
					<-parked
					c.Close()
					<-cancelled
					s.closedFor(ReasonClientClosed, 1)
				})
			}
		}
	}
}

// TestFullPipelineGoesOn: the reader stops at 16 requests and goes on when replies have left.
func TestFullPipelineGoesOn(t *testing.T) {
	for _, over := range []string{"pipe", "tcp"} {
		t.Run(over, func(t *testing.T) {
			step := make(chan struct{})
			var served atomic.Int64
			s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
				served.Add(1)
				body := q.Body
				return Reply{Later: func(context.Context) (Reply, error) {
					<-step
					return Reply{Frame: &Frame{Parts: []Part{{Bytes: body}}}}, nil
				}}, nil
			}, Limits{})
			defer s.stop()
			c := s.dial()
			if over == "tcp" {
				c = s.tcp()
			}
			defer c.Close()
			const requests = 100
			go func() {
				for i := range int32(requests) {
					c.Write(request(heartbeat, 0, i, make([]byte, 5000)))
				}
			}()
			for i := range int32(requests) {
				step <- struct{}{}
				if n, _ := c.receive(); n != i {
					t.Fatalf("reply %d, want %d", n, i)
				}
				if n := served.Load(); n > int64(i)+1+MaxInFlight {
					t.Fatalf("%d requests served, %d answered", n, i+1)
				}
			}
		})
	}
}

// TestHalfClose: a client that sends its requests and shuts its side gets the replies that are ready.
func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, echo, Limits{})
		c := s.dial()
		for i := range int32(5) {
			c.send(request(heartbeat, 0, i, []byte("x")))
		}
		c.Conn.(*pipeConn).CloseWrite()
		for i := range int32(5) {
			if n, _ := c.receive(); n != i {
				t.Errorf("reply %d", n)
			}
		}
		if _, err := readFrame(c); err != io.EOF {
			t.Errorf("then %v", err)
		}
		s.stop()
	})
}

func TestHandlerErrorsAndPanics(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		serve  handlerFunc
		reason Reason
	}{
		"error":          {func(context.Context, *Request) (Reply, error) { return Reply{}, boom }, ReasonHandler},
		"no reply":       {func(context.Context, *Request) (Reply, error) { return Reply{}, nil }, ReasonHandler},
		"two replies":    {func(context.Context, *Request) (Reply, error) { return Reply{None: true, Frame: &Frame{}}, nil }, ReasonHandler},
		"wrong response": {func(context.Context, *Request) (Reply, error) { return Reply{Response: &kmsg.FetchResponse{}}, nil }, ReasonHandler},
		"panic":          {func(context.Context, *Request) (Reply, error) { panic("boom") }, ReasonPanic},
		"nil response": {func(context.Context, *Request) (Reply, error) {
			return Reply{Response: (*kmsg.HeartbeatResponse)(nil)}, nil
		}, ReasonPanic},
		"later error":    {later(func() (Reply, error) { return Reply{}, boom }), ReasonHandler},
		"later no reply": {later(func() (Reply, error) { return Reply{}, nil }), ReasonHandler},
		"later panic":    {later(func() (Reply, error) { panic("boom") }), ReasonPanic},
		"acks=0 error":   {func(context.Context, *Request) (Reply, error) { return Reply{None: true}, boom }, ReasonHandler},
		"bad body": {func(_ context.Context, r *Request) (Reply, error) {
			return Reply{}, Decode(r, &kmsg.HeartbeatRequest{})
		}, ReasonBadRequest},
		"short region": {func(context.Context, *Request) (Reply, error) {
			return Reply{Frame: &Frame{Parts: []Part{{Region: shortRegion{}}}}}, nil
		}, ReasonHandler},
		"conn.Close":      {func(_ context.Context, r *Request) (Reply, error) { r.Conn.Close(boom); return Reply{None: true}, nil }, ReasonServerClosed},
		"bad later parts": {later(func() (Reply, error) { return Reply{Frame: &Frame{Parts: []Part{{Region: shortRegion{}}}}}, nil }), ReasonHandler},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.serve, Limits{})
			defer s.stop()
			other := s.dial()
			cl := s.dial()
			cl.send(request(heartbeat, 0, 1, []byte("not a heartbeat")))
			cl.gone()
			s.closedFor(c.reason, 1)
			if c.reason == ReasonPanic && !strings.Contains(s.log.String(), "runtime/debug.Stack") {
				t.Errorf("no stack in the log: %s", s.log.String())
			}
			if st := s.Stats(); st.Connections != 1 {
				t.Errorf("%d connections are left", st.Connections)
			}
			other.Close()
		})
	}
}

type shortRegion struct{}

func (shortRegion) Size() int                         { return 100 }
func (shortRegion) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (shortRegion) File() (*os.File, int64, bool)     { return nil, 0, false }
func (shortRegion) Release()                          {}

func later(fn func() (Reply, error)) handlerFunc {
	return func(context.Context, *Request) (Reply, error) {
		return Reply{Later: func(context.Context) (Reply, error) { return fn() }}, nil
	}
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(_ context.Context, r *Request) (Reply, error) {
			reply, err := echo(context.Background(), r)
			reply.Throttle = 3 * time.Second
			return reply, err
		}, Limits{})
		c := s.dial()
		start := time.Now()
		for i := range int32(3) {
			c.send(request(heartbeat, 0, i, nil))
		}
		for i := range int32(3) {
			c.receive()
			if took := time.Since(start); took != time.Duration(i)*3*time.Second {
				t.Errorf("reply %d after %v", i, took)
			}
		}
		c.Close()
		synctest.Wait()
		if st := s.Stats(); st.Connections != 0 || time.Since(start) > 6*time.Second {
			t.Errorf("a client that hung up while it was throttled was noticed late: %v", st)
		}
		s.stop()
	})
}

func TestDecodeChargesTheBudget(t *testing.T) {
	charged := make(chan int64, 1)
	var s *testServer
	s = serve(t, func(_ context.Context, r *Request) (Reply, error) {
		frame := s.Stats().InFlight
		req := kmsg.NewPtrDeleteGroupsRequest()
		if err := Decode(r, req); err != nil {
			return Reply{}, err
		}
		if diff := cmp.Diff([]string{"a", "b"}, req.Groups); diff != "" {
			t.Error(diff)
		}
		charged <- s.Stats().InFlight - frame
		return Reply{Response: req.ResponseKind()}, nil
	}, Limits{})
	c := s.dial()
	body := binary.BigEndian.AppendUint32(nil, 2)
	body = append(body, 0, 1, 'a', 0, 1, 'b')
	c.send(request(42, 0, 1, body))
	c.receive()
	if n := <-charged; n < 32 {
		t.Errorf("%d bytes charged for two strings", n)
	}
	c.Close()
	s.stop()
}
