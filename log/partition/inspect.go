package partition

import (
	"fmt"
	"path"
	"strings"

	"github.com/millrace/millrace/log/disk"
)

// Inspection is what the files of a log directory say to a reader that does not own it: no lock is taken and nothing is written. Beside a running
// node it can only be older than the segments that are read after it.
type Inspection struct {
	Identified bool                   // it says whose it is
	Clean      bool                   // whoever had it last stopped it properly
	Marks      map[string]DurableMark // by the name of the partition's directory
}

// DurableMark says up to where a partition was on disk: all records below Durable are, and the batch at Durable begins, or will, at Position of a segment.
type DurableMark struct {
	Durable  int64 // offset
	Segment  int64 // base offset
	Position int64 // bytes from the start of the segment
}

// Covers says whether a position in the segment with that base offset lies below the mark.
func (m DurableMark) Covers(segment, position int64) bool {
	return segment < m.Segment || segment == m.Segment && position < m.Position
}

// Inspect reads the files of a log directory. One that is no log directory gives the zero Inspection.
func Inspect(fsys disk.FS) (Inspection, error) {
	var i Inspection
	var err error
	if _, i.Identified, err = readSmall(fsys, metaFile, maxSmallFileBytes); err != nil {
		return Inspection{}, fmt.Errorf("cannot inspect the log directory: %w", err)
	}
	if _, i.Clean, err = readSmall(fsys, cleanFile, maxSmallFileBytes); err != nil {
		return Inspection{}, fmt.Errorf("cannot inspect the log directory: %w", err)
	}
	b, _, err := readSmall(fsys, marksFile, maxMarksBytes)
	if err != nil {
		return Inspection{}, fmt.Errorf("cannot inspect the log directory: %w", err)
	}
	marks, _ := decodeMarks(b)
	i.Marks = make(map[string]DurableMark, len(marks))
	for id, m := range marks {
		i.Marks[id.String()] = DurableMark{Durable: m.durable, Segment: m.segment, Position: m.position}
	}
	return i, nil
}

// TopicName is the topic that a partition's directory says it belongs to, or "".
func TopicName(fsys disk.FS, dir string) string {
	b, _, err := readSmall(fsys, path.Join(dir, metadataFile), maxSmallFileBytes)
	if err != nil {
		return ""
	}
	return properties(b, ":")["topic"]
}

// IsDeleted says whether a directory has the name that a deleted partition waits under for its purge.
func IsDeleted(name string) bool {
	_, ok := parseDeleted(name)
	return ok
}

// IsQuarantined says whether a file has the name under which damaged ones are set aside.
func IsQuarantined(name string) bool { return strings.HasSuffix(name, quarantineSuffix) }
