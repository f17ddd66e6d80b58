// Package partition is the logs of one log directory: append, read, group commit, recovery, retention, idempotent producers.
//
// A [Directory] is one disk of one node. It is locked, it has an identity, and it holds one directory per partition, each a [Log] of segments in
// Kafka's format (package segment). When a log says that records are durable they are on disk; when a sync or a write fails, the whole directory
// stops acking for good, because nobody knows what such a disk has kept. When bytes are not what was written, the partition is offline and
// the file stays as it is under a new name: only a tail that was never durable is cut.
//
// # What it refuses to be
//
// It knows no replicas, no high watermark but that of a cluster of one ([Log.Watermark]), and no metadata: it never removes a partition because nobody
// mentions it ([Directory.Strays]). It decodes records only where a topic's configuration asks. It has no transactions and no compaction yet.
//
// # Goroutines and locks
//
// A directory owns two goroutines from [OpenDirectory] until Close: the flusher (flusher.go: group commit, this is where records are synced;
// pace.go: how often) and the janitor (janitor.go: retention, purge, space). Each log has a mutex for appends, under which nothing is synced, and one for the maintenance of its files;
// maintenance may take the append mutex for a moment, never the other way round. Readers take no lock: they load immutable snapshots.
// Progress callbacks run without the append mutex.
//
//	d, err := partition.OpenDirectory(partition.DirectoryConfig{FS: fs, ClusterID: cluster, NodeID: 1})
//	err = d.Create(partition.Spec{ID: id, Name: "orders"})
//	l, err := d.Log(id)
//	a, err := l.Append(partition.AppendRequest{Batch: batch, LeaderEpoch: 1})
//	// … once l.Watermark() ≥ a.Next it may be acked
//	r, err := l.Read(a.Base, l.Watermark(), 1<<20, true)
//	defer r.Release()
package partition
