package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// VersionRange is the versions of one API that are served, both ends included.
type VersionRange struct {
	Min, Max int16
}

// Config is what a server needs. Only Handler must be set.
type Config struct {
	Handler Handler
	Limits  Limits

	// Versions are the APIs served; a request for another key closes the connection, one for another version is
	// marked in Request.Supported. Nil means everything the walker knows.
	Versions map[int16]VersionRange

	// Logger gets refusals and panics; nil discards them.
	Logger *slog.Logger

	// Poison fills every buffer that comes back to the pool with 0xDB. Tests set it: a buffer given back before the
	// last use of it shows then.
	Poison bool
}

// ListenerInfo is what connections of one listener have in common.
type ListenerInfo struct {
	Name     string // in logs and metrics
	Host     string // advertised to clients that come in here
	Port     int32
	Internal bool // of this node itself: may use the reserved connections, no rate and no count per IP
}

// Server serves the connections of any number of listeners.
type Server struct {
	handler Handler
	limits  Limits
	log     *slog.Logger
	apis    [maxAPIKeys]api
	schemas *schemas
	pool    bufferPool
	budget  *budget
	gate    *gate
	foreign *throttledLog
	counts  counters
	nextID  atomic.Uint64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loops and connections

	mu struct {
		sync.Mutex
		closed    bool
		listeners map[net.Listener]struct{}
		conns     map[*Conn]struct{}
	}
}

// NewServer makes a server; it starts no goroutine.
func NewServer(cfg Config) *Server {
	if cfg.Handler == nil {
		panic("BUG: wire: Config.Handler is nil")
	}
	s := &Server{handler: cfg.Handler, limits: cfg.Limits.withDefaults(), log: cfg.Logger, schemas: newSchemas()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pool.poison = cfg.Poison
	s.budget = newBudget(s.limits.BudgetBytes)
	s.gate = newGate(s.limits)
	s.foreign = newThrottledLog()
	s.apis = newAPIs(cfg.Versions, s.schemas)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.listeners = map[net.Listener]struct{}{}
	s.mu.conns = map[*Conn]struct{}{}
	return s
}

// ErrServerClosed is what Serve returns after Close.
var ErrServerClosed = errors.New("server closed")

// Serve accepts connections until Close, which also closes ln, or until Accept fails for good.
func (s *Server) Serve(ln net.Listener, info ListenerInfo) error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		ln.Close()
		return ErrServerClosed
	}
	s.mu.listeners[ln] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	for {
		if !info.Internal && !s.gate.waitForRate(s.ctx) {
			return ErrServerClosed
		}
		nc, err := ln.Accept()
		if err != nil {
			if s.ctx.Err() != nil {
				return ErrServerClosed
			}
			if retryAccept(err) && sleep(s.ctx, acceptRetryDelay) {
				continue
			}
			s.mu.Lock()
			delete(s.mu.listeners, ln)
			s.mu.Unlock()
			return err
		}
		s.start(nc, info)
	}
}

// acceptRetryDelay is the pause after a failed accept (out of descriptors).
const acceptRetryDelay = 50 * time.Millisecond

func retryAccept(err error) bool {
	return !errors.Is(err, net.ErrClosed)
}

// sleep waits; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// start admits a connection and runs it on goroutines of its own, or closes it.
func (s *Server) start(nc net.Conn, info ListenerInfo) {
	ip := addressOf(nc)
	if reason, ok := s.gate.enter(ip, info.Internal, time.Now()); !ok {
		s.counts.closed[reason].Add(1)
		if s.foreign.allow(ip, time.Now()) {
			s.log.Warn("connection refused", "reason", reason.String(), "remote", nc.RemoteAddr().String())
		}
		nc.Close()
		return
	}
	c := newConn(s, nc, ip, info)
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		s.gate.leave(ip, info.Internal)
		c.cancel()
		nc.Close()
		return
	}
	s.mu.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.counts.accepted.Add(1)
	s.counts.open.Add(1)
	go func() {
		defer s.wg.Done()
		c.run()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
		s.gate.leave(ip, info.Internal)
		s.counts.open.Add(-1)
		c.report()
	}()
}

// Close stops accepting, ends every connection and waits until all goroutines of the server are gone. Replies that
// were ready have been written or are dropped; pending ones are abandoned.
func (s *Server) Close() error {
	s.mu.Lock()
	s.mu.closed = true
	listeners := s.mu.listeners
	s.mu.listeners = map[net.Listener]struct{}{}
	conns := make([]*Conn, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	s.cancel()
	for ln := range listeners {
		ln.Close()
	}
	for _, c := range conns {
		c.fail(&CloseError{Reason: ReasonServerClosed})
	}
	s.wg.Wait()
	return nil
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	st := s.counts.snapshot()
	st.InFlight = s.budget.used.Load()
	st.Blocked = s.budget.blocked.Load()
	return st
}

// addressOf is the IP of the other end; invalid if it has none.
func addressOf(nc net.Conn) netip.Addr {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
