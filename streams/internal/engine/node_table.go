package engine

import "github.com/millrace/millrace/streams/state"

// TableState is what the program decides about a table after its node was made: whether it is kept in a store, and whether
// its updates must carry old values. It is read when a task is compiled.
type TableState struct {
	Store   string // name of the store that holds the table; empty when it is not kept
	SendOld bool
}

// keeper is the compiled form of a TableState.
type keeper[K, V any] struct {
	*Site
	key     *Coder[K]
	value   *Coder[V]
	rows    state.KeyValue // nil when the table is not kept
	sendOld bool
}

func newKeeper[K, V any](b *Build, n Node, t *TableState, key *Coder[K], value *Coder[V]) *keeper[K, V] {
	k := &keeper[K, V]{Site: b.site(n), key: key, value: value, sendOld: t.SendOld}
	if t.Store != "" {
		k.rows = b.store(t.Store).keyValue
	}
	return k
}

// loadOld reads the stored row into old, as a copy that outlives the next write.
func (k *keeper[K, V]) loadOld(key []byte, old *Field[V]) {
	b, _, ok := k.rows.Get(key)
	if !ok {
		old.SetNull()
		return
	}
	old.SetBytes(k.scratch().Copy(b))
}

// save writes u.New to the store, if there is one. It reports false when the update ends here because of a handled error.
func (k *keeper[K, V]) save(u *Update[K, V]) (bool, error) {
	if k.rows == nil {
		return true, nil
	}
	key, err := k.key.Bytes(&u.Key, k.scratch())
	if err != nil {
		return false, k.failed(Encoding, err)
	}
	value, err := k.value.Bytes(&u.New, k.scratch())
	if err != nil {
		return false, k.failed(Encoding, err)
	}
	k.rows.Put(key, value, u.Time)
	return true, nil
}

// ToTable turns records into updates of a table: the last record of a key is its row, null deletes it. Records without key
// are dropped.
func ToTable[K, V any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], t *TableState) *Port[Update[K, V]] {
	out := new(Port[Update[K, V]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, keep, u := out.compile(b), newKeeper(b, n, t, key, value), new(Update[K, V])
		return func(r *Record[K, V]) error {
			keep.here()
			if r.Key.IsNull() {
				keep.drop(DropNullKey)
				return nil
			}
			u.Key, u.New, u.Time = r.Key, r.Value, r.Time
			u.Old.SetNull()
			if keep.rows != nil && keep.sendOld {
				kb, err := key.Bytes(&u.Key, keep.scratch())
				if err != nil {
					return keep.failed(Encoding, err)
				}
				keep.loadOld(kb, &u.Old)
			}
			if ok, err := keep.save(u); !ok {
				return err
			}
			return next(u)
		}
	})
	return out
}

// ToStream turns a table's updates into records: the new value, null for a delete.
func ToStream[K, V any](p *Port[Update[K, V]], n Node) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		next, r := out.compile(b), new(Record[K, V])
		return func(u *Update[K, V]) error {
			r.Key, r.Value, r.Time = u.Key, u.New, u.Time
			return next(r)
		}
	})
	return out
}

// FilterTable keeps the rows for which f gives want; a row that stops passing becomes a delete. A key that never passed
// gives nothing, provided that old values are known (own.SendOld).
func FilterTable[K, V any](p *Port[Update[K, V]], n Node, key *Coder[K], value *Coder[V], own *TableState, want bool, f func(K, V) bool) *Port[Update[K, V]] {
	out := new(Port[Update[K, V]])
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		next, keep, o := out.compile(b), newKeeper(b, n, own, key, value), new(Update[K, V])
		pass := passes(key, value, want, f)
		return func(u *Update[K, V]) error {
			keep.here()
			o.Key, o.Time = u.Key, u.Time
			if err := pass(&u.Key, &u.New, &o.New); err != nil {
				return keep.failed(Decoding, err)
			}
			if err := keep.filterOld(u, o, pass); err != nil {
				return keep.failed(Decoding, err)
			}
			if keep.sendOld && o.Old.IsNull() && o.New.IsNull() {
				return nil
			}
			if ok, err := keep.save(o); !ok {
				return err
			}
			return next(o)
		}
	})
	return out
}

// passes copies a row from in to out, or null if the predicate does not hold.
func passes[K, V any](key *Coder[K], value *Coder[V], want bool, f func(K, V) bool) func(k *Field[K], in, out *Field[V]) error {
	return func(k *Field[K], in, out *Field[V]) error {
		out.SetNull()
		if in.IsNull() {
			return nil
		}
		kv, err := key.Get(k)
		if err != nil {
			return err
		}
		v, err := value.Get(in)
		if err != nil {
			return err
		}
		if f(kv, v) == want {
			*out = *in
		}
		return nil
	}
}

// filterOld fills in o.Old: from the store, or by filtering u.Old.
func (k *keeper[K, V]) filterOld(u, o *Update[K, V], pass func(k *Field[K], in, out *Field[V]) error) error {
	o.Old.SetNull()
	if !k.sendOld {
		return nil
	}
	if k.rows == nil {
		return pass(&u.Key, &u.Old, &o.Old)
	}
	kb, err := k.key.Bytes(&u.Key, k.scratch())
	if err != nil {
		return err
	}
	k.loadOld(kb, &o.Old)
	return nil
}

// MapTable replaces the rows' values by f's results. f is not called for deletes.
func MapTable[K, V, R any](p *Port[Update[K, V]], n Node, key *Coder[K], value *Coder[V], result *Coder[R], own *TableState, f Maker[func(K, V) (R, error)]) *Port[Update[K, R]] {
	out := new(Port[Update[K, R]])
	p.To(n.Name, func(b *Build) Next[Update[K, V]] {
		next, keep, o := out.compile(b), newKeeper(b, n, own, key, result), new(Update[K, R])
		apply := mapRow(keep.Site, key, value, result, f(b.ctx))
		return func(u *Update[K, V]) error {
			keep.here()
			o.Key, o.Time = u.Key, u.Time
			if ok, err := apply(&u.Key, &u.New, &o.New); !ok {
				return err
			}
			o.Old.SetNull()
			switch {
			case keep.sendOld && keep.rows != nil:
				kb, err := key.Bytes(&o.Key, keep.scratch())
				if err != nil {
					return keep.failed(Encoding, err)
				}
				keep.loadOld(kb, &o.Old)
			case keep.sendOld:
				if ok, err := apply(&u.Key, &u.Old, &o.Old); !ok {
					return err
				}
			}
			if ok, err := keep.save(o); !ok {
				return err
			}
			return next(o)
		}
	})
	return out
}

// mapRow is the mapping of one value. It reports false when the row ends here because of an error, handled or not.
func mapRow[K, V, R any](s *Site, key *Coder[K], value *Coder[V], result *Coder[R], f func(K, V) (R, error)) func(*Field[K], *Field[V], *Field[R]) (bool, error) {
	return func(k *Field[K], in *Field[V], out *Field[R]) (bool, error) {
		if in.IsNull() {
			out.SetNull()
			return true, nil
		}
		kv, err := key.Get(k)
		if err != nil {
			return false, s.failed(Decoding, err)
		}
		v, err := value.Get(in)
		if err != nil {
			return false, s.failed(Decoding, err)
		}
		m, err := f(kv, v)
		if err != nil {
			return false, s.failed(Processing, err)
		}
		result.Set(out, m)
		return true, nil
	}
}
