package engine

import "github.com/millrace/millrace/streams/state"

// MergeFold combines the aggregates of two sessions, a being the earlier one or what has been merged so far. hasA is false for
// the first.
type MergeFold[K, A any] func(k K, a, b A, hasA bool) (A, error)

// AggregateSessions folds the values of each key and session [start, end], both included. Sessions closer than the gap
// become one: each old one gets a tombstone, then the merged one appears. Null keys are dropped; null values are handled as
// in AggregateWindows.
func AggregateSessions[K, V, A any](p *Port[Record[K, V]], n Node, w Windowing, key *Coder[K], value *Coder[V], agg *Coder[A], t *TableState, needs Needs, add Maker[Fold[K, V, A]], merge MergeFold[K, A]) *Port[Update[Windowed[K], A]] {
	out := new(Port[Update[Windowed[K], A]])
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		s := &sessions[K, V, A]{merge: merge, store: b.store(t.Store).session}
		s.windowed = newWindowed(b, n, w, out, key, value, agg, t, needs, add)
		return s.take
	})
	return out
}

type sessions[K, V, A any] struct {
	windowed[K, V, A]
	merge MergeFold[K, A]
	store state.Session
	found []sessionRow // of the record in work, by end, then start
}

type sessionRow struct {
	Window
	bytes []byte
}

func (n *sessions[K, V, A]) take(r *Record[K, V]) error {
	if ok, err := n.begin(r); !ok {
		return err
	}
	merged := Window{r.Time, r.Time}
	n.found = n.found[:0]
	var a A
	has := false
	for s, v := range n.store.Find(n.kb, r.Time-n.Size, r.Time+n.Size) {
		found := sessionRow{Window{s.Start, s.End}, n.scratch().Copy(v.Bytes)}
		n.found = append(n.found, found)
		b, err := n.agg.DecodeBytes(found.bytes)
		if err != nil {
			return n.failed(Decoding, err)
		}
		if a, err = n.merge(n.k, a, b, has); err != nil {
			return n.failed(Processing, err)
		}
		has = true
		merged.StartMillis = min(merged.StartMillis, s.Start)
		merged.EndMillis = max(merged.EndMillis, s.End)
	}
	if merged.EndMillis < n.close-n.Size {
		n.drop(DropLate)
		return nil
	}
	if merged != (Window{r.Time, r.Time}) {
		if err := n.retire(); err != nil {
			return err
		}
	}
	n.here()
	a, err := n.add(n.k, n.v, a, has)
	if err != nil {
		return n.failed(Processing, err)
	}
	n.agg.Set(&n.u.New, a)
	return n.keep(merged)
}

// retire removes the sessions that were merged and tells so below.
func (n *sessions[K, V, A]) retire() error {
	for _, s := range n.found {
		n.store.Remove(n.kb, s.StartMillis, s.EndMillis)
		n.u.Key.SetBytes(windowedKey(n.kb, n.Kind, s.Window, n.scratch()))
		n.u.New.SetNull()
		n.u.Old.SetNull()
		if n.sendOld {
			n.u.Old.SetBytes(s.bytes)
		}
		n.u.Time = s.EndMillis
		if err := n.next(&n.u); err != nil {
			return err
		}
	}
	return nil
}

// keep stores n.u.New as the aggregate of the merged session and sends it on.
func (n *sessions[K, V, A]) keep(w Window) error {
	b, err := n.agg.Bytes(&n.u.New, n.scratch())
	if err != nil {
		return n.failed(Encoding, err)
	}
	if !n.store.Put(n.kb, w.StartMillis, w.EndMillis, b, w.EndMillis) {
		n.drop(DropExpired)
		return nil
	}
	n.u.Key.SetBytes(windowedKey(n.kb, n.Kind, w, n.scratch()))
	n.u.Old.SetNull()
	n.u.Time = w.EndMillis
	return n.next(&n.u)
}
