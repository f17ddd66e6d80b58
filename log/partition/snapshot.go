package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A snapshot file <offset>.snapshot is the producer state after all records below that offset. Numbers are big-endian.
//
//	 0         4         8                   16                  24        28
//	+---------+---------+-------------------+-------------------+---------+
//	| "MRPS"  | version | offset            | clock             | count   |
//	+---------+---------+-------------------+-------------------+---------+
//	then per producer, the one that was silent for longest first:
//	 0                   8                   16    18  20
//	+-------------------+-------------------+-----+---+---+
//	| producer id       | seen              |epoch| 0 | n |
//	+-------------------+-------------------+-----+---+---+
//	and n times, oldest first:
//	 0                   8         12        16
//	+-------------------+---------+---------+
//	| base offset       | first   | last    |   sequence numbers
//	+-------------------+---------+---------+
//	and at the end CRC32C (4 bytes) of everything before.
const (
	snapshotMagic       = "MRPS"
	snapshotVersion     = 1
	snapshotHeaderBytes = 28
	producerBytes       = 20
	sentBytes           = 16
	snapshotSuffix      = ".snapshot"
	maxSnapshotBytes    = snapshotHeaderBytes + MaxProducers*(producerBytes+rememberedBatches*sentBytes) + 4
)

var errBadSnapshot = errors.New("it is no snapshot of producers")

func (p *producers) encode(offset int64) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, snapshotHeaderBytes+p.len()*(producerBytes+rememberedBatches*sentBytes)+4)
	b = append(b, snapshotMagic...)
	b = be.AppendUint32(b, snapshotVersion)
	b = be.AppendUint64(b, uint64(offset))
	b = be.AppendUint64(b, uint64(p.clock))
	b = be.AppendUint32(b, uint32(p.len()))
	for i := p.front; i >= 0; i = p.all[i].next {
		e := &p.all[i]
		b = be.AppendUint64(b, uint64(e.id))
		b = be.AppendUint64(b, uint64(e.seen))
		b = be.AppendUint16(b, uint16(e.epoch))
		b = be.AppendUint16(b, uint16(e.count))
		for k := range e.count {
			s := e.batches[(e.head+k)%rememberedBatches]
			b = be.AppendUint64(b, uint64(s.base))
			b = be.AppendUint32(b, uint32(s.first))
			b = be.AppendUint32(b, uint32(s.last))
		}
	}
	return be.AppendUint32(b, checksum(b))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// decodeProducers is the reverse of encode, for a snapshot of the given offset.
func decodeProducers(b []byte, offset int64) (*producers, error) {
	be := binary.BigEndian
	if len(b) < snapshotHeaderBytes+4 || string(b[:4]) != snapshotMagic {
		return nil, errBadSnapshot
	}
	body := b[:len(b)-4]
	if checksum(body) != be.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: its CRC does not match", errBadSnapshot)
	}
	if v := be.Uint32(b[4:]); v != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d", errBadSnapshot, v)
	}
	if int64(be.Uint64(b[8:])) != offset {
		return nil, fmt.Errorf("%w: it is of another offset", errBadSnapshot)
	}
	p := newProducers()
	p.clock = int64(be.Uint64(b[16:]))
	count := be.Uint32(b[24:])
	if count > MaxProducers {
		return nil, fmt.Errorf("%w: %d producers", errBadSnapshot, count)
	}
	rest := body[snapshotHeaderBytes:]
	for range count {
		var err error
		if rest, err = p.decodeOne(rest); err != nil {
			return nil, err
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errBadSnapshot, len(rest))
	}
	return p, nil
}

func (p *producers) decodeOne(b []byte) (rest []byte, err error) {
	be := binary.BigEndian
	if len(b) < producerBytes {
		return nil, fmt.Errorf("%w: it ends early", errBadSnapshot)
	}
	e := producer{id: int64(be.Uint64(b)), seen: int64(be.Uint64(b[8:])), epoch: int16(be.Uint16(b[16:]))}
	n := be.Uint16(b[18:])
	b = b[producerBytes:]
	if n > rememberedBatches || len(b) < int(n)*sentBytes {
		return nil, fmt.Errorf("%w: a producer of %d batches", errBadSnapshot, n)
	}
	if _, twice := p.byID[e.id]; twice || e.id < 0 {
		return nil, fmt.Errorf("%w: producer %d", errBadSnapshot, e.id)
	}
	for range n {
		e.remember(sent{base: int64(be.Uint64(b)), first: int32(be.Uint32(b[8:])), last: int32(be.Uint32(b[12:]))})
		b = b[sentBytes:]
	}
	i := int32(len(p.all))
	p.all = append(p.all, e)
	p.byID[e.id] = i
	p.link(i)
	return b, nil
}
