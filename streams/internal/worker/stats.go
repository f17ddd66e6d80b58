package worker

import (
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/log/client"
)

// State is where an instance is in its life.
type State int8

// The states are Kafka Streams'.
const (
	Created State = iota
	Rebalancing
	Running
	PendingShutdown
	NotRunning
	PendingError
	Error
)

// String returns Kafka's name.
func (s State) String() string {
	return [...]string{"CREATED", "REBALANCING", "RUNNING", "PENDING_SHUTDOWN", "NOT_RUNNING", "PENDING_ERROR", "ERROR"}[s]
}

// Stats is what an instance has done since it was made, at most a tenth of a second ago.
type Stats struct {
	State      State
	RecordsIn  int64 // processed
	RecordsOut int64 // handed to the producer, changelogs included
	Commits    int64
	// Uncommitted counts the records processed since the last commit: what a crash at this moment would repeat. Repeated counts
	// those whose work was given up without a commit, because the group had thrown the worker out, or at an end that was no clean one.
	Uncommitted int64
	Repeated    int64
	Dropped     map[string]int64 // records dropped, by reason
	Partitions  []PartitionStats // sorted
	Restores    []RestoreStats   // under way, sorted
	Workers     []WorkerStats
}

// WorkerStats is a worker's place in the group.
type WorkerStats struct {
	Worker     int
	MemberID   string // "" before the first join
	InstanceID string // "" for a dynamic member
	Generation int32  // counts rebalances; -1 before the first join
	Tasks      []string
}

// PartitionStats is how far one input partition has been processed.
type PartitionStats struct {
	client.TopicPartition
	Task     string
	Position int64 // next offset to process; -1: nothing is known yet
	End      int64 // of the log as last seen; -1: unknown
	Lag      int64 // End - Position; -1: unknown
}

// RestoreStats is how far one store has been restored.
type RestoreStats struct {
	client.TopicPartition // of the changelog
	Task                  string
	Store                 string
	Position              int64 // next offset to read
	Start, End            int64
}

// add puts the numbers of one worker into a sum.
func (s *Stats) add(w *Stats) {
	s.RecordsIn += w.RecordsIn
	s.RecordsOut += w.RecordsOut
	s.Commits += w.Commits
	s.Uncommitted += w.Uncommitted
	s.Repeated += w.Repeated
	if s.Dropped == nil {
		s.Dropped = make(map[string]int64)
	}
	addCounts(s.Dropped, w.Dropped)
	s.Partitions = append(s.Partitions, w.Partitions...)
	s.Restores = append(s.Restores, w.Restores...)
	s.Workers = append(s.Workers, w.Workers...)
}

func (s *Stats) sort() {
	slices.SortFunc(s.Partitions, func(a, b PartitionStats) int { return a.Compare(b.TopicPartition) })
	slices.SortFunc(s.Restores, func(a, b RestoreStats) int {
		if c := a.Compare(b.TopicPartition); c != 0 {
			return c
		}
		return strings.Compare(a.Store, b.Store)
	})
}

func addCounts(to, from map[string]int64) {
	for _, reason := range slices.Sorted(maps.Keys(from)) {
		to[reason] += from[reason]
	}
}
