package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"uuid"
)

// marks.log of a data directory says up to where each partition was on disk when it was last written. It is a sequence of rounds; numbers are
// big-endian, and the CRC covers count and entries:
//
//	"MRK1" | count (4) | CRC32C (4) | count × ( topic id (16) | partition (4) | log start (8) | durable (8) | segment (8) | position (8) )
//
// A durable of -1 says that the partition is deleted. Zeros, or a round that is torn, end the file.
const (
	marksFile        = "marks.log"
	marksMagic       = 0x4d524b31
	marksHeaderBytes = 12
	marksEntryBytes  = 52
)

// durableMark is the place up to which a partition was on disk: all records below durable, which begins at position of a segment.
type durableMark struct {
	durable  int64
	segment  int64 // base offset
	position int64 // bytes
}

// covers says whether a place in a segment lies below the mark.
func (m durableMark) covers(segment, position int64) bool {
	return segment < m.segment || segment == m.segment && position < m.position
}

// readMarks returns the newest mark of each partition, by the name of its directory. There are none in a directory without the file.
func readMarks(dir string) (map[string]durableMark, error) {
	data, err := os.ReadFile(filepath.Join(dir, marksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the durable marks: %w", err)
	}
	return parseMarks(data), nil
}

func parseMarks(data []byte) map[string]durableMark {
	be, castagnoli := binary.BigEndian, crc32.MakeTable(crc32.Castagnoli)
	marks := make(map[string]durableMark)
	for len(data) >= marksHeaderBytes && be.Uint32(data) == marksMagic {
		count := int64(be.Uint32(data[4:]))
		if count > int64(len(data)-marksHeaderBytes)/marksEntryBytes {
			break
		}
		entries := data[marksHeaderBytes : marksHeaderBytes+count*marksEntryBytes]
		if crc32.Update(crc32.Checksum(data[4:8], castagnoli), castagnoli, entries) != be.Uint32(data[8:]) {
			break
		}
		data = data[marksHeaderBytes+len(entries):]
		for ; len(entries) > 0; entries = entries[marksEntryBytes:] {
			name := fmt.Sprintf("%s-%d", uuid.UUID(entries[:16]), int32(be.Uint32(entries[16:])))
			m := durableMark{int64(be.Uint64(entries[28:])), int64(be.Uint64(entries[36:])), int64(be.Uint64(entries[44:]))}
			switch {
			case m.durable < 0:
				delete(marks, name)
			case m.segment >= 0 && m.segment <= m.durable && m.position >= 0:
				marks[name] = m
			}
		}
	}
	return marks
}
