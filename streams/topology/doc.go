// Package topology is the graph of a streams program as data: nodes, stores, internal topics, and how they fall apart into
// subtopologies. It can be checked, cut and described without running anything.
//
// It knows no types, no serdes and no functions: those stay with the compiled program in streams/internal/engine, which
// refers to nodes by name. It starts no goroutine and takes no lock: a Graph is built by one goroutine and read-only after
// that.
//
//	g := topology.New()
//	g.AddSource("in", topology.Source{Topics: []string{"lines"}})
//	g.AddSink("out", topology.Sink{Topic: "copies"}, "in")
//	fmt.Print(g.Describe())
package topology
