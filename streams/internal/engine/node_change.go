package engine

import (
	"encoding/binary"
	"errors"
)

// A grouped table's updates travel through its repartition topic in Kafka's form since KIP-904. The last byte is the flag:
//
//	old  0
//	new  1
//	zigzag-varint(len new)  new  old  2
const (
	changeOld  = 0
	changeNew  = 1
	changeBoth = 2
)

var errChange = errors.New("cannot decode table change: unknown form")

// SelectTable maps each row to a group's key and value. An update within one group is one update; otherwise the old row
// leaves its group before the new one enters its own. Results with a null key or value are left out.
func SelectTable[K, V, K2, V2 any](p *Port[Update[K, V]], n Node, key *Coder[K], value *Coder[V], keyOut *Coder[K2], valueOut *Coder[V2], f func(K, V) (K2, V2)) *Port[Update[K2, V2]] {
	out := new(Port[Update[K2, V2]])
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		s := &selectTable[K, V, K2, V2]{
			Site: b.site(n), key: key, value: value, keyOut: keyOut, valueOut: valueOut, f: f, next: out.compile(b),
		}
		return s.take
	})
	return out
}

type selectTable[K, V, K2, V2 any] struct {
	*Site
	key      *Coder[K]
	value    *Coder[V]
	keyOut   *Coder[K2]
	valueOut *Coder[V2]
	f        func(K, V) (K2, V2)
	next     Next[Update[K2, V2]]
	oldRow   Update[K2, V2] // Key and Old
	newRow   Update[K2, V2] // Key and New
}

func (n *selectTable[K, V, K2, V2]) take(u *Update[K, V]) error {
	n.here()
	hasOld, oldKey, err := n.pick(u, &u.Old, &n.oldRow.Key, &n.oldRow.Old)
	if err != nil {
		return n.failed(Processing, err)
	}
	hasNew, newKey, err := n.pick(u, &u.New, &n.newRow.Key, &n.newRow.New)
	if err != nil {
		return n.failed(Processing, err)
	}
	n.oldRow.Time, n.newRow.Time = u.Time, u.Time
	n.oldRow.New.SetNull()
	n.newRow.Old.SetNull()
	if hasOld && hasNew && string(oldKey) == string(newKey) {
		n.newRow.Old = n.oldRow.Old
		return n.next(&n.newRow)
	}
	if hasOld {
		if err := n.next(&n.oldRow); err != nil {
			return err
		}
	}
	if hasNew {
		return n.next(&n.newRow)
	}
	return nil
}

// pick maps one row and returns the group's key as bytes.
func (n *selectTable[K, V, K2, V2]) pick(u *Update[K, V], row *Field[V], k2 *Field[K2], v2 *Field[V2]) (bool, []byte, error) {
	if row.IsNull() {
		return false, nil, nil
	}
	k, v, err := read(Needs{Key: true, Value: true}, n.key, n.value, &u.Key, row)
	if err != nil {
		return false, nil, err
	}
	group, value := n.f(k, v)
	n.keyOut.Set(k2, group)
	n.valueOut.Set(v2, value)
	if k2.IsNull() || v2.IsNull() {
		return false, nil, nil
	}
	b, err := n.keyOut.Bytes(k2, n.scratch())
	return true, b, err
}

// ChangeSink writes updates to a grouped table's repartition topic.
func ChangeSink[K, V any](p *Port[Update[K, V]], n Node, topic string, key *Coder[K], value *Coder[V]) {
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		s := b.site(n)
		full := b.task.cfg.ApplicationID + "-" + topic
		return func(u *Update[K, V]) error {
			s.here()
			kb, err := key.Bytes(&u.Key, s.scratch())
			if err != nil {
				return s.failed(Encoding, err)
			}
			body, err := encodeChange(u, value, s.scratch())
			if err != nil {
				return s.failed(Encoding, err)
			}
			b.task.out = Output{
				Topic: full, Partition: AnyPartition, Timestamp: u.Time, Key: kb, PartitionKey: kb, Value: body,
				Headers: b.task.headers,
			}
			return b.task.cfg.Collector.Send(&b.task.out)
		}
	})
}

func encodeChange[K, V any](u *Update[K, V], value *Coder[V], s *Scratch) ([]byte, error) {
	oldBytes, err := value.Bytes(&u.Old, s)
	if err != nil {
		return nil, err
	}
	newBytes, err := value.Bytes(&u.New, s)
	if err != nil {
		return nil, err
	}
	start := len(s.buf)
	switch {
	case u.New.IsNull():
		s.buf = append(append(s.buf, oldBytes...), changeOld)
	case u.Old.IsNull():
		s.buf = append(append(s.buf, newBytes...), changeNew)
	default:
		s.buf = binary.AppendVarint(s.buf, int64(len(newBytes)))
		s.buf = append(append(append(s.buf, newBytes...), oldBytes...), changeBoth)
	}
	return s.buf[start:len(s.buf):len(s.buf)], nil
}

// ChangeSource reads what ChangeSink wrote.
func ChangeSource[K, V any](p *Program, n Node) *Port[Update[K, V]] {
	out := new(Port[Update[K, V]])
	p.addSource(n, func(b *Build, s *Site) sourceFunc {
		next, u := out.compile(b), new(Update[K, V])
		return func(in *Input, at int64) error {
			oldBytes, newBytes, err := decodeChange(in.Value)
			if err != nil || in.Key == nil {
				return s.failed(Decoding, errChange)
			}
			u.Key.SetBytes(in.Key)
			u.Old.SetBytes(oldBytes)
			u.New.SetBytes(newBytes)
			u.Time = at
			return next(u)
		}
	})
	return out
}

// decodeChange takes a change apart; an absent side is nil. The slices are part of b.
func decodeChange(b []byte) (oldBytes, newBytes []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errChange
	}
	body := b[:len(b)-1]
	switch b[len(b)-1] {
	case changeOld:
		return body, nil, nil
	case changeNew:
		return nil, body, nil
	case changeBoth:
		size, n := binary.Varint(body)
		if n <= 0 || size < 0 || size > int64(len(body)-n) {
			return nil, nil, errChange
		}
		body = body[n:]
		return body[size:], body[:size:size], nil
	}
	return nil, nil, errChange
}
