package engine

// View is a way to look rows of a table up: from its store, or computed from another table's.
type View[K, V any] struct {
	key     *Coder[K]
	compile func(*Build, *Site) lookup[K, V]
}

// lookup finds the row of a key, whose bytes belong to the view's coder: null if there is none. The time is the row's. What
// it returns is valid until the store is written to.
type lookup[K, V any] func(k *Field[K], row *Field[V]) (at int64, err error)

// StoreView looks into the store that t names when the task is compiled.
func StoreView[K, V any](t *TableState, key *Coder[K]) *View[K, V] {
	return &View[K, V]{key: key, compile: func(b *Build, s *Site) lookup[K, V] {
		rows := b.store(t.Store).keyValue
		return func(k *Field[K], row *Field[V]) (int64, error) {
			kb, err := key.Bytes(k, s.scratch())
			if err != nil {
				return 0, err
			}
			value, at, ok := rows.Get(kb)
			if !ok {
				row.SetNull()
				return 0, nil
			}
			row.SetBytes(value)
			return at, nil
		}
	}}
}

// FilterView is a table that filters another's rows and is not kept itself.
func FilterView[K, V any](of *View[K, V], value *Coder[V], want bool, f func(K, V) bool) *View[K, V] {
	pass := passes(of.key, value, want, f)
	return &View[K, V]{key: of.key, compile: func(b *Build, s *Site) lookup[K, V] {
		get, in := of.compile(b, s), new(Field[V])
		return func(k *Field[K], row *Field[V]) (int64, error) {
			at, err := get(k, in)
			if err != nil {
				return 0, err
			}
			return at, pass(k, in, row)
		}
	}}
}

// MapView is a table that maps another's rows and is not kept itself.
func MapView[K, V, R any](of *View[K, V], value *Coder[V], result *Coder[R], f Maker[func(K, V) (R, error)]) *View[K, R] {
	return &View[K, R]{key: of.key, compile: func(b *Build, s *Site) lookup[K, R] {
		get, in, f := of.compile(b, s), new(Field[V]), f(b.ctx)
		return func(k *Field[K], row *Field[R]) (int64, error) {
			row.SetNull()
			at, err := get(k, in)
			if err != nil || in.IsNull() {
				return at, err
			}
			kv, err := of.key.Get(k)
			if err != nil {
				return at, err
			}
			v, err := value.Get(in)
			if err != nil {
				return at, err
			}
			m, err := f(kv, v)
			if err == nil {
				result.Set(row, m)
			}
			return at, err
		}
	}}
}

// JoinView is a table that joins two others and is not kept itself.
func JoinView[K, V, W, R any](left *View[K, V], right *View[K, W], j TableJoin[K, V, W, R]) *View[K, R] {
	return &View[K, R]{key: left.key, compile: func(b *Build, s *Site) lookup[K, R] {
		getLeft, getRight := left.compile(b, s), right.from(left.key).compile(b, s)
		join := j.rows(s)
		l, r := new(Field[V]), new(Field[W])
		return func(k *Field[K], row *Field[R]) (int64, error) {
			leftTime, err := getLeft(k, l)
			if err != nil {
				return 0, err
			}
			rightTime, err := getRight(k, r)
			if err != nil {
				return 0, err
			}
			if l.IsNull() {
				leftTime = rightTime
			}
			if r.IsNull() {
				rightTime = leftTime
			}
			return max(leftTime, rightTime), join(l, r, row)
		}
	}}
}

// from adapts the view to keys in another codec.
func (v *View[K, V]) from(key *Coder[K]) *View[K, V] {
	if key == v.key {
		return v
	}
	return &View[K, V]{key: key, compile: func(b *Build, s *Site) lookup[K, V] {
		get, own := v.compile(b, s), new(Field[K])
		return func(k *Field[K], row *Field[V]) (int64, error) {
			if err := key.Recode(own, k); err != nil {
				return 0, err
			}
			return get(own, row)
		}
	}}
}
