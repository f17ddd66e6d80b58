package engine

// TableJoin describes a join of two tables. Join gets pointers that are valid during the call, nil for an absent row.
type TableJoin[K, V, W, R any] struct {
	Key       *Coder[K]
	Left      *Coder[V]
	Right     *Coder[W]
	Result    *Coder[R]
	NeedLeft  bool // no result without a left row
	NeedRight bool
	Join      func(*V, *W) (R, error)
}

// rows joins two rows, either of which may be null.
func (j TableJoin[K, V, W, R]) rows(s *Site) func(l *Field[V], r *Field[W], out *Field[R]) error {
	var left V
	var right W
	return func(l *Field[V], r *Field[W], out *Field[R]) error {
		out.SetNull()
		if (l.IsNull() && (j.NeedLeft || r.IsNull())) || (r.IsNull() && j.NeedRight) {
			return nil
		}
		var lp *V
		var rp *W
		var err error
		if !l.IsNull() {
			if left, err = j.Left.Get(l); err != nil {
				return err
			}
			lp = &left
		}
		if !r.IsNull() {
			if right, err = j.Right.Get(r); err != nil {
				return err
			}
			rp = &right
		}
		m, err := j.Join(lp, rp)
		if err == nil {
			j.Result.Set(out, m)
		}
		return err
	}
}

// JoinTables adds the two sides of a join and the node that merges and keeps the result. Each side is triggered by its own
// table's updates and looks the other's row up.
func JoinTables[K, V, W, R any](left *Port[Update[K, V]], right *Port[Update[K, W]], leftNode, rightNode, mergeNode Node, leftView *View[K, V], rightView *View[K, W], rightKey *Coder[K], j TableJoin[K, V, W, R], own *TableState) *Port[Update[K, R]] {
	merged := new(Port[Update[K, R]])
	out := new(Port[Update[K, R]])
	merged.To(mergeNode.Name, func(b *Build) Next[Update[K, R]] {
		next, keep := out.compile(b), newKeeper(b, mergeNode, own, j.Key, j.Result)
		return func(u *Update[K, R]) error {
			keep.here()
			if ok, err := keep.save(u); !ok {
				return err
			}
			return next(u)
		}
	})
	merge := func(b *Build) Next[Update[K, R]] { return Shared(b, merged, merged.compile) }
	left.To(leftNode.Name, func(b *Build) Next[Update[K, V]] {
		s := b.site(leftNode)
		join := j.rows(s)
		return joinSide(b, s, j.Key, rightView.from(j.Key), own, j.NeedRight, merge(b), join)
	})
	right.To(rightNode.Name, func(b *Build) Next[Update[K, W]] {
		s := b.site(rightNode)
		join := j.rows(s)
		swapped := func(r *Field[W], l *Field[V], out *Field[R]) error { return join(l, r, out) }
		side := joinSide(b, s, j.Key, leftView.from(j.Key), own, j.NeedLeft, merge(b), swapped)
		if rightKey == j.Key {
			return side
		}
		o := new(Update[K, W])
		return func(u *Update[K, W]) error {
			s.here()
			if err := rightKey.Recode(&o.Key, &u.Key); err != nil {
				return s.failed(Decoding, err)
			}
			o.New, o.Old, o.Time = u.New, u.Old, u.Time
			return side(o)
		}
	})
	return out
}

// joinSide is one side: V triggers, the row of W is looked up.
func joinSide[K, V, W, R any](b *Build, s *Site, key *Coder[K], other *View[K, W], own *TableState, needOther bool, next Next[Update[K, R]], join func(*Field[V], *Field[W], *Field[R]) error) Next[Update[K, V]] {
	get, row, o := other.compile(b, s), new(Field[W]), new(Update[K, R])
	return func(u *Update[K, V]) error {
		s.here()
		if u.Key.IsNull() {
			s.drop(DropNullKey)
			return nil
		}
		at, err := get(&u.Key, row)
		if err != nil {
			return s.failed(Decoding, err)
		}
		if row.IsNull() && (needOther || (u.New.IsNull() && u.Old.IsNull())) {
			return nil
		}
		o.Key, o.Time = u.Key, u.Time
		if !row.IsNull() {
			o.Time = max(u.Time, at)
		}
		if err := join(&u.New, row, &o.New); err != nil {
			return s.failed(Processing, err)
		}
		o.Old.SetNull()
		if own.SendOld {
			if err := join(&u.Old, row, &o.Old); err != nil {
				return s.failed(Processing, err)
			}
		}
		return next(o)
	}
}

// JoinTable joins a stream with a table's rows as they are now; needKey says whether f looks at the key. Records without value are dropped; without key, too, unless
// left: then they are joined with nothing.
func JoinTable[K, V, W, R any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], table *View[K, W], row *Coder[W], result *Coder[R], left, needKey bool, f func(K, V, *W) (R, error)) *Port[Record[K, R]] {
	identity := func(r *Record[K, V], k *Field[K]) (kv K, v V, err error) {
		*k = r.Key
		if needKey {
			if kv, err = key.Get(k); err != nil {
				return kv, v, err
			}
		}
		v, err = value.Get(&r.Value)
		return kv, v, err
	}
	return joinStream(p, n, table.from(key), row, result, left, identity,
		func(k K, v V, _ *Field[K], w *W) (R, error) { return f(k, v, w) })
}

// JoinGlobal joins a stream with a global table's row for the key that pick chooses. A null choice finds nothing.
func JoinGlobal[K, V, KG, W, R any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], table *View[KG, W], row *Coder[W], result *Coder[R], left bool, pick func(K, V) KG, f func(K, KG, V, *W) (R, error)) *Port[Record[K, R]] {
	choose := func(r *Record[K, V], k *Field[KG]) (K, V, error) {
		kv, v, err := decoded(key, value, r)
		if err == nil {
			table.key.Set(k, pick(kv, v))
		}
		return kv, v, err
	}
	return joinStream(p, n, table, row, result, left, choose, func(k K, v V, mapped *Field[KG], w *W) (R, error) {
		kg, err := table.key.Get(mapped)
		if err != nil {
			var none R
			return none, err
		}
		return f(k, kg, v, w)
	})
}

func joinStream[K, V, KT, W, R any](p *Port[Record[K, V]], n Node, table *View[KT, W], row *Coder[W], result *Coder[R], left bool, pick func(*Record[K, V], *Field[KT]) (K, V, error), f func(K, V, *Field[KT], *W) (R, error)) *Port[Record[K, R]] {
	out := new(Port[Record[K, R]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s := out.compile(b), b.site(n)
		get, k, found, o := table.compile(b, s), new(Field[KT]), new(Field[W]), new(Record[K, R])
		var w W
		return func(r *Record[K, V]) error {
			s.here()
			if r.Value.IsNull() {
				s.drop(DropNullValue)
				return nil
			}
			kv, v, err := pick(r, k)
			if err != nil {
				return s.failed(Decoding, err)
			}
			found.SetNull()
			if !k.IsNull() {
				if _, err := get(k, found); err != nil {
					return s.failed(Decoding, err)
				}
			} else if !left {
				s.drop(DropNullKey)
				return nil
			}
			var match *W
			if !found.IsNull() {
				if w, err = row.Get(found); err != nil {
					return s.failed(Decoding, err)
				}
				match = &w
			} else if !left {
				return nil
			}
			m, err := f(kv, v, k, match)
			if err != nil {
				return s.failed(Processing, err)
			}
			o.Key, o.Time = r.Key, r.Time
			result.Set(&o.Value, m)
			return next(o)
		}
	})
	return out
}
