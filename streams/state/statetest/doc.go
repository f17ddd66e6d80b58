// Package statetest is the conformance suite of the stores in streams/state: [KeyValue], [Window], [Session] and
// [Duplicates] run everything the interfaces promise against a store of yours.
//
// Each runs a random walk of puts, deletes, scans (with writes inside the loop), flushes, failing flushes and restarts from the
// changelog against a plain map, and some cases by hand. It is no benchmark and no test of durability.
//
// A suite runs in the test's goroutine and takes no lock.
//
//	func TestWindow(t *testing.T) {
//		statetest.Window(t, func(retention time.Duration) state.Window { return mystore.New(t.TempDir(), retention) })
//	}
//
// The store that the constructor returns must be empty, and implement [state.Logged].
package statetest
