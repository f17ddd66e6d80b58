// Package state holds the stores of stream tasks: key-value, window, session and duplicates (the store of a
// stream-stream join), as interfaces and as tables in memory.
//
// A store works on bytes: it compares keys as bytes, and knows neither serdes nor logs. What changed since the last
// commit leaves through [Logged.Flush] and comes back through [Logged.Restore]; both speak Kafka's changelog layouts,
// drawn in keys.go. It is not a database: it has no durability of its own (the changelog has), no transactions, no
// queries from other goroutines.
//
// # Goroutines and locks
//
// The package starts no goroutine and takes no lock. One goroutine, the task's, owns a store; every method, and every
// step of an iterator, runs there.
//
// # Who owns the bytes
//
// Slices passed in are copied; the caller may reuse them at once. Slices handed out point into the store: they are
// valid until the next call that writes to the same store (Put, Delete, Remove, ObserveTime, Flush, Restore), and must
// not be changed. A loop over an iterator may write to the store it ranges over: an entry added or removed behind the
// loop's position is not visited, one ahead of it is, or is not, as the store stands when the loop gets there.
//
// # Null
//
// A nil value is Kafka's null: putting it deletes. An empty value that is not nil is a value, and comes back not nil.
//
// # Time and retention
//
// Times are milliseconds since the epoch. Stores of windows track the highest time they have seen, from -1 upwards. A put
// at or below that time minus the retention is dropped and counted; an entry at or below it is never seen again,
// whether or not its memory has been reclaimed. Memory goes a segment at a time, an eighth of the retention each.
//
// # In memory
//
// Entries stand in slices without pointers, found by open addressing over 8-byte slots (half of the hash, half the
// entry's number); keys and values lie in chunks of bytes, in size classes with free lists, so that a value is
// overwritten in place while its class fits. In steady state Get and Put allocate nothing. Order (Range, FetchAll) and
// the index per key (Fetch) are built by the first scan that needs them and kept up from then on.
//
//	counts := state.NewKeyValue()
//	counts.Put([]byte("hello"), []byte{1}, 1000)
//	err := counts.Flush(func(key, value []byte, ts int64) error {
//		return changelog.Send(key, value, ts) // copies
//	})
package state
