package wire

import (
	"net/netip"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzHeader: any frame either fails or gives a body that lies in it and a client id that is fit to print.
func FuzzHeader(f *testing.F) {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("fuzz"))
	for version := range int16(6) {
		f.Add(formatter.AppendRequest(nil, apiVersions(version), 1)[4:])
	}
	f.Add(request(keyProduce, 13, 1, []byte{0, 1, 2})[4:])
	f.Add([]byte{0, 18, 0, 3, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 15})
	f.Add([]byte{0, 12, 0, 0, 0, 0, 0, 1, 127, 255})
	s := NewServer(Config{Handler: handlerFunc(echo)})
	_, nc := newPipe()
	c := newConn(s, nc, netip.Addr{}, ListenerInfo{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		p := &pending{frame: &buffer{b: frame}}
		if err := c.parseHeader(p); err != nil {
			return
		}
		r := &p.req
		if len(r.ClientID) > MaxClientIDBytes || !utf8.ValidString(r.ClientID) || Printable(r.ClientID) != r.ClientID {
			t.Fatalf("client id %q", r.ClientID)
		}
		if len(r.Body) > len(frame)-MinFrameBytes || s.api(r.Key) == nil || r.Version < 0 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestSupported(t *testing.T) {
	s := NewServer(Config{Handler: handlerFunc(echo), Versions: map[int16]VersionRange{heartbeat: {1, 3}, 75: {0, 0}}})
	_, nc := newPipe()
	c := newConn(s, nc, netip.Addr{}, ListenerInfo{})
	for version, want := range []bool{false, true, true, true, false, false} {
		frame := request(heartbeat, int16(version), 1, []byte{0})[4:]
		p := &pending{frame: &buffer{b: frame}}
		if err := c.parseHeader(p); err != nil || p.req.Supported != want {
			t.Errorf("version %d: supported %t, error %v", version, p.req.Supported, err)
		}
	}
	if s.api(75) == nil || s.api(keyFetch) != nil || s.api(-1) != nil || s.api(maxAPIKeys) != nil {
		t.Error("served APIs are not those of the configuration")
	}
}
