package wire

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// parker lets a reader that must not read wait, and still notice that the client hung up.
type parker interface {
	prepare(until time.Time)              // before park, with the connection's mu held; zero: no end
	park(ctx context.Context) (gone bool) // until wake, the time, the end of ctx, or the client hung up
	wake()                                // with the connection's mu held, between prepare and the end of park
}

func newParker(nc net.Conn) parker {
	switch nc := nc.(type) {
	case *pipeConn:
		return newChannelParker(nc.hungUp())
	case *net.TCPConn:
		if p := newSocketParker(nc); p != nil {
			return p
		}
	}
	return newChannelParker(nil)
}

// channelParker waits on channels: for the pipe, and for connections that cannot tell whether the client is there.
type channelParker struct {
	gone  <-chan struct{}
	woken chan struct{}
	until time.Time
}

func newChannelParker(gone <-chan struct{}) *channelParker {
	return &channelParker{gone: gone, woken: make(chan struct{}, 1)}
}

func (p *channelParker) prepare(until time.Time) {
	p.until = until
	select {
	case <-p.woken:
	default:
	}
}

func (p *channelParker) park(ctx context.Context) bool {
	var timeout <-chan time.Time
	if !p.until.IsZero() {
		t := time.NewTimer(time.Until(p.until))
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-p.woken:
	case <-timeout:
	case <-ctx.Done():
	case <-p.gone:
		return true
	}
	return false
}

func (p *channelParker) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
