package streams

import (
	"io"

	"github.com/millrace/millrace/streams/internal/engine"
)

// Print writes each record to w as a line "[label]: key, value", with fmt's %v and "null" for nulls, and ends the stream. The
// label is the name of the node that is printed, or what As says; Named names the node. Every record is one Write; tasks write
// from several goroutines, which os.Stdout and os.Stderr bear. An error of w is one of the record: see [OnError].
func (s *Stream[K, V]) Print(w io.Writer, opts ...Option) {
	o := apply(opts)
	label := or(o.as, s.name)
	_, n, ok := s.child("KSTREAM-PRINTER-", append(opts[:len(opts):len(opts)], As("")))
	switch {
	case !ok:
	case w == nil:
		s.b.failf("cannot print %s: the writer is nil", s.name)
	default:
		engine.Print(s.out, n, s.key, s.value, w, label)
	}
}

// Print writes each record to w as a line "[label]: key@start/end, value", as [Stream.Print] does.
func (s *WindowedStream[K, V]) Print(w io.Writer, opts ...Option) {
	o := apply(opts)
	label := or(o.as, s.name)
	_, n, ok := s.child("KSTREAM-PRINTER-", append(opts[:len(opts):len(opts)], As("")))
	switch {
	case !ok:
	case w == nil:
		s.b.failf("cannot print %s: the writer is nil", s.name)
	default:
		engine.Print(s.out, n, s.key, s.value, w, label)
	}
}
