package engine

// Filter passes the records for which f gives want. A null value of a type without null is not shown to f, whose answer
// then counts as false.
func Filter[K, V any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], want bool, f Maker[func(K, V) (bool, error)]) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		return func(r *Record[K, V]) error {
			s.here()
			pass := false
			if !r.Value.IsNull() || value.SeesNull() {
				k, v, err := decoded(key, value, r)
				if err != nil {
					return s.failed(Decoding, err)
				}
				if pass, err = f(k, v); err != nil {
					return s.failed(Processing, err)
				}
			}
			if pass != want {
				return nil
			}
			return next(r)
		}
	})
	return out
}

func decoded[K, V any](key *Coder[K], value *Coder[V], r *Record[K, V]) (k K, v V, err error) {
	if k, err = key.Get(&r.Key); err != nil {
		return k, v, err
	}
	v, err = value.Get(&r.Value)
	return k, v, err
}

// MapValues replaces the value by f's result. needKey false spares decoding the key, and f gets its zero value. A null value
// of a type without null stays null, and f is not called.
func MapValues[K, V, R any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], result *Coder[R], needKey bool, f Maker[func(K, V) (R, error)]) *Port[Record[K, R]] {
	out := new(Port[Record[K, R]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		o := new(Record[K, R])
		return func(r *Record[K, V]) error {
			s.here()
			o.Key, o.Time = r.Key, r.Time
			if r.Value.IsNull() && !value.SeesNull() {
				o.Value.SetNull()
				return next(o)
			}
			var k K
			if needKey {
				var err error
				if k, err = key.Get(&r.Key); err != nil {
					return s.failed(Decoding, err)
				}
			}
			v, err := value.Get(&r.Value)
			if err != nil {
				return s.failed(Decoding, err)
			}
			m, err := f(k, v)
			if err != nil {
				return s.failed(Processing, err)
			}
			result.Set(&o.Value, m)
			return next(o)
		}
	})
	return out
}

// SelectKey gives the record a new key. A record whose null value f cannot see is dropped: it would have no key.
func SelectKey[K, V, K2 any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], result *Coder[K2], f Maker[func(K, V) (K2, error)]) *Port[Record[K2, V]] {
	out := new(Port[Record[K2, V]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		o := new(Record[K2, V])
		return func(r *Record[K, V]) error {
			s.here()
			if r.Value.IsNull() && !value.SeesNull() {
				s.drop(DropNullValue)
				return nil
			}
			k, v, err := decoded(key, value, r)
			if err != nil {
				return s.failed(Decoding, err)
			}
			k2, err := f(k, v)
			if err != nil {
				return s.failed(Processing, err)
			}
			result.Set(&o.Key, k2)
			o.Value, o.Time = r.Value, r.Time
			return next(o)
		}
	})
	return out
}

// FlatMap replaces a record by those that f yields, none for a null value it cannot see. It serves Map, too.
func FlatMap[K, V, K2, V2 any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], keyOut *Coder[K2], valueOut *Coder[V2], f Maker[func(K, V, func(K2, V2) error) error]) *Port[Record[K2, V2]] {
	out := new(Port[Record[K2, V2]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		o := new(Record[K2, V2])
		var below error // an error of the nodes below must not pass for one of f
		emit := func(k K2, v V2) error {
			keyOut.Set(&o.Key, k)
			valueOut.Set(&o.Value, v)
			below = next(o)
			s.here() // f goes on
			return below
		}
		return func(r *Record[K, V]) error {
			s.here()
			if r.Value.IsNull() && !value.SeesNull() {
				s.drop(DropNullValue)
				return nil
			}
			k, v, err := decoded(key, value, r)
			if err != nil {
				return s.failed(Decoding, err)
			}
			o.Time, below = r.Time, nil
			if err := f(k, v, emit); below != nil {
				return below
			} else if err != nil {
				return s.failed(Processing, err)
			}
			return nil
		}
	})
	return out
}

// FlatMapValues replaces a record by one for each value that f yields, with the same key.
func FlatMapValues[K, V, R any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], result *Coder[R], needKey bool, f Maker[func(K, V) ([]R, error)]) *Port[Record[K, R]] {
	out := new(Port[Record[K, R]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		o := new(Record[K, R])
		return func(r *Record[K, V]) error {
			s.here()
			if r.Value.IsNull() && !value.SeesNull() {
				s.drop(DropNullValue)
				return nil
			}
			var k K
			if needKey {
				var err error
				if k, err = key.Get(&r.Key); err != nil {
					return s.failed(Decoding, err)
				}
			}
			v, err := value.Get(&r.Value)
			if err != nil {
				return s.failed(Decoding, err)
			}
			list, err := f(k, v)
			if err != nil {
				return s.failed(Processing, err)
			}
			for _, m := range list {
				o.Key, o.Time = r.Key, r.Time
				result.Set(&o.Value, m)
				if err := next(o); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return out
}

// Peek shows each record to f and passes it on unchanged. Null values that f cannot see are passed without.
func Peek[K, V any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], f Maker[func(K, V) error]) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, f := out.compile(b), b.site(n), f(b.ctx)
		return func(r *Record[K, V]) error {
			s.here()
			if !r.Value.IsNull() || value.SeesNull() {
				k, v, err := decoded(key, value, r)
				if err != nil {
					return s.failed(Decoding, err)
				}
				if err := f(k, v); err != nil {
					return s.failed(Processing, err)
				}
			}
			return next(r)
		}
	})
	return out
}

// Pass is a node that only has a name: a merge, a branch's head, the filter before a repartition topic.
func Pass[R any](n Node, parents ...*Port[R]) *Port[R] {
	out := new(Port[R])
	for _, p := range parents {
		p.To(n.Name, func(b *Build) Next[R] {
			return Shared(b, out, func(b *Build) Next[R] { return out.compile(b) })
		})
	}
	return out
}

// Merge joins two streams into one whose edge has the coders key and value. Records of a parent with other coders are
// decoded, because their bytes mean something else.
func Merge[K, V any](n Node, key *Coder[K], value *Coder[V], parents ...MergeParent[K, V]) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	for _, parent := range parents {
		parent.Port.To(n.Name, func(b *Build) Next[Record[K, V]] {
			next := Shared(b, out, func(b *Build) Next[Record[K, V]] { return out.compile(b) })
			if parent.Key == key && parent.Value == value {
				return next
			}
			s, o := b.site(n), new(Record[K, V])
			return func(r *Record[K, V]) error {
				s.here()
				if err := parent.Key.Recode(&o.Key, &r.Key); err != nil {
					return s.failed(Decoding, err)
				}
				if err := parent.Value.Recode(&o.Value, &r.Value); err != nil {
					return s.failed(Decoding, err)
				}
				o.Time = r.Time
				return next(o)
			}
		})
	}
	return out
}

// MergeParent is one input of a Merge.
type MergeParent[K, V any] struct {
	Port  *Port[Record[K, V]]
	Key   *Coder[K]
	Value *Coder[V]
}

// Branch sends each record to the first port whose predicate holds. A predicate that is nil always holds.
func Branch[K, V any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], branches func() []Arm[K, V]) {
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		s := b.site(n)
		arms := branches()
		nexts := make([]Next[Record[K, V]], len(arms))
		for i, arm := range arms {
			nexts[i] = arm.Port.compile(b)
		}
		return func(r *Record[K, V]) error {
			s.here()
			unseen := r.Value.IsNull() && !value.SeesNull()
			k, v, err := decoded(key, value, r)
			if err != nil {
				return s.failed(Decoding, err)
			}
			for i, arm := range arms {
				if arm.If == nil || (!unseen && arm.If(k, v)) {
					return nexts[i](r)
				}
			}
			return nil
		}
	})
}

// Arm is one branch.
type Arm[K, V any] struct {
	If   func(K, V) bool
	Port *Port[Record[K, V]]
}

// SelectKeyOfAll is SelectKey for streams whose null values matter: f gets V's zero value for one it cannot see.
func SelectKeyOfAll[K, V, K2 any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], result *Coder[K2], f func(K, V) (K2, error)) *Port[Record[K2, V]] {
	out := new(Port[Record[K2, V]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		next, s, o := out.compile(b), b.site(n), new(Record[K2, V])
		return func(r *Record[K, V]) error {
			s.here()
			k, v, err := decoded(key, value, r)
			if err != nil {
				return s.failed(Decoding, err)
			}
			k2, err := f(k, v)
			if err != nil {
				return s.failed(Processing, err)
			}
			result.Set(&o.Key, k2)
			o.Value, o.Time = r.Value, r.Time
			return next(o)
		}
	})
	return out
}
