package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Keys that frames themselves depend on.
const (
	keyProduce     int16 = 0
	keyFetch       int16 = 1
	keyAPIVersions int16 = 18
)

// api is what the framing must know of an API.
type api struct {
	served       bool
	versions     VersionRange
	flexibleFrom int16 // first version with tagged fields
}

const neverFlexible = 1<<15 - 1

func newAPIs(versions map[int16]VersionRange, known *schemas) [maxAPIKeys]api {
	var apis [maxAPIKeys]api
	if versions == nil {
		versions = known.versions()
	}
	for key, v := range versions {
		if key < 0 || key >= maxAPIKeys {
			panic(fmt.Sprintf("BUG: wire: API key %d in Config.Versions", key))
		}
		apis[key] = api{served: true, versions: v, flexibleFrom: flexibleFrom(key)}
	}
	return apis
}

// flexibleFrom asks kmsg for the first flexible version of an API.
func flexibleFrom(key int16) int16 {
	req := kmsg.RequestForKey(key)
	if req == nil {
		return neverFlexible
	}
	for v := int16(0); v <= req.MaxVersion(); v++ {
		if req.SetVersion(v); req.IsFlexible() {
			return v
		}
	}
	return neverFlexible
}

// api is nil if the key is not served.
func (s *Server) api(key int16) *api {
	if key < 0 || key >= maxAPIKeys || !s.apis[key].served {
		return nil
	}
	return &s.apis[key]
}

func (s *Server) flexible(key, version int16) bool {
	a := s.api(key)
	return a != nil && version >= a.flexibleFrom
}

// parseHeader reads the request header: version 1, or 2 with tagged fields.
//
//	key i16 | version i16 | correlation id i32 | client id: i16 length, bytes | tagged fields (v2)
func (c *Conn) parseHeader(p *pending) error {
	r := newReader(p.frame.b)
	req := &p.req
	req.Conn = c
	req.Key, req.Version, req.CorrelationID = r.int16(), r.int16(), r.int32()
	a := c.server.api(req.Key)
	if a == nil {
		return fmt.Errorf("API key %d", req.Key) // readSize has looked already
	}
	if req.Version < 0 {
		return fmt.Errorf("version %d of API %d", req.Version, req.Key)
	}
	n := r.length(false, true)
	if n > 0 {
		req.ClientID = c.internClientID(r.span(n))
	}
	if req.Version >= a.flexibleFrom {
		r.skipTags()
	}
	if r.err != nil {
		return r.err
	}
	req.Supported = req.Version >= a.versions.Min && req.Version <= a.versions.Max
	req.Body = p.frame.b[r.pos():]
	return nil
}

// internClientID makes a client id presentable; a connection that always sends the same one allocates it once.
func (c *Conn) internClientID(raw []byte) string {
	raw = raw[:min(len(raw), MaxClientIDBytes)]
	if string(c.rawClientID) != string(raw) {
		c.rawClientID = append(c.rawClientID[:0], raw...)
		c.clientID = Printable(string(raw))
	}
	return c.clientID
}

// Printable is s, cut at MaxClientIDBytes, with everything that is not printable replaced by an escape: for names that
// clients choose and that end up in logs and metrics.
func Printable(s string) string {
	if len(s) > MaxClientIDBytes {
		s = s[:MaxClientIDBytes]
	}
	clean := true
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		var piece string
		piece, s = escapeFirst(s)
		if b.Len()+len(piece) > MaxClientIDBytes {
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}

func escapeFirst(s string) (piece, rest string) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size <= 1:
		return fmt.Sprintf(`\x%02x`, s[0]), s[1:]
	case !unicode.IsPrint(r):
		return fmt.Sprintf(`\u%04x`, r), s[size:]
	}
	return s[:size], s[size:]
}
