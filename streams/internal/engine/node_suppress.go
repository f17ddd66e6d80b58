package engine

import (
	"encoding/binary"
	"errors"

	"github.com/millrace/millrace/streams/state"
)

// Suppress holds the results of each window back until it can no longer change, then passes the last one on, in the order of
// window end, then key. Time is that of the results that reach it. A tombstone forgets what was held.
//
// The buffer is a key-value store in the byte order of its keys:
//
//	window end(8, big-endian)  windowed key
//
// and its values are the results.
func Suppress[K, A any](p *Port[Update[Windowed[K], A]], n Node, w Windowing, key *Coder[Windowed[K]], value *Coder[A], store string) *Port[Update[Windowed[K], A]] {
	out := new(Port[Update[Windowed[K], A]])
	p.To(n.Name, func(b *Build) Next[Update[Windowed[K], A]] {
		s := &suppress[K, A]{
			Site: b.site(n), Windowing: w, key: key, value: value,
			held: b.store(store).keyValue, time: b.task.clock(n.Name, -1), next: out.compile(b),
		}
		return s.take
	})
	return out
}

const heldEndBytes = 8

type suppress[K, A any] struct {
	*Site
	Windowing
	key   *Coder[Windowed[K]]
	value *Coder[A]
	held  state.KeyValue
	time  *clock
	next  Next[Update[Windowed[K], A]]
	u     Update[Windowed[K], A]

	// What is known of the buffer, so that most updates need not look into it:
	known  bool  // the two below hold; false after a restart
	hasAny bool  // something is held
	first  int64 // then: at most the earliest window end held
}

func (n *suppress[K, A]) take(u *Update[Windowed[K], A]) error {
	n.here()
	now := n.time.advance(u.Time)
	kb, err := n.key.Bytes(&u.Key, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	value, err := n.value.Bytes(&u.New, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	if len(kb) < windowSuffix(n.Kind) {
		return n.failed(Decoding, errWindowedKey)
	}
	end := windowOf(n.Kind, n.Size, kb[len(kb)-windowSuffix(n.Kind):]).EndMillis
	s := n.scratch()
	start := len(s.buf)
	s.buf = append(binary.BigEndian.AppendUint64(s.buf, uint64(end)), kb...)
	n.held.Put(s.buf[start:], value, u.Time)
	if err := n.earliest(); err != nil {
		return err
	}
	if value != nil && (!n.hasAny || end < n.first) {
		n.first, n.hasAny = end, true
	}
	if !n.hasAny || n.first > now-n.Deadline() {
		return nil
	}
	return n.release(now - n.Deadline())
}

// earliest makes sure that first is at most the end of the earliest window held.
func (n *suppress[K, A]) earliest() error {
	if n.known {
		return nil
	}
	n.known, n.hasAny = true, false
	for key := range n.held.Range(nil, nil) {
		end, err := n.endOf(key)
		n.first, n.hasAny = end, true
		return err
	}
	return nil
}

var errHeld = errors.New("cannot decode buffer of suppressed results")

// endOf is the window end of a key of the buffer.
func (n *suppress[K, A]) endOf(key []byte) (int64, error) {
	if len(key) < heldEndBytes+windowSuffix(n.Kind) {
		return 0, n.wrap(Decoding, errHeld)
	}
	return int64(binary.BigEndian.Uint64(key)), nil
}

// release passes on what ended at or before until.
func (n *suppress[K, A]) release(until int64) error {
	n.known = false
	for key, v := range n.held.Range(nil, nil) {
		end, err := n.endOf(key)
		if err != nil {
			return err
		}
		if end > until {
			break
		}
		held := n.scratch().Copy(key)
		n.u.Key.SetBytes(held[heldEndBytes:])
		n.u.New.SetBytes(n.scratch().Copy(v.Bytes))
		n.u.Old.SetNull()
		n.u.Time = v.Timestamp
		n.held.Delete(held)
		if err := n.next(&n.u); err != nil {
			return err
		}
	}
	return n.earliest()
}
