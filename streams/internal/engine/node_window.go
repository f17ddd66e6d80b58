package engine

import "github.com/millrace/millrace/streams/state"

// Windowing describes a windowed aggregation; all times in ms.
type Windowing struct {
	Kind    WindowKind
	Size    int64 // length of a time window, difference of a sliding window, gap of a session
	Advance int64 // of hopping windows; equal to Size for tumbling ones
	Grace   int64
}

// Deadline is how long after a window's end it can still change.
func (w Windowing) Deadline() int64 {
	if w.Kind == SessionWindows {
		return w.Grace + w.Size
	}
	return w.Grace
}

// windowed is what all windowed aggregations share. One record leads to several results, one per window it falls into.
type windowed[K, V, A any] struct {
	*Site
	Windowing
	key     *Coder[K]
	in      *Coder[V]
	agg     *Coder[A]
	needs   Needs
	add     Fold[K, V, A]
	sendOld bool
	time    *clock // stream time of this operator
	windows state.Window
	next    Next[Update[Windowed[K], A]]
	u       Update[Windowed[K], A]

	// Of the record in work:
	kb    []byte
	k     K
	v     V
	at    int64
	close int64 // windows that end before it are closed; those whose end is excluded, at it, too
}

// AggregateWindows folds the values of each key and time window. Records without key are dropped. Null values are folded,
// too, if the function can see them; they always move the operator's time.
func AggregateWindows[K, V, A any](p *Port[Record[K, V]], n Node, w Windowing, key *Coder[K], value *Coder[V], agg *Coder[A], t *TableState, needs Needs, add Maker[Fold[K, V, A]]) *Port[Update[Windowed[K], A]] {
	out := new(Port[Update[Windowed[K], A]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		base := newWindowed(b, n, w, out, key, value, agg, t, needs, add)
		if w.Kind == SlidingWindows {
			return (&sliding[K, V, A]{windowed: base}).take
		}
		return (&hopping[K, V, A]{windowed: base}).take
	})
	return out
}

func newWindowed[K, V, A any](b *Build, n Node, w Windowing, out *Port[Update[Windowed[K], A]], key *Coder[K], value *Coder[V], agg *Coder[A], t *TableState, needs Needs, add Maker[Fold[K, V, A]]) windowed[K, V, A] {
	return windowed[K, V, A]{
		Site: b.site(n), Windowing: w, key: key, in: value, agg: agg, needs: needs, add: add(b.ctx), sendOld: t.SendOld,
		time: b.task.clock(n.Name, -1), windows: b.store(t.Store).window, next: out.compile(b),
	}
}

// begin takes a record up: it moves time, encodes the key and decodes what is needed. It reports false when the record ends
// here.
func (n *windowed[K, V, A]) begin(r *Record[K, V]) (bool, error) {
	n.here()
	if r.Key.IsNull() {
		n.drop(DropNullKey)
		return false, nil
	}
	n.at = r.Time
	n.close = n.time.advance(r.Time) - n.Grace
	if r.Value.IsNull() && n.needs.Value && !n.in.SeesNull() {
		n.drop(DropNullValue)
		return false, nil
	}
	var err error
	if n.kb, err = n.key.Bytes(&r.Key, n.scratch()); err != nil {
		return false, n.failed(Encoding, err)
	}
	if n.k, n.v, err = read(n.needs, n.key, n.in, &r.Key, &r.Value); err != nil {
		return false, n.failed(Decoding, err)
	}
	return true, nil
}

// row is an aggregate as it stands in the store, or as it will be carried into a new window.
type row struct {
	bytes []byte // nil: none
	at    int64
}

// fold adds the record in work to old and puts the result into the window, unless it is closed.
func (n *windowed[K, V, A]) fold(w Window, old row) error {
	if w.EndMillis < n.close || (w.EndMillis == n.close && n.Kind == TimeWindows) {
		n.drop(DropLate)
		return nil
	}
	n.here() // earlier windows of this record may have been sent on
	var a A
	var err error
	at := n.at
	if old.bytes != nil {
		if a, err = n.agg.DecodeBytes(old.bytes); err != nil {
			return n.failed(Decoding, err)
		}
		at = max(at, old.at)
	}
	if a, err = n.add(n.k, n.v, a, old.bytes != nil); err != nil {
		return n.failed(Processing, err)
	}
	n.agg.Set(&n.u.New, a)
	return n.put(w, old, at)
}

// put stores n.u.New as the window's aggregate and sends it on.
func (n *windowed[K, V, A]) put(w Window, old row, at int64) error {
	b, err := n.agg.Bytes(&n.u.New, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	n.u.Old.SetNull()
	if n.sendOld && old.bytes != nil {
		n.u.Old.SetBytes(n.scratch().Copy(old.bytes))
	}
	if !n.windows.Put(n.kb, w.StartMillis, b, at) {
		n.drop(DropExpired)
		return nil
	}
	n.u.Key.SetBytes(windowedKey(n.kb, n.Kind, w, n.scratch()))
	n.u.Time = at
	return n.next(&n.u)
}

// hopping windows [start, start+size), tumbling ones among them, are aligned to the epoch.
type hopping[K, V, A any] struct{ windowed[K, V, A] }

func (n *hopping[K, V, A]) take(r *Record[K, V]) error {
	if ok, err := n.begin(r); !ok {
		return err
	}
	start := max(0, r.Time-n.Size+n.Advance) / n.Advance * n.Advance
	for ; start <= r.Time; start += n.Advance {
		var old row
		if b, at, ok := n.windows.Get(n.kb, start); ok {
			old = row{b, at}
		}
		if err := n.fold(Window{start, start + n.Size}, old); err != nil {
			return err
		}
	}
	return nil
}
