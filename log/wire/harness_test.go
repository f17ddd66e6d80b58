package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// handlerFunc is a Handler.
type handlerFunc func(ctx context.Context, r *Request) (Reply, error)

func (f handlerFunc) Serve(ctx context.Context, r *Request) (Reply, error) { return f(ctx, r) }

// echo answers every request with its body, which it does not copy: the reply lies in the pooled frame.
func echo(_ context.Context, r *Request) (Reply, error) {
	return Reply{Frame: &Frame{Parts: []Part{{Bytes: r.Body}}}}, nil
}

// testServer is a server on a pipe, with poisoned buffers.
type testServer struct {
	*Server
	t    testing.TB
	ln   *PipeListener
	done chan error
	log  *syncBuffer
}

func serve(t testing.TB, h handlerFunc, limits Limits) *testServer {
	t.Helper()
	logged := &syncBuffer{}
	s := &testServer{t: t, ln: Pipe(), done: make(chan error, 1), log: logged}
	s.Server = NewServer(Config{Handler: h, Limits: limits, Poison: true, Logger: slog.New(slog.NewTextHandler(logged, nil))})
	go func() { s.done <- s.Serve(s.ln, ListenerInfo{Name: "pipe"}) }()
	return s
}

// stop closes the server and checks that nothing is left in its books.
func (s *testServer) stop() {
	s.t.Helper()
	s.Close()
	if err := <-s.done; err != ErrServerClosed {
		s.t.Errorf("Serve returned %v", err)
	}
	st := s.Stats()
	if st.Connections != 0 || st.InFlight != 0 {
		s.t.Errorf("after Close: %d connections, %d bytes of the budget in use", st.Connections, st.InFlight)
	}
}

func (s *testServer) dial() *client {
	s.t.Helper()
	nc, err := s.ln.Dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return &client{Conn: nc, t: s.t}
}

// closedFor waits until n connections ended for the reason.
func (s *testServer) closedFor(reason Reason, n int64) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); s.Stats().Closed[reason.String()] < n; runtime.Gosched() {
		if time.Now().After(end) {
			s.t.Fatalf("%d connections were to end for %q: %v", n, reason, s.Stats().Closed)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// client speaks frames by hand.
type client struct {
	net.Conn
	t testing.TB
}

// request is a frame with a header of version 1 and the given body.
func request(key, version int16, correlation int32, body []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint16(make([]byte, 4), uint16(key))
	b = be.AppendUint16(b, uint16(version))
	b = be.AppendUint32(b, uint32(correlation))
	b = append(b, "\x00\x04test"...)
	b = append(b, body...)
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("cannot send: %v", err)
	}
}

// receive reads one reply with a header of version 0.
func (c *client) receive() (correlation int32, body []byte) {
	c.t.Helper()
	b, err := readFrame(c)
	if err != nil {
		c.t.Fatalf("cannot receive: %v", err)
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:]
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// gone reads until the server hangs up.
func (c *client) gone() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c); err != nil && !isReset(err) && !strings.Contains(err.Error(), "closed") {
		c.t.Fatalf("after %d bytes: %v", n, err)
	}
}

// heartbeat is a key whose versions below 4 have plain headers; echo answers it.
const heartbeat = int16(12)

// fakeRegion is a Region in memory, or in a file.
type fakeRegion struct {
	data     []byte
	file     *os.File
	off      int64
	released func()
}

func (r *fakeRegion) Size() int { return len(r.data) }
func (r *fakeRegion) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(r.data).ReadAt(p, off)
}
func (r *fakeRegion) File() (*os.File, int64, bool) { return r.file, r.off, r.file != nil }
func (r *fakeRegion) Release()                      { r.released() }

// tcp serves the same server on a loopback socket and dials it.
func (s *testServer) tcp() *client {
	s.t.Helper()
	ln, err := Listen("127.0.0.1:0", false)
	if err != nil {
		s.t.Fatal(err)
	}
	go s.Serve(ln, ListenerInfo{Name: "tcp", Host: "127.0.0.1"})
	nc, err := net.DialTimeout("tcp", ln.Addr().String(), 10*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	return &client{Conn: nc, t: s.t}
}

func apiVersions(version int16) kmsg.Request {
	r := kmsg.NewPtrApiVersionsRequest()
	r.Version = version
	r.ClientSoftwareName, r.ClientSoftwareVersion = "test", "1"
	return r
}

// decodeAll decodes the request, and answers with an empty response.
func decodeAll(_ context.Context, r *Request) (Reply, error) {
	req := kmsg.RequestForKey(r.Key)
	if err := Decode(r, req); err != nil {
		return Reply{}, err
	}
	return Reply{Response: req.ResponseKind()}, nil
}
