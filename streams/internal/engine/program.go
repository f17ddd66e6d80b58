package engine

import (
	"github.com/millrace/millrace/streams/topology"
)

// Program is a topology with its compiled form: what every task of it is made from. It is built by one goroutine and
// read-only after that.
type Program struct {
	Graph   *topology.Graph
	sources map[string]func(*Build) sourceFunc // by node
	globals map[string]func(*Globals) sourceFunc
	stores  map[string]any // typed descriptions of stores that processors open by name
}

// NewProgram is an empty program.
func NewProgram() *Program {
	return &Program{
		Graph:   topology.New(),
		sources: make(map[string]func(*Build) sourceFunc),
		globals: make(map[string]func(*Globals) sourceFunc),
		stores:  make(map[string]any),
	}
}

// sourceFunc takes one raw record with its event time.
type sourceFunc func(in *Input, at int64) error

// Source makes the source node n of a program: raw records in, records out. Nothing is decoded here.
func Source[K, V any](p *Program, n Node) *Port[Record[K, V]] {
	out := new(Port[Record[K, V]])
	p.sources[n.Name] = func(b *Build) sourceFunc {
		next := out.compile(b)
		r := new(Record[K, V])
		return func(in *Input, at int64) error {
			r.Key.SetBytes(in.Key)
			r.Value.SetBytes(in.Value)
			r.Time = at
			return next(r)
		}
	}
	return out
}
