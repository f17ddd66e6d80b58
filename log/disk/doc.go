// Package disk is the disk in a handful of methods: the real one, one in memory that knows what a power cut takes, and
// a faulty one.
//
//	FS ── Open ──► File          real, by Open: fdatasync, fallocate, flock; nothing outside its directory
//	 │                           Memory: what Crash returns is the disk after the power was cut
//	 └─ Lock ──► io.Closer       Faulty: wraps either; a Hook may fail any call
//
// # What it refuses to be
//
// It is no general file system: there are no appends (positioned writes only), no permissions to choose (0600 and 0700),
// no links, no times. It buffers nothing and retries nothing: an error of Sync is final for whatever had not been synced,
// and what to do then is for the log to say.
//
// # What is durable
//
//	bytes and size of a file          after File.Sync
//	an entry in a directory           after FS.SyncDir of that directory (create, rename, remove, mkdir)
//	everything else                   perhaps
//
// Memory is harsher than most disks: of what is not durable it keeps or drops each block of 4 KiB, each size and each
// entry by itself. A program that survives it needs no luck on a real one.
//
// # Goroutines and locks
//
// It starts no goroutine. Everything may be called by several goroutines. Memory has one mutex, over all its files;
// Faulty has none, and calls its Hook without any.
//
// # Example
//
//	points, err := disk.CrashTest{Run: func(fsys disk.FS) func(*disk.Memory) error {
//		acked := writeUntilItFails(fsys)
//		return func(left *disk.Memory) error { return mustHold(left, acked) }
//	}}.Each()
package disk
