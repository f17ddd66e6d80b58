// Package replica is the leader's side of one partition: it says how far records are committed and wakes who waits for that.
//
// A [Leader] wraps the local [partition.Log]. Until replication exists the in-sync set is this node alone, so the high watermark follows
// [partition.Log.Watermark]: the durable offset in mode fsync, the log end in mode replicated. The rule stands in [HighWatermark], a pure
// function over the positions of the in-sync replicas, so that adding replicas adds positions and changes no caller.
//
// There is one waiting primitive. A produce request waits until the high watermark reaches the end of its batch, a fetch until it passes the
// reader's position; both hold a [Watcher] and block on its channel, on their own goroutine. The package starts none.
//
// Locks: one mutex per leader over its watchers, taken on its own (never while a log's lock is held: logs report progress without it).
//
//	w := replica.NewWatcher()
//	leader.Watch(w, appended.Next)
//	defer leader.Unwatch(w)
//	for leader.HighWatermark() < appended.Next {
//		select {
//		case <-w.C:
//		case <-ctx.Done():
//		}
//	}
package replica
