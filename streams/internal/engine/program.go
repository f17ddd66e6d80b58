package engine

import (
	"github.com/millrace/millrace/streams/topology"
)

// Program is a topology with its compiled form: what every task of it is made from. It is built by one goroutine and
// read-only after that.
type Program struct {
	Graph   *topology.Graph
	sources map[string]source // by node
	stamps  map[string]Stamp  // by source; none: the record's own time
	globals map[string]func(*Globals) sourceFunc
	stores  map[string]any // typed descriptions of stores that processors open by name
}

// NewProgram is an empty program.
func NewProgram() *Program {
	return &Program{
		Graph:   topology.New(),
		sources: make(map[string]source),
		stamps:  make(map[string]Stamp),
		globals: make(map[string]func(*Globals) sourceFunc),
		stores:  make(map[string]any),
	}
}

// source is a source node and its recipe.
type source struct {
	Node
	compile func(*Build, *Site) sourceFunc
}

func (p *Program) addSource(n Node, compile func(*Build, *Site) sourceFunc) {
	p.sources[n.Name] = source{n, compile}
}

// sourceFunc takes one raw record with its event time.
type sourceFunc func(in *Input, at int64) error

// Source makes the source node n of a program: raw records in, records out. Nothing is decoded here.
func Source[K, V any](p *Program, n Node) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	p.addSource(n, func(b *Build, _ *Site) sourceFunc {
		next := out.compile(b)
		r := new(Record[K, V])
		return func(in *Input, at int64) error {
			r.Key.SetBytes(in.Key)
			r.Value.SetBytes(in.Value)
			r.Time = at
			return next(r)
		}
	})
	return out
}
