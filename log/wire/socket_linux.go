package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketParker waits in the network poller for the socket to be hung up. It is woken by a deadline in the past.
type socketParker struct {
	nc  *net.TCPConn
	raw syscall.RawConn
}

func newSocketParker(nc *net.TCPConn) parker {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nil
	}
	return &socketParker{nc: nc, raw: raw}
}

func (p *socketParker) prepare(until time.Time) { p.nc.SetReadDeadline(until) }

func (p *socketParker) wake() { p.nc.SetReadDeadline(time.Unix(1, 0)) }

// park asks the kernel again at each event of the socket: data that must not be read yet makes one event, a hang-up
// behind that data another.
func (p *socketParker) park(context.Context) bool {
	gone := false
	err := p.raw.Read(func(fd uintptr) bool {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds[:], 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
		return gone
	})
	return gone || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// fileSender writes from files without copying.
type fileSender interface {
	writeMore(v net.Buffers) (int64, error)              // like net.Buffers.WriteTo, but does not consume, and says that more follows
	sendFile(f *os.File, off, size int64) (int64, error) // at least one byte, or an error
}

func newFileSender(nc net.Conn) fileSender {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return &socketSender{raw: raw}
}

// socketSender uses sendmsg with MSG_MORE and sendfile with an explicit offset, so that any number of connections can
// send from one descriptor.
type socketSender struct {
	raw syscall.RawConn
}

func (s *socketSender) writeMore(v net.Buffers) (int64, error) {
	var n int
	var err error
	rawErr := s.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgBuffers(int(fd), v, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				break
			}
		}
		return err != unix.EAGAIN
	})
	return sent(n, err, rawErr, "sendmsg")
}

func (s *socketSender) sendFile(f *os.File, off, size int64) (int64, error) {
	file, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var sendErr, rawErr error
	controlErr := file.Control(func(in uintptr) {
		rawErr = s.raw.Write(func(out uintptr) bool {
			for {
				at := off
				n, sendErr = unix.Sendfile(int(out), int(in), &at, int(size))
				if sendErr != unix.EINTR {
					break
				}
			}
			return sendErr != unix.EAGAIN
		})
	})
	if controlErr != nil {
		return 0, controlErr
	}
	if n == 0 && sendErr == nil && rawErr == nil {
		return 0, &CloseError{Reason: ReasonHandler, Err: errRegionShort}
	}
	return sent(n, sendErr, rawErr, "sendfile")
}

func sent(n int, err, rawErr error, call string) (int64, error) {
	if rawErr != nil {
		return 0, rawErr
	}
	if err != nil {
		return 0, os.NewSyscallError(call, err)
	}
	return int64(n), nil
}
