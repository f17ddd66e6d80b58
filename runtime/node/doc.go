// Package node is one Millrace node in one value: it boots the log in order, serves it, and stops it in reverse.
//
//	n, err := node.Start(ctx, node.Config{Dir: dir})
//	c := n.Client()
//	defer n.Close()
//
// Boot order: lock of the data directory, metadata quorum (its own term's barrier), log directory and partitions, coordinators, listeners. What
// fails on the way undoes what stood before it. [Node.Close] goes back in reverse: listeners, coordinators, partitions (flushed, trimmed, marked as
// cleanly stopped), quorum, lock.
//
// Without KafkaListen no socket is opened: [Node.Client] reaches the broker through a pipe in memory. The package owns the listeners' goroutines, the HTTP server
// and one goroutine that watches for a failed disk: after the first failed sync or the first error of raft's store the node is of no use, [Node.Failed] says so,
// and the process should end with [Node.Err].
//
// It is also the only place that knows Prometheus: packages return plain structs of figures, metrics.go exports them.
package node
