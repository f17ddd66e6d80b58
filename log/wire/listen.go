package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// InsecureError refuses an address that others than this machine can reach, as long as there is neither TLS nor a login.
type InsecureError struct {
	Addr string
}

func (e *InsecureError) Error() string {
	return "cannot listen on " + e.Addr + ": it is not a loopback address, and there is no TLS and no login yet; " +
		"--insecure-listen allows it"
}

// Listen opens a TCP listener on host:port. Without insecure the host must be a loopback address or a name all of whose
// addresses are; otherwise the error is an *InsecureError.
func Listen(addr string, insecure bool) (net.Listener, error) {
	if !insecure {
		loopback, err := isLoopback(addr)
		if err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
		}
		if !loopback {
			return nil, &InsecureError{Addr: addr}
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	return ln, nil
}

// ListenNext is Listen, which takes the next free port, of at most tries ports, when the one in addr is taken.
func ListenNext(addr string, tries int, insecure bool) (net.Listener, error) {
	host, portName, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	port, err := strconv.Atoi(portName)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: the port is no number", addr)
	}
	for try := 0; ; try++ {
		ln, err := Listen(net.JoinHostPort(host, strconv.Itoa(port+try)), insecure)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || try+1 >= tries || port+try >= 65535 {
			return ln, err
		}
	}
}

func isLoopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback(), nil
	}
	if host == "" {
		return false, nil // every address
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return false, err
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}
