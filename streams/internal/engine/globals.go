package engine

import (
	"fmt"
	"sync"

	"github.com/millrace/millrace/streams/topology"
)

// Globals holds the stores of a program's global tables, one set per application instance. Its owner feeds it with Apply;
// tasks on other goroutines read it. The lock covers single lookups and updates, so no iterator leaves it.
type Globals struct {
	mu struct {
		sync.RWMutex
		stores map[string]*taskStore
	}
	sources map[string]sourceFunc // by topic
}

// NewGlobals makes the empty stores, or returns nil if the program has no global table.
func NewGlobals(p *Program) (*Globals, error) {
	g := &Globals{sources: make(map[string]sourceFunc)}
	g.mu.stores = make(map[string]*taskStore)
	for _, s := range p.Graph.Stores() {
		if !s.Global {
			continue
		}
		store, err := newStore(s)
		if err != nil {
			return nil, err
		}
		g.mu.stores[s.Name] = store
	}
	for _, n := range p.Graph.Nodes() {
		if n.Kind == topology.KindSource && n.Global {
			for _, topic := range n.Topics {
				g.sources[topic] = p.globals[n.Name](g)
			}
		}
	}
	if len(g.sources) == 0 {
		return nil, nil
	}
	return g, nil
}

// Reads reports whether the record's topic feeds a global table.
func (g *Globals) Reads(topic string) bool { return g != nil && g.sources[topic] != nil }

// Apply puts one record of a global table's topic into its store.
func (g *Globals) Apply(in *Input) error {
	source := g.sources[in.Topic]
	if source == nil {
		return fmt.Errorf("cannot apply record of topic %s: no global table reads it", in.Topic)
	}
	return source(in, in.Timestamp)
}

// GlobalTable makes a global table: its source feeds the store, and the view reads it from any task. Keys and values stay
// as the topic holds them. Records without key are skipped.
func GlobalTable[K, V any](p *Program, source, store string, key *Coder[K]) *View[K, V] {
	p.globals[source] = func(g *Globals) sourceFunc {
		return func(in *Input, at int64) error {
			if in.Key == nil {
				return nil
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			g.mu.stores[store].keyValue.Put(in.Key, in.Value, at)
			return nil
		}
	}
	return &View[K, V]{key: key, compile: func(b *Build, s *Site) lookup[K, V] {
		g := b.task.cfg.Globals
		return func(k *Field[K], row *Field[V]) (int64, error) {
			kb, err := key.Bytes(k, s.scratch())
			if err != nil {
				return 0, err
			}
			g.mu.RLock()
			defer g.mu.RUnlock()
			value, at, ok := g.mu.stores[store].keyValue.Get(kb)
			if !ok {
				row.SetNull()
				return 0, nil
			}
			row.SetBytes(s.scratch().Copy(value)) // another goroutine may write as soon as the lock is free
			return at, nil
		}
	}}
}
