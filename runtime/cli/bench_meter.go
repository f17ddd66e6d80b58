package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

const (
	// maxLatency is the largest latency the histogram tells apart; a larger one counts as this.
	maxLatency = 10 * time.Minute
	// latencyDigits is how exact it is.
	latencyDigits = 3
	// meterInterval is how often progress is printed.
	meterInterval = time.Second
	// clockTicks is what /proc counts in: USER_HZ, 100 on every Linux.
	clockTicks = 100
)

// meter counts what a bench does, in total and since the last tick. All latencies are in µs.
type meter struct {
	mu       sync.Mutex
	all, now *hdrhistogram.Histogram
	records  int64
	bytes    int64 // of keys and values
	failed   int64
	err      error // the first failure

	series []float64 // records a second, a tick each
}

func newMeter() *meter {
	h := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(1, maxLatency.Microseconds(), latencyDigits)
	}
	return &meter{all: h(), now: h()}
}

// add counts one record of some bytes that took so long; 0 is no latency.
func (m *meter) add(bytes int, latency time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records++
	m.bytes += int64(bytes)
	if latency > 0 {
		us := min(max(1, latency.Microseconds()), maxLatency.Microseconds())
		// It is within the bounds, so it is recorded.
		if err := m.now.RecordValue(us); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// fail counts a record that did not get into the log.
func (m *meter) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed++
	if m.err == nil {
		m.err = err
	}
}

func (m *meter) totals() (records, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records, m.bytes
}

// run prints a line a second until ctx ends.
func (m *meter) run(ctx context.Context, start time.Time, print func(string)) {
	ticker := time.NewTicker(meterInterval)
	defer ticker.Stop()
	var records, bytes int64
	last := start
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.mu.Lock()
			seconds := now.Sub(last).Seconds()
			rate := float64(m.records-records) / seconds
			mib := float64(m.bytes-bytes) / seconds / (1 << 20)
			line := fmt.Sprintf("%6.1f s  %12s records/s  %8.1f MiB/s", now.Sub(start).Seconds(), thousands(int64(rate)), mib)
			if m.now.TotalCount() > 0 {
				line += fmt.Sprintf("   p50 %s  p99 %s  max %s", micros(m.now.ValueAtPercentile(50)), micros(m.now.ValueAtPercentile(99)), micros(m.now.Max()))
			}
			records, bytes, last = m.records, m.bytes, now
			m.series = append(m.series, rate)
			m.fold()
			m.mu.Unlock()
			print(line)
		}
	}
}

// fold moves the latencies since the last tick to those of the whole run. Both have the same bounds, so none is dropped.
func (m *meter) fold() {
	m.all.Merge(m.now)
	m.now.Reset()
}

// micros prints a latency in µs.
func micros(us int64) string { return millis(float64(us) / 1000) }

// millis prints a latency in ms.
func millis(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f s", ms/1000)
}

// ownCPU is the processor time this process has used.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processCPU is the processor time another process has used so far.
func processCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read the CPU time of process %d: %w", pid, err)
	}
	return parseStat(string(text))
}

// parseStat reads utime and stime, the fields 14 and 15 of /proc/PID/stat. The second field is a name in parentheses that may hold anything.
func parseStat(text string) (time.Duration, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const utime, stime = 11, 12 // counted after the name
	if len(fields) <= stime {
		return 0, fmt.Errorf("cannot read CPU time: %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read CPU time: %w", err)
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read CPU time: %w", err)
	}
	return time.Duration(user+system) * time.Second / clockTicks, nil
}
