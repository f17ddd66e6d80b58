//go:build unix

package wire

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFileLimit is how many descriptors the process may open; 0 if unknown.
func openFileLimit() int64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int64(min(uint64(r.Cur), math.MaxInt64))
}
