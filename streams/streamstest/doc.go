// Package streamstest runs a topology in a test: without a cluster, on virtual time, in the test's own goroutine.
//
// The whole topology is one task on partition 0. What is piped into an input topic runs through all of it, repartition topics
// included, before Pipe returns. Time stands still unless the test moves it: event time by the records' timestamps, wall
// clock by Advance. Commit and Crash let a test check that a restart changes nothing.
//
// It is not a broker: topics are lists in memory, with one partition. It starts no goroutine, takes no lock and works inside
// testing/synctest.
//
//	d := streamstest.New(t, topo)
//	lines := d.Input("lines", serde.String, serde.String)
//	lines.Pipe("", "to be or not to be", time.UnixMilli(0))
//	counts := d.Output("counts", serde.String, serde.Int64).All()
package streamstest
