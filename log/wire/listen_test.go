package wire

import (
	"errors"
	"net"
	"testing"
)

func TestListenRefusesOffLoopback(t *testing.T) {
	for addr, loopback := range map[string]bool{
		"127.0.0.1:0": true, "127.8.8.8:0": true, "[::1]:0": true, "[::ffff:127.0.0.1]:0": true, "localhost:0": true,
		"0.0.0.0:0": false, "[::]:0": false, ":0": false, "192.0.2.1:0": false, "[2001:db8::1]:0": false,
	} {
		got, err := isLoopback(addr)
		if err != nil || got != loopback {
			t.Errorf("isLoopback(%q) = %t, %v", addr, got, err)
		}
		if loopback {
			continue
		}
		_, err = Listen(addr, false)
		if insecure, ok := errors.AsType[*InsecureError](err); !ok || insecure.Addr != addr {
			t.Errorf("Listen(%q): %v", addr, err)
		}
	}
	ln, err := Listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	for _, addr := range []string{"no port", "127.0.0.1:x:y"} {
		if _, err := Listen(addr, false); err == nil {
			t.Errorf("Listen(%q) succeeded", addr)
		}
	}
}

func TestListenNext(t *testing.T) {
	taken, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	if _, err := ListenNext(taken.Addr().String(), 1, false); err == nil {
		t.Error("the only port is taken, and no error")
	}
	next, err := ListenNext(taken.Addr().String(), 50, false)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got := next.Addr().(*net.TCPAddr).Port; got <= port || got >= port+50 {
		t.Errorf("port %d after %d", got, port)
	}
	if _, err := ListenNext("0.0.0.0:9092", 5, false); err == nil {
		t.Error("off loopback without a word")
	}
	if _, err := ListenNext("127.0.0.1:name", 5, false); err == nil {
		t.Error("a port without a number")
	}
}
