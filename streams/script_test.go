package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// null stands for Kafka's null in scripts.
const null = "~"

var nullable = serde.Nullable(serde.String)

// script drives a topology over strings. Records are written "key:value@ms".
type script struct {
	t   *testing.T
	d   *streamstest.Driver
	out *streamstest.Out[*string, *string]
}

func play(t *testing.T, build func(*streams.Builder)) *script {
	t.Helper()
	d := streamstest.New(t, built(t, build))
	return &script{t: t, d: d, out: d.Output("out", nullable, nullable)}
}

// pipe writes a record to topic and returns what came out, separated by blanks.
func (s *script) pipe(topic, record string) string {
	s.t.Helper()
	var k, v string
	var at int64
	key, rest, _ := strings.Cut(record, ":")
	value, stamp, _ := strings.Cut(rest, "@")
	if _, err := fmt.Sscan(stamp, &at); err != nil {
		s.t.Fatalf("record %q: %v", record, err)
	}
	k, v = key, value
	s.d.Input(topic, nullable, nullable).Pipe(ref(k), ref(v), time.UnixMilli(at))
	return s.read()
}

func (s *script) read() string {
	s.t.Helper()
	var all []string
	for _, r := range s.out.All() {
		all = append(all, fmt.Sprintf("%s:%s@%d", deref(r.Key), deref(r.Value), r.Time.UnixMilli()))
	}
	return strings.Join(all, " ")
}

// expect pipes a record and compares what came out.
func (s *script) expect(topic, record, want string) {
	s.t.Helper()
	if got := s.pipe(topic, record); got != want {
		s.t.Errorf("%s to %s: got %q, want %q", record, topic, got, want)
	}
}

func (s *script) dropped(reason string, want int64) {
	s.t.Helper()
	if got := s.d.Dropped()[reason]; got != want {
		s.t.Errorf("dropped for %s: got %d, want %d (all: %v)", reason, got, want, s.d.Dropped())
	}
}

func ref(s string) *string {
	if s == null {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return null
	}
	return *s
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func from(b *streams.Builder, topic string, opts ...streams.Option) *streams.Stream[string, string] {
	return streams.From(b, topic, serde.String, serde.String, opts...)
}

func tableFrom(b *streams.Builder, topic string, opts ...streams.Option) *streams.Table[string, string] {
	return streams.TableFrom(b, topic, serde.String, serde.String, opts...)
}

func toOut(s *streams.Stream[string, string]) { s.To("out", serde.String, serde.String) }

func windowsToOut(t *streams.WindowedTable[string, string]) {
	toOut(t.ToStream().SelectKey(func(w streams.Windowed[string], _ string) string {
		return fmt.Sprintf("%s[%d,%d]", w.Key, w.Window.StartMillis, w.Window.EndMillis)
	}, serde.String))
}

func plus(a, b string) string { return a + "+" + b }

func orNone(l string, r *string) string { return l + "|" + deref(r) }

func decimal(n int64) string { return fmt.Sprint(n) }
