package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the kernel's USER_HZ, the unit of CPU times in /proc.
const tick = 10 * time.Millisecond

// cpuOf is the user and system time of all threads of a process.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read CPU time: %w", err)
	}
	// The command in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot read CPU time of process %d: %q", pid, stat)
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		ticks, err := strconv.Atoi(string(f))
		if err != nil {
			return 0, fmt.Errorf("cannot read CPU time of process %d: %w", pid, err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// memoryOf is the resident memory of a process in MiB: the highest ever if peak, else now.
func memoryOf(pid int, peak bool) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read memory: %w", err)
	}
	name := "VmRSS:"
	if peak {
		name = "VmHWM:"
	}
	_, after, _ := bytes.Cut(status, []byte(name))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0, fmt.Errorf("cannot read memory of process %d: no %s", pid, name)
	}
	kib, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		return 0, fmt.Errorf("cannot read memory of process %d: %w", pid, err)
	}
	return kib / 1024, nil
}
