package wire

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// openAtRandom opens gates out of order; within the 16 in flight none starves.
func openAtRandom(r *rand.Rand, gates chan chan struct{}, done chan struct{}) {
	var open []chan struct{}
	for {
		select {
		case g := <-gates:
			open = append(open, g)
		case <-done:
			return
		}
		if r.IntN(3) == 0 || len(open) > 4 {
			for _, i := range r.Perm(len(open)) {
				close(open[i])
			}
			open = nil
		}
	}
}

// TestOrder mixes replies that are ready, that come later, that come never, and frames: they leave in order.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	gates := make(chan chan struct{}, 1000)
	s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
		answer := &Frame{Parts: []Part{{Bytes: q.Body}}}
		switch q.CorrelationID % 5 {
		case 0:
			return Reply{None: true}, nil
		case 1, 2:
			gate := make(chan struct{})
			gates <- gate
			return Reply{Later: func(ctx context.Context) (Reply, error) {
				select {
				case <-gate:
				case <-ctx.Done():
					return Reply{}, ctx.Err()
				}
				return Reply{Frame: answer}, nil
			}, Ready: func() bool {
				select {
				case <-gate:
					return true
				default:
					return false
				}
			}}, nil
		case 3:
			return Reply{Later: func(context.Context) (Reply, error) {
				return Reply{Later: func(context.Context) (Reply, error) { return Reply{Frame: answer}, nil }}, nil
			}}, nil
		}
		return Reply{Frame: answer}, nil
	}, Limits{})
	defer s.stop()
	c := s.dial()
	const requests = 500
	done := make(chan struct{})
	defer close(done)
	go openAtRandom(r, gates, done)
	go func() {
		var b []byte
		for i := range int32(requests) {
			b = append(b, request(heartbeat, 0, i, fmt.Appendf(nil, "body %d", i))...)
			if i%7 == 0 {
				c.Write(b)
				b = nil
			}
		}
		c.Write(b)
		for i := int32(requests); i < requests+40; i++ { // keeps the gates moving till the end
			c.Write(request(heartbeat, 0, 1+i/5*5, nil))
		}
	}()
	for i := range int32(requests) {
		if i%5 == 0 {
			continue
		}
		if n, b := c.receive(); n != i || string(b) != fmt.Sprintf("body %d", i) {
			t.Fatalf("reply %d %q, want %d", n, b, i)
		}
	}
	c.Close()
}

// TestReadyRepliesLeaveInOneWrite: what became ready while the writer waited goes out together.
func TestReadyRepliesLeaveInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		open := make(chan struct{})
		s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
			body := bytes.Clone(q.Body)
			return Reply{Ready: ready.Load, Later: func(context.Context) (Reply, error) {
				<-open
				return Reply{Frame: &Frame{Parts: []Part{{Bytes: body}}}}, nil
			}}, nil
		}, Limits{})
		c := s.dial()
		for i := range int32(8) {
			c.send(request(heartbeat, 0, i, make([]byte, 10)))
		}
		synctest.Wait()
		ready.Store(true)
		close(open)
		synctest.Wait()
		for i := range int32(8) {
			if n, _ := c.receive(); n != i {
				t.Errorf("reply %d, want %d", n, i)
			}
		}
		if st := s.Stats(); st.BytesOut != 8*18 || st.Writes != 1 {
			t.Errorf("%d bytes in %d writes, want %d in one", st.BytesOut, st.Writes, 8*18)
		}
		c.Close()
		s.stop()
	})
}

// TestBufferGivenBackOnlyAfterTheWrite is the test for a pooled buffer that is returned before the write ends (mutant
// M23): the replies lie in the frames of their requests, the client reads slowly, and returned buffers are poisoned.
func TestBufferGivenBackOnlyAfterTheWrite(t *testing.T) {
	for _, over := range []string{"pipe", "tcp"} {
		t.Run(over, func(t *testing.T) {
			s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
				if q.CorrelationID%3 == 0 {
					return echo(context.Background(), q)
				}
				body := q.Body
				return Reply{Later: func(context.Context) (Reply, error) {
					return Reply{Frame: &Frame{Parts: []Part{{Bytes: body}}}}, nil
				}}, nil
			}, Limits{})
			defer s.stop()
			c := s.dial()
			if over == "tcp" {
				c = s.tcp()
			}
			defer c.Close()
			const requests, size = 60, 300 << 10 // more than the pipe holds
			go func() {
				for i := range int32(requests) {
					body := bytes.Repeat([]byte{byte(i)}, size+int(i))
					if _, err := c.Write(request(heartbeat, 0, i, body)); err != nil {
						return
					}
				}
			}()
			for i := range int32(requests) {
				n, b := c.receive()
				want := bytes.Repeat([]byte{byte(i)}, size+int(i))
				if n != i || !bytes.Equal(b, want) {
					at := 0
					for at < len(b) && at < len(want) && b[at] == want[at] {
						at++
					}
					t.Fatalf("reply %d: number %d, %d bytes, wrong from byte %d: % x", i, n, len(b), at, b[at:min(at+8, len(b))])
				}
			}
		})
	}
}

// TestEncodedResponseIsNotReusedEarly is the same for the buffers that responses are encoded into.
func TestEncodedResponseIsNotReusedEarly(t *testing.T) {
	s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
		resp := kmsg.NewPtrSASLAuthenticateResponse()
		resp.SASLAuthBytes = bytes.Repeat([]byte{byte(q.CorrelationID)}, 400<<10)
		return Reply{Response: resp}, nil
	}, Limits{})
	defer s.stop()
	c := s.dial()
	defer c.Close()
	go func() {
		for i := range int32(50) {
			c.Write(request(36, 0, i, []byte{0, 0, 0, 0}))
		}
	}()
	for i := range int32(50) {
		n, b := c.receive()
		resp := kmsg.NewPtrSASLAuthenticateResponse()
		if err := resp.ReadFrom(b); err != nil || n != i {
			t.Fatalf("reply %d: number %d, %v", i, n, err)
		}
		if !bytes.Equal(resp.SASLAuthBytes, bytes.Repeat([]byte{byte(i)}, 400<<10)) {
			t.Fatalf("reply %d has other bytes", i)
		}
	}
}

// TestRegions writes heads and regions of all sizes over the pipe (copied) and over TCP (sendfile), and releases each
// region and frame exactly once.
func TestRegions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "segment")
	content := make([]byte, 9<<20)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sizes := []int{0, 1, inlineRegionBytes, inlineRegionBytes + 1, regionChunkBytes, regionChunkBytes + 1, 5 << 20, 100}
	var regions, released, done atomic.Int64
	s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
		f := &Frame{Done: func() { done.Add(1) }}
		off := int64(q.CorrelationID) * 1000
		for i, size := range sizes {
			r := &fakeRegion{data: content[off : off+int64(size)], off: off, released: func() { released.Add(1) }}
			if (q.CorrelationID+int32(i))%3 != 0 {
				r.file = file
			}
			f.Parts = append(f.Parts, Part{Bytes: fmt.Appendf(nil, "head %d ", i)}, Part{Region: r})
			regions.Add(1)
			off += int64(size)
		}
		return Reply{Frame: f}, nil
	}, Limits{})
	for _, c := range []*client{s.dial(), s.tcp()} {
		const requests = 9
		go func() {
			for i := range int32(requests) {
				c.Write(request(heartbeat, 0, i, nil))
			}
		}()
		for i := range int32(requests) {
			n, b := c.receive()
			var want []byte
			off := int(i) * 1000
			for j, size := range sizes {
				want = fmt.Appendf(want, "head %d ", j)
				want = append(want, content[off:off+size]...)
				off += size
			}
			if n != i || !bytes.Equal(b, want) {
				t.Fatalf("reply %d: number %d, %d bytes, want %d", i, n, len(b), len(want))
			}
		}
		c.Close()
	}
	s.stop()
	if regions.Load() != released.Load() || done.Load() != 18 {
		t.Errorf("%d regions, %d released, %d frames done", regions.Load(), released.Load(), done.Load())
	}
}

// TestRegionsAreReleasedWhenTheConnectionDies: also those that were never written, and Abandon stands in for Later.
func TestRegionsAreReleasedWhenTheConnectionDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var regions, released, done, abandoned atomic.Int64
		s := serve(t, func(_ context.Context, q *Request) (Reply, error) {
			if q.CorrelationID == 0 {
				return Reply{Later: func(ctx context.Context) (Reply, error) {
					<-ctx.Done()
					return Reply{}, ctx.Err()
				}}, nil
			}
			if q.CorrelationID%2 == 0 {
				return Reply{Later: func(context.Context) (Reply, error) { panic("not reached") }, Abandon: func() { abandoned.Add(1) }}, nil
			}
			regions.Add(1)
			return Reply{Frame: &Frame{
				Parts: []Part{{Region: &fakeRegion{data: make([]byte, 100), released: func() { released.Add(1) }}}},
				Done:  func() { done.Add(1) },
			}}, nil
		}, Limits{})
		c := s.dial()
		for i := range int32(10) {
			c.send(request(heartbeat, 0, i, nil))
		}
		synctest.Wait()
		c.Close()
		synctest.Wait()
		if regions.Load() != 5 || released.Load() != 5 || done.Load() != 5 || abandoned.Load() != 4 {
			t.Errorf("%d regions, %d released, %d done, %d abandoned", regions.Load(), released.Load(), done.Load(), abandoned.Load())
		}
		s.stop()
	})
}
