//go:build !linux

package wire

import (
	"net"
	"os"
)

// newSocketParker: here a client that hangs up while its pipeline is full is noticed when the next reply is written.
func newSocketParker(*net.TCPConn) parker { return nil }

// fileSender writes from files without copying; there is none here.
type fileSender interface {
	writeMore(v net.Buffers) (int64, error)
	sendFile(f *os.File, off, size int64) (int64, error)
}

func newFileSender(net.Conn) fileSender { return nil }
