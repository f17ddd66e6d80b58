//go:build !unix

package wire

// openFileLimit is how many descriptors the process may open; 0 if unknown.
func openFileLimit() int64 { return 0 }
