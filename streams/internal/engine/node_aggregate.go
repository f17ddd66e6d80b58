package engine

// Fold adds a value to an aggregate. has is false for the first value of a key: a is no aggregate then.
type Fold[K, V, A any] func(k K, v V, a A, has bool) (A, error)

// Needs says what of a record an operator's function looks at; the rest is not decoded.
type Needs struct{ Key, Value bool }

// read decodes what is needed.
func read[K, V any](needs Needs, key *Coder[K], value *Coder[V], k *Field[K], v *Field[V]) (kv K, vv V, err error) {
	if needs.Key {
		if kv, err = key.Get(k); err != nil {
			return kv, vv, err
		}
	}
	if needs.Value {
		vv, err = value.Get(v)
	}
	return kv, vv, err
}

// Aggregate folds the values of each key. Records without key or value are dropped; an aggregate that is null deletes the key.
func Aggregate[K, V, A any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], agg *Coder[A], t *TableState, needs Needs, add Maker[Fold[K, V, A]]) *Port[Update[K, A]] {
	out := new(Port[Update[K, A]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		return (&aggregate[K, V, A]{
			keeper: newKeeper(b, n, t, key, agg), next: out.compile(b), in: value, needs: needs, add: add(b.ctx),
		}).take
	})
	return out
}

type aggregate[K, V, A any] struct {
	*keeper[K, A]
	next  Next[Update[K, A]]
	in    *Coder[V]
	needs Needs
	add   Fold[K, V, A]
	u     Update[K, A]
}

func (n *aggregate[K, V, A]) take(r *Record[K, V]) error {
	n.here()
	if r.Key.IsNull() {
		n.drop(DropNullKey)
		return nil
	}
	if r.Value.IsNull() {
		n.drop(DropNullValue)
		return nil
	}
	kb, err := n.key.Bytes(&r.Key, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	k, v, err := read(n.needs, n.key, n.in, &r.Key, &r.Value)
	if err != nil {
		return n.failed(Decoding, err)
	}
	u := &n.u
	u.Key, u.Time = r.Key, r.Time
	u.Old.SetNull()
	var a A
	row, at, has := n.rows.Get(kb)
	if has {
		if a, err = n.value.DecodeBytes(row); err != nil {
			return n.failed(Decoding, err)
		}
		u.Time = max(u.Time, at)
		if n.sendOld {
			u.Old.SetBytes(n.scratch().Copy(row))
		}
	}
	if a, err = n.add(k, v, a, has); err != nil {
		return n.failed(Processing, err)
	}
	n.value.Set(&u.New, a)
	nb, err := n.value.Bytes(&u.New, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	n.rows.Put(kb, nb, u.Time)
	return n.next(u)
}

// AggregateTable folds the rows of a grouped table: the old row is subtracted, then the new one added. Nothing is subtracted
// from a key without aggregate.
func AggregateTable[K, V, A any](p *Port[Update[K, V]], n Node, key *Coder[K], value *Coder[V], agg *Coder[A], t *TableState, needs Needs, add, sub Fold[K, V, A]) *Port[Update[K, A]] {
	out := new(Port[Update[K, A]])
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		return (&aggregateTable[K, V, A]{
			keeper: newKeeper(b, n, t, key, agg), next: out.compile(b), in: value, needs: needs, add: add, sub: sub,
		}).take
	})
	return out
}

type aggregateTable[K, V, A any] struct {
	*keeper[K, A]
	next     Next[Update[K, A]]
	in       *Coder[V]
	needs    Needs
	add, sub Fold[K, V, A]
	u        Update[K, A]
}

func (n *aggregateTable[K, V, A]) take(r *Update[K, V]) error {
	n.here()
	kb, err := n.key.Bytes(&r.Key, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	u := &n.u
	u.Key, u.Time = r.Key, r.Time
	u.Old.SetNull()
	var a A
	row, at, has := n.rows.Get(kb)
	if has {
		if a, err = n.value.DecodeBytes(row); err != nil {
			return n.failed(Decoding, err)
		}
		if n.sendOld {
			u.Old.SetBytes(n.scratch().Copy(row))
		}
		if !r.Old.IsNull() || !r.New.IsNull() {
			u.Time = max(u.Time, at)
		}
		if !r.Old.IsNull() {
			if a, has, err = n.fold(n.sub, r, &r.Old, a, has); err != nil {
				return n.failed(Processing, err)
			}
		}
	}
	if !r.New.IsNull() {
		if a, has, err = n.fold(n.add, r, &r.New, a, has); err != nil {
			return n.failed(Processing, err)
		}
	}
	u.New.SetNull()
	if has {
		n.value.Set(&u.New, a)
	}
	nb, err := n.value.Bytes(&u.New, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	n.rows.Put(kb, nb, u.Time)
	return n.next(u)
}

// fold applies one step. A null result counts as no aggregate.
func (n *aggregateTable[K, V, A]) fold(step Fold[K, V, A], r *Update[K, V], row *Field[V], a A, has bool) (A, bool, error) {
	k, v, err := read(n.needs, n.key, n.in, &r.Key, row)
	if err != nil {
		return a, has, err
	}
	if a, err = step(k, v, a, has); err != nil {
		return a, has, err
	}
	return a, !n.value.null(a), nil
}
