package broker

import (
	"encoding/binary"

	"github.com/millrace/millrace/log/wire"
)

// The fetch reply is written by hand: its records go from the file to the socket, so only the bytes around them are made here. kmsg would copy
// every batch. One head runs up to the first records, then head and records alternate.

const (
	fetchFlexible   = 12
	fetchByTopicID  = 13
	fetchSessionMin = 7
)

// fetchFrame encodes a reply; the regions of the answers are released when it has been written.
func fetchFrame(version, code int16, session int32, answers []fetched) (wire.Reply, error) {
	e := fetchEncoder{version: version, flexible: version >= fetchFlexible}
	e.int32(0) // throttle
	if version >= fetchSessionMin {
		e.int16(code)
		e.int32(session)
	}
	topics := groupByTopic(answers)
	e.arrayLen(len(topics))
	for _, run := range topics {
		if version >= fetchByTopicID {
			id := run[0].part.key.id
			e.head = append(e.head, id[:]...)
		} else {
			e.string(run[0].part.key.name)
		}
		e.arrayLen(len(run))
		for i := range run {
			e.partition(&run[i])
		}
		e.noTags()
	}
	e.noTags()
	e.cut()
	return wire.Reply{Frame: &wire.Frame{Parts: e.parts}}, nil
}

// groupByTopic cuts the answers into runs of one topic; the order of the request stays.
func groupByTopic(answers []fetched) [][]fetched {
	var runs [][]fetched
	for start := 0; start < len(answers); {
		end := start + 1
		for end < len(answers) && answers[end].part.key.name == answers[start].part.key.name && answers[end].part.key.id == answers[start].part.key.id {
			end++
		}
		runs = append(runs, answers[start:end])
		start = end
	}
	return runs
}

// fetchEncoder appends to head, and cuts it off as a part of its own whenever a region follows.
type fetchEncoder struct {
	version  int16
	flexible bool
	head     []byte
	parts    []wire.Part
}

// partition encodes one partition. Field order: FetchResponse.json.
func (e *fetchEncoder) partition(a *fetched) {
	e.int32(a.part.key.index)
	e.int16(a.code)
	e.int64(a.highWatermark)
	e.int64(a.stable)
	if e.version >= 5 {
		e.int64(a.start)
	}
	e.nullArray() // aborted transactions: null, as for read_uncommitted; there are none
	if e.version >= 11 {
		e.int32(-1) // preferred read replica
	}
	size := a.region.Size()
	if e.flexible {
		e.head = binary.AppendUvarint(e.head, uint64(size)+1)
	} else {
		e.int32(int32(size))
	}
	if size > 0 {
		e.cut()
		e.parts = append(e.parts, wire.Part{Region: a.region})
	} else {
		a.region.Release()
	}
	e.partitionTags(a)
}

// partitionTags writes DivergingEpoch (tag 0) where the logs differ.
func (e *fetchEncoder) partitionTags(a *fetched) {
	if !e.flexible {
		return
	}
	if a.divergeEpoch < 0 {
		e.noTags()
		return
	}
	const epochAndEnd = 4 + 8 + 1 // with its own empty tag list
	e.head = append(e.head, 1, 0, epochAndEnd)
	e.int32(a.divergeEpoch)
	e.int64(a.divergeEnd)
	e.noTags()
}

func (e *fetchEncoder) cut() {
	if len(e.head) > 0 {
		e.parts = append(e.parts, wire.Part{Bytes: e.head})
		e.head = nil
	}
}

func (e *fetchEncoder) int16(v int16) { e.head = binary.BigEndian.AppendUint16(e.head, uint16(v)) }
func (e *fetchEncoder) int32(v int32) { e.head = binary.BigEndian.AppendUint32(e.head, uint32(v)) }
func (e *fetchEncoder) int64(v int64) { e.head = binary.BigEndian.AppendUint64(e.head, uint64(v)) }

func (e *fetchEncoder) arrayLen(n int) {
	if e.flexible {
		e.head = binary.AppendUvarint(e.head, uint64(n)+1)
		return
	}
	e.int32(int32(n))
}

func (e *fetchEncoder) nullArray() {
	if e.flexible {
		e.head = append(e.head, 0)
		return
	}
	e.int32(-1)
}

func (e *fetchEncoder) string(s string) {
	if e.flexible {
		e.head = binary.AppendUvarint(e.head, uint64(len(s))+1)
	} else {
		e.int16(int16(len(s)))
	}
	e.head = append(e.head, s...)
}

func (e *fetchEncoder) noTags() {
	if e.flexible {
		e.head = append(e.head, 0)
	}
}
