package worker

import (
	"testing"
	"time"
)

// TestAwaited is trap 2: a task waits for an empty partition while its lag is unknown or above zero, and with an idle time for
// one without lag as well.
func TestAwaited(t *testing.T) {
	start := time.UnixMilli(1_000_000)
	for _, c := range []struct {
		name      string
		next, end int64
		empty     bool
		idle      time.Duration
		after     time.Duration // since the partition was first seen empty
		want      bool
	}{
		{"lag unknown", -1, -1, true, 0, 0, true},
		{"end unknown", 5, -1, true, 0, 0, true},
		{"more on the log", 5, 6, true, 0, time.Second, true},
		{"more on the log that does not come", 5, 6, true, 0, lagWaitMax, false},
		{"at the end", 6, 6, true, 0, 0, false},
		{"at the end, idle time not over", 6, 6, true, time.Second, 999 * time.Millisecond, true},
		{"at the end, idle time over", 6, 6, true, time.Second, time.Second, false},
		{"never waits", 5, 6, true, -1, 0, false},
		{"not empty, will be waited for", 5, 6, false, 0, 0, true},
		{"not empty, last of all", 6, 6, false, 0, 0, false},
		{"not empty, idle time", 6, 6, false, time.Second, 0, true},
	} {
		in := &inputPartition{next: c.next, end: c.end}
		if c.empty {
			in.awaited(true, c.idle, start)
		}
		if got := in.awaited(c.empty, c.idle, start.Add(c.after)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
