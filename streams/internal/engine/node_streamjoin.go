package engine

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/millrace/millrace/streams/state"
)

// StreamJoin describes a join of two streams. A left record at t meets right records in [t − Before, t + After]. Join gets
// pointers that are valid during the call, nil for an absent side.
type StreamJoin[K, V, W, R any] struct {
	Name       string // of the join: its times are committed under it
	LeftChild  string // the node below the left stream, and below the right one
	RightChild string
	Key        *Coder[K]
	Left       *Coder[V]
	Right      *Coder[W]
	Result     *Coder[R]
	LeftOuter  bool // unmatched left records give a result, when their window has closed
	RightOuter bool

	Before, After, Grace int64 // ms

	LeftStore  string // duplicates
	RightStore string
	Unmatched  string // buffer of an outer join; empty for an inner one

	NeedKey bool // Join looks at the key
	Join    func(K, *V, *W) (R, error)
}

// JoinStreams adds both sides of a join; leftNode and rightNode handle its errors. The right side's records have keys of
// coder rightKey.
func JoinStreams[K, V, W, R any](left *Port[Record[K, V]], right *Port[Record[K, W]], leftNode, rightNode Node, rightKey *Coder[K], j StreamJoin[K, V, W, R]) *Port[Record[K, R]] {
	out := new(Port[Record[K, R]])
	build := func(b *Build) *streamJoin[K, V, W, R] {
		return Shared(b, out, func(b *Build) *streamJoin[K, V, W, R] {
			n := &streamJoin[K, V, W, R]{
				StreamJoin: j, task: b.task, next: out.compile(b),
				time: b.task.clock(j.Name, -1), oldest: b.task.clock(j.Name+"/oldest", math.MaxInt64),
			}
			if j.Unmatched != "" {
				n.unmatched = b.store(j.Unmatched).keyValue
			}
			n.left = &joinEnd{
				Site: b.site(leftNode), flag: leftSide, outer: j.LeftOuter, before: j.Before, after: j.After,
				own: b.store(j.LeftStore).duplicates, other: b.store(j.RightStore).duplicates,
			}
			n.right = &joinEnd{
				Site: b.site(rightNode), flag: rightSide, outer: j.RightOuter, before: j.After, after: j.Before,
				own: b.store(j.RightStore).duplicates, other: b.store(j.LeftStore).duplicates,
			}
			return n
		})
	}
	left.To(j.LeftChild, func(b *Build) Next[Record[K, V]] { return build(b).takeLeft })
	right.To(j.RightChild, func(b *Build) Next[Record[K, W]] {
		n := build(b)
		if rightKey == j.Key {
			return n.takeRight
		}
		o := new(Record[K, W])
		return func(r *Record[K, W]) error {
			n.right.here()
			if err := rightKey.Recode(&o.Key, &r.Key); err != nil {
				return n.right.failed(Decoding, err)
			}
			o.Value, o.Time = r.Value, r.Time
			return n.takeRight(o)
		}
	})
	return out
}

// The buffer of unmatched records is a key-value store in the byte order of its keys, which is the order of the scan:
//
//	key    ts(8, big-endian)  side(1)  key
//	value  count × ( uvarint(length)  value )    equal entries in order of arrival
const (
	rightSide = 0
	leftSide  = 1
)

const unmatchedKeyBytes = 9

var errUnmatched = errors.New("cannot decode buffer of unmatched records")

// streamJoin is one join in one task. Both of its sides share the time and the buffer.
type streamJoin[K, V, W, R any] struct {
	StreamJoin[K, V, W, R]
	task        *Task
	time        *clock // highest time of both sides together
	oldest      *clock // what the last scan of the buffer knew of its oldest entry; never later than it, MaxInt64 if none
	unmatched   state.KeyValue
	left, right *joinEnd
	next        Next[Record[K, R]]
	o           Record[K, R]
	l           V // what Join's pointers point to
	r           W
	fk          Field[K]
}

// joinEnd is one side of a join.
type joinEnd struct {
	*Site
	flag          byte
	outer         bool
	before, after int64
	own, other    state.Duplicates
}

func (n *streamJoin[K, V, W, R]) takeLeft(r *Record[K, V]) error {
	n.left.here()
	b, ok, err := n.enter(n.left, &r.Key, r.Value.IsNull(), r.Time, func() ([]byte, error) {
		return n.Left.Bytes(&r.Value, n.left.scratch())
	})
	if !ok {
		return err
	}
	if n.l, err = n.Left.Get(&r.Value); err != nil {
		return n.left.failed(Decoding, err)
	}
	if r.Key.IsNull() {
		return n.emit(n.left, &r.Key, &n.l, nil, r.Time)
	}
	return n.match(n.left, &r.Key, r.Time, b, func(other []byte) error {
		var err error
		n.r, err = n.Right.DecodeBytes(other)
		return err
	})
}

func (n *streamJoin[K, V, W, R]) takeRight(r *Record[K, W]) error {
	n.right.here()
	b, ok, err := n.enter(n.right, &r.Key, r.Value.IsNull(), r.Time, func() ([]byte, error) {
		return n.Right.Bytes(&r.Value, n.right.scratch())
	})
	if !ok {
		return err
	}
	if n.r, err = n.Right.Get(&r.Value); err != nil {
		return n.right.failed(Decoding, err)
	}
	if r.Key.IsNull() {
		return n.emit(n.right, &r.Key, nil, &n.r, r.Time)
	}
	return n.match(n.right, &r.Key, r.Time, b, func(other []byte) error {
		var err error
		n.l, err = n.Left.DecodeBytes(other)
		return err
	})
}

// enter stores the record, moves time and releases unmatched records. It reports false when the record ends here: null
// value, or null key on a side that is not outer.
func (n *streamJoin[K, V, W, R]) enter(side *joinEnd, key *Field[K], nullValue bool, at int64, encode func() ([]byte, error)) (value []byte, ok bool, err error) {
	var kb []byte
	if !key.IsNull() {
		if kb, err = n.Key.Bytes(key, side.scratch()); err != nil {
			return nil, false, side.failed(Encoding, err)
		}
		if !nullValue {
			if value, err = encode(); err != nil {
				return nil, false, side.failed(Encoding, err)
			}
		}
		// A null value only moves the store's time.
		if !side.own.Put(kb, at, value) && value != nil {
			side.drop(DropExpired) // for records of the other side to come; it still meets those that came before
		}
	}
	n.time.advance(at)
	switch {
	case nullValue:
		side.drop(DropNullValue)
		return nil, false, nil
	case key.IsNull() && !side.outer:
		side.drop(DropNullKey)
		return nil, false, nil
	case key.IsNull():
		return nil, true, nil
	}
	if n.unmatched != nil && at == n.time.value && n.closed(n.oldest.value, side.after) {
		if err := n.release(side); err != nil {
			return nil, false, err
		}
	}
	return value, true, nil
}

// closed reports whether a window that looks ahead from at can meet nothing more.
func (n *streamJoin[K, V, W, R]) closed(at, ahead int64) bool {
	return at != math.MaxInt64 && at+ahead+n.Grace < n.time.value
}

// match joins the record, whose own value is already in n.l or n.r, with the other side's. decode puts a value of the other
// side into the other of the two.
func (n *streamJoin[K, V, W, R]) match(side *joinEnd, key *Field[K], at int64, value []byte, decode func([]byte) error) error {
	kb, err := n.Key.Bytes(key, side.scratch())
	if err != nil {
		return side.failed(Encoding, err)
	}
	matched := false
	for otherTime, other := range side.other.Fetch(kb, max(0, at-side.before), max(0, at+side.after)) {
		matched = true
		side.here()
		if err := decode(other); err != nil {
			return side.failed(Decoding, err)
		}
		if n.unmatched != nil {
			n.unmatched.Delete(unmatchedKey(otherTime, 1-side.flag, kb, side.scratch()))
		}
		if err := n.emit(side, key, &n.l, &n.r, max(at, otherTime)); err != nil {
			return err
		}
	}
	if matched || !side.outer {
		return nil
	}
	if max(0, at+side.after) < n.time.value {
		return n.emitAlone(side, key, at)
	}
	n.oldest.value = min(n.oldest.value, at)
	n.store(side, kb, at, value)
	return nil
}

func (n *streamJoin[K, V, W, R]) emitAlone(side *joinEnd, key *Field[K], at int64) error {
	if side.flag == leftSide {
		return n.emit(side, key, &n.l, nil, at)
	}
	return n.emit(side, key, nil, &n.r, at)
}

func (n *streamJoin[K, V, W, R]) emit(side *joinEnd, key *Field[K], l *V, r *W, at int64) error {
	side.here()
	var k K
	var err error
	if n.NeedKey {
		if k, err = n.Key.Get(key); err != nil {
			return side.failed(Decoding, err)
		}
	}
	m, err := n.Join(k, l, r)
	if err != nil {
		return side.failed(Processing, err)
	}
	n.o.Key, n.o.Time = *key, at
	n.Result.Set(&n.o.Value, m)
	return n.next(&n.o)
}

func unmatchedKey(at int64, flag byte, key []byte, s *Scratch) []byte {
	start := len(s.buf)
	s.buf = binary.BigEndian.AppendUint64(s.buf, uint64(at))
	s.buf = append(append(s.buf, flag), key...)
	return s.buf[start:len(s.buf):len(s.buf)]
}

// store adds an unmatched record to the buffer.
func (n *streamJoin[K, V, W, R]) store(side *joinEnd, key []byte, at int64, value []byte) {
	s := side.scratch()
	k := unmatchedKey(at, side.flag, key, s)
	old, _, _ := n.unmatched.Get(k)
	start := len(s.buf)
	s.buf = binary.AppendUvarint(append(s.buf, old...), uint64(len(value)))
	s.buf = append(s.buf, value...)
	n.unmatched.Put(k, s.buf[start:], at)
}

// release emits what can meet nothing more. The scan, its end and what it leaves in oldest are Kafka's: results may come
// later than the window closes, but always at the same record.
func (n *streamJoin[K, V, W, R]) release(side *joinEnd) error {
	n.oldest.value = math.MaxInt64
	leftOpen, rightOpen := false, false
	for key, v := range n.unmatched.Range(nil, nil) {
		if len(key) < unmatchedKeyBytes {
			return side.wrap(Decoding, errUnmatched)
		}
		at := int64(binary.BigEndian.Uint64(key))
		n.oldest.value = at
		if leftOpen && rightOpen {
			return nil
		}
		left := key[8] == leftSide
		ahead := n.Before
		if left {
			ahead = n.After
		}
		if !n.closed(at, ahead) {
			leftOpen, rightOpen = leftOpen || left, rightOpen || !left
			continue
		}
		k, values := side.scratch().Copy(key), side.scratch().Copy(v.Bytes)
		n.unmatched.Delete(k)
		if err := n.releaseAll(side, left, k[unmatchedKeyBytes:], values, at); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll emits the entries of one key, side and time. They pass through fields of their own: the record that
// triggers the release is still to come.
func (n *streamJoin[K, V, W, R]) releaseAll(side *joinEnd, left bool, key, values []byte, at int64) error {
	n.fk.SetBytes(key)
	for len(values) > 0 {
		value, rest, ok := nextUnmatched(values)
		if !ok {
			return side.wrap(Decoding, errUnmatched)
		}
		values = rest
		side.here()
		if err := n.releaseOne(side, left, value, at); err != nil {
			return err
		}
	}
	return nil
}

// nextUnmatched takes the first entry off values, which are not empty.
func nextUnmatched(values []byte) (value, rest []byte, ok bool) {
	size, w := binary.Uvarint(values)
	if w <= 0 || size > uint64(len(values)-w) {
		return nil, nil, false
	}
	end := w + int(size)
	return values[w:end:end], values[end:], true
}

func (n *streamJoin[K, V, W, R]) releaseOne(side *joinEnd, left bool, value []byte, at int64) error {
	if left {
		v, err := n.Left.DecodeBytes(value)
		if err != nil {
			return side.failed(Decoding, err)
		}
		return n.emit(side, &n.fk, &v, nil, at)
	}
	v, err := n.Right.DecodeBytes(value)
	if err != nil {
		return side.failed(Decoding, err)
	}
	return n.emit(side, &n.fk, nil, &v, at)
}
