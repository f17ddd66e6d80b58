package metadata

import "fmt"

// An entry of the quorum's log:
//
//	+---------+------+----------------------------+
//	| version | kind | fields of the kind         |
//	| uvarint | uvar | see the file of the family |
//	+---------+------+----------------------------+
//
// The rules by which a command is applied belong to its version: what a node applied today must come out the same when another one replays it in a
// year. So limits and defaults that may change are fields of the entry, filled in by who proposes it, and values are checked before they are
// proposed. A change of a rule takes a new version.
const entryVersion = 1

// maxEntryBytes bounds one entry: raft holds it in memory several times.
const maxEntryBytes = 8 << 20

type kind uint64

const (
	kindTakeControl kind = iota + 1
	kindRegisterBroker
	kindCreateTopics
	kindDeleteTopics
	kindAlterConfigs
	kindAllocateProducerIDs
	kindSetFeature
)

// position is where the entry stands in the log.
type position struct{ index, term uint64 }

// command is a change of the image. apply is a pure function: the same image, command and position give the same image and result on every node.
// It changes nothing reachable from old; what it returns may share with it. The caller sets the version.
type command interface {
	kind() kind
	encode(w *writer)
	decode(r *reader)
	apply(old *Image, at position) (*Image, any)
}

func encodeCommand(c command) []byte {
	w := &writer{b: make([]byte, 0, 128)}
	w.uint(entryVersion)
	w.uint(uint64(c.kind()))
	c.encode(w)
	return w.b
}

func decodeCommand(b []byte) (command, error) {
	r := &reader{b: b}
	version := r.uint()
	k := kind(r.uint())
	if r.err != nil {
		return nil, fmt.Errorf("cannot decode metadata entry: %w", r.err)
	}
	if version == 0 {
		return nil, fmt.Errorf("cannot decode metadata entry: version 0")
	}
	c := newCommand(k)
	if version > entryVersion || c == nil {
		return nil, fmt.Errorf("cannot decode metadata entry of version %d, kind %d: %w (this one knows version %d)", version, k, ErrNewerFormat, entryVersion)
	}
	c.decode(r)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("cannot decode metadata entry of kind %d: %w", k, err)
	}
	return c, nil
}

func newCommand(k kind) command {
	switch k {
	case kindTakeControl:
		return &takeControl{}
	case kindRegisterBroker:
		return &registerBroker{}
	case kindCreateTopics:
		return &createTopics{}
	case kindDeleteTopics:
		return &deleteTopics{}
	case kindAlterConfigs:
		return &alterConfigs{}
	case kindAllocateProducerIDs:
		return &allocateProducerIDs{}
	case kindSetFeature:
		return &setFeature{}
	}
	return nil
}

// clone is the start of every change: a shallow copy.
func (i *Image) clone() *Image {
	next := *i
	return &next
}
