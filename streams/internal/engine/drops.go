package engine

import (
	"cmp"
	"slices"
)

// Reasons for which records are dropped. They are names of metrics: they must not change.
const (
	DropNullKey     = "null-key"
	DropNullValue   = "null-value"
	DropLate        = "late"              // its window was closed
	DropExpired     = "expired"           // its window was open, or had none, but a store no longer keeps it
	DropNoTopic     = "no-topic"          // the function of a sink named none
	DropInvalidTime = "invalid-timestamp" // and the source was told to skip such records
	DropDecode      = "decode"            // an error that Continue or DeadLetter handled, by stage
	DropProcess     = "process"
	DropEncode      = "encode"
)

// Drop is how many records a node has dropped for a reason.
type Drop struct {
	Node   string
	Reason string
	Count  int64
}

func (s *Site) drop(reason string) {
	if s.dropped == nil {
		s.dropped = make(map[string]int64)
	}
	s.dropped[reason]++
}

// Drop counts a record that the node of a user dropped.
func (s *Site) Drop(reason string) { s.drop(reason) }

// Dropped counts dropped records by reason.
func (t *Task) Dropped() map[string]int64 {
	sum := make(map[string]int64)
	for _, s := range t.sites {
		for reason, n := range s.dropped {
			sum[reason] += n
		}
	}
	return sum
}

// DroppedByNode counts dropped records by node and reason, ordered by both.
func (t *Task) DroppedByNode() []Drop {
	sum := make(map[Drop]int64)
	for _, s := range t.sites {
		for reason, n := range s.dropped {
			sum[Drop{Node: s.name, Reason: reason}] += n
		}
	}
	list := make([]Drop, 0, len(sum))
	for d, n := range sum {
		d.Count = n
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}
