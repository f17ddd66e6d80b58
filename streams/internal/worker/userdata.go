package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"uuid"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// What a member says of itself when it joins, version 1, all integers uvarints:
//
//	process(16)   active: count × ( subtopology partition )   standby: count × ( subtopology partition lag )
//
// active are the tasks whose state it holds whole, standby those it holds up to a lag (none yet). Bytes after that are of a
// later version and ignored.
const userDataVersion = 1

// userDataTasksMax bounds what is believed of a member.
const userDataTasksMax = 1 << 16

type subscription struct {
	process uuid.UUID
	active  []engine.TaskID
	standby []standby
}

type standby struct {
	engine.TaskID
	lag uint64
}

func (s *subscription) encode() client.UserData {
	b := append([]byte(nil), s.process[:]...)
	b = binary.AppendUvarint(b, uint64(len(s.active)))
	for _, id := range s.active {
		b = appendTask(b, id)
	}
	b = binary.AppendUvarint(b, uint64(len(s.standby)))
	for _, st := range s.standby {
		b = binary.AppendUvarint(appendTask(b, st.TaskID), st.lag)
	}
	return client.UserData{Version: userDataVersion, Bytes: b}
}

func appendTask(b []byte, id engine.TaskID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(id.Subtopology)), uint64(id.Partition))
}

var errUserData = errors.New("cannot read a member's user data")

// decodeSubscription reads what encode wrote. Nothing (another library's member, version 0) is a member that holds nothing.
func decodeSubscription(u client.UserData) (subscription, error) {
	var s subscription
	if u.Version == 0 && len(u.Bytes) == 0 {
		return s, nil
	}
	if u.Version < userDataVersion || len(u.Bytes) < len(s.process) {
		return s, fmt.Errorf("%w: version %d, %d bytes", errUserData, u.Version, len(u.Bytes))
	}
	r := reader{b: u.Bytes[copy(s.process[:], u.Bytes):]}
	for range r.count() {
		s.active = append(s.active, r.task())
	}
	for range r.count() {
		s.standby = append(s.standby, standby{r.task(), r.uvarint()})
	}
	if r.failed {
		return subscription{}, errUserData
	}
	return s, nil
}

type reader struct {
	b      []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.failed = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items, each of which takes at least two bytes.
func (r *reader) count() int {
	n := r.uvarint()
	if n > userDataTasksMax || n > uint64(len(r.b)/2) {
		r.failed = r.failed || n > 0
		return 0
	}
	return int(n)
}

func (r *reader) task() engine.TaskID {
	sub, part := r.uvarint(), r.uvarint()
	if sub > userDataTasksMax || part > 1<<31-1 {
		r.failed = true
		return engine.TaskID{}
	}
	return engine.TaskID{Subtopology: int(sub), Partition: int32(part)}
}

func compareTasks(a, b engine.TaskID) int {
	if a.Partition != b.Partition {
		return int(a.Partition) - int(b.Partition)
	}
	return a.Subtopology - b.Subtopology
}

func sortTasks(ids []engine.TaskID) { slices.SortFunc(ids, compareTasks) }
