package streams

import (
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/topology"
)

// Topology is a built program. It is immutable: any number of applications and tests may run it.
type Topology struct {
	program *engine.Program
}

// Describe prints the topology as Kafka Streams' TopologyDescription does, byte for byte.
func (t *Topology) Describe() string { return t.program.Graph.Describe() }

// Graph is the topology as data. It must not be changed.
func (t *Topology) Graph() *topology.Graph { return t.program.Graph }

// Program is the compiled form, for the packages of this module that run it.
func (t *Topology) Program() *engine.Program { return t.program }
