package state

import "iter"

// Value is one stored value with the timestamp it was put with (ms). Bytes is never nil, belongs to the store, and is
// valid until the next write to it.
type Value struct {
	Bytes     []byte
	Timestamp int64
}

// KeyValue is a table: at most one value per key.
type KeyValue interface {
	// Get returns the value of key and its timestamp. The slice is valid until the next write.
	Get(key []byte) (value []byte, ts int64, ok bool)
	// Put sets the value of key. A nil value deletes, as Delete does, and gives the tombstone the timestamp ts.
	Put(key, value []byte, ts int64)
	// Delete removes key, if it is there. Its tombstone carries the timestamp of the deleted value.
	Delete(key []byte)
	// Range yields the entries with from ≤ key ≤ to in the byte order of their keys; nil is an open end. The
	// iterator keeps from and to while it runs.
	Range(from, to []byte) iter.Seq2[[]byte, Value]
	// Len counts the entries.
	Len() int
}

// Scanner is what an ordered [KeyValue] can do besides: both stores of this module implement it.
type Scanner interface {
	// Prefix yields the entries whose keys begin with prefix, in byte order. The iterator keeps prefix while it runs.
	Prefix(prefix []byte) iter.Seq2[[]byte, Value]
	// RangeBackward is Range from the highest key down.
	RangeBackward(from, to []byte) iter.Seq2[[]byte, Value]
}

// Timed is the retention of every store of windows: see "Time and retention" in the package comment.
type Timed interface {
	// ObserveTime raises the store's own highest time to t without a put; a lower t does nothing.
	ObserveTime(t int64)
	// HighestTime is the highest time put or observed; -1 at first. Who resumes a task commits this number and observes it again.
	HighestTime() int64
	// Expired counts the puts that were dropped because they came too late.
	Expired() int64
}

// WindowKey names one window of one key. Key belongs to the store and is valid until the next write.
type WindowKey struct {
	Key   []byte
	Start int64
}

// Window holds one value per key and window start. Its time is that of window starts.
type Window interface {
	// Put sets the value of the window that begins at start; nil deletes it. It raises the highest time to start, with a nil
	// value too, and reports false when start is expired: nothing is stored then, and the put is counted.
	Put(key []byte, start int64, value []byte, ts int64) bool
	// Get returns the value of one window. The slice is valid until the next write.
	Get(key []byte, start int64) (value []byte, ts int64, ok bool)
	// Fetch yields the windows of key with from ≤ start ≤ to, earliest first. The iterator keeps key while it runs.
	Fetch(key []byte, from, to int64) iter.Seq2[int64, Value]
	// FetchBackward is Fetch, latest first.
	FetchBackward(key []byte, from, to int64) iter.Seq2[int64, Value]
	// FetchAll yields the windows of all keys with from ≤ start ≤ to, by start, then by key.
	FetchAll(from, to int64) iter.Seq2[WindowKey, Value]
	Timed
}

// SessionKey names one session, both ends included. Key belongs to the store and is valid until the next write.
type SessionKey struct {
	Key        []byte
	Start, End int64
}

// Session holds one value per key, start and end. Its time is that of session ends.
type Session interface {
	// Put sets the value of the session [start, end]; nil deletes it. It raises the highest time to end, with a nil value
	// too, and reports false when end is expired: nothing is stored then, and the put is counted. It panics if end < start.
	Put(key []byte, start, end int64, value []byte, ts int64) bool
	// Remove deletes the session [start, end], if it is there. Its tombstone carries the timestamp of the deleted value.
	Remove(key []byte, start, end int64)
	// Get returns the value of one session. The slice is valid until the next write.
	Get(key []byte, start, end int64) (value []byte, ts int64, ok bool)
	// Find yields the sessions of key with end ≥ earliestEnd and start ≤ latestStart, by end, then by start. The iterator
	// keeps key while it runs.
	Find(key []byte, earliestEnd, latestStart int64) iter.Seq2[SessionKey, Value]
	// FindBackward is Find in the opposite order.
	FindBackward(key []byte, earliestEnd, latestStart int64) iter.Seq2[SessionKey, Value]
	// FindAll yields the sessions of all keys with earliestEnd ≤ end ≤ latestEnd, by end, then by start, then by key.
	FindAll(earliestEnd, latestEnd int64) iter.Seq2[SessionKey, Value]
	Timed
}

// Duplicates is the store of one side of a stream-stream join: several values per key and time, in order of arrival.
type Duplicates interface {
	// Put adds a value. It raises the highest time to time and reports false when time is expired: nothing is stored then,
	// and the put is counted. A nil value stores nothing, but moves time all the same.
	Put(key []byte, time int64, value []byte) bool
	// Fetch yields the values of key with from ≤ time ≤ to, by time, then in order of arrival. Each slice is valid until
	// the next write. The iterator keeps key while it runs.
	Fetch(key []byte, from, to int64) iter.Seq2[int64, []byte]
	Timed
}

// Logged is what every store also is: a cache of its changelog.
type Logged interface {
	// Flush calls emit for each entry changed since the last Flush, once, with its present value: first what is there, then
	// tombstones, each in order of first change. So a flush that a crash cuts short has deleted nothing (old sessions, say) whose
	// successor is not in the changelog.
	// The key has Kafka's changelog layout (keys.go), value nil is a tombstone, ts the value's timestamp. Both slices
	// belong to the store and are valid only until emit returns; emit must not touch the store. Windows that have
	// expired are left out; entries that were made and deleted between two flushes may be. An error of emit ends the flush and is
	// returned as it is; what was not emitted, that entry included, stays dirty. A store without changelog is flushed all
	// the same, with an emit that does nothing: only a flush lets go of deleted entries.
	Flush(emit func(key, value []byte, ts int64) error) error
	// Restore applies one record of the changelog, in log order; it copies key and value. The entry is not dirty
	// afterwards. The highest time does not move: the changelog may be ahead of what was committed, and inputs that are processed
	// again must not find their windows expired. So observe the committed time before: a record that is expired by it is skipped
	// and not counted. A key that the layout does not allow is an error.
	Restore(key, value []byte, ts int64) error
	// DirtyBytes is what Flush would emit now, in bytes of keys and values.
	DirtyBytes() int64
}
