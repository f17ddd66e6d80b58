package engine

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Position is where a task stands in one of its input partitions: what is committed for it. Metadata carries what a task
// that goes on from here must know of time.
//
// The layout is Kafka Streams' TopicPartitionMetadata, base64 of
//
//	magic(1) = 2   partition time(8)   count(4)   count × ( length(4) name value(8) )
//
// all big-endian. Kafka keeps only its emit-on-close times in the list; we keep the stream time of every operator and the
// highest time of every store of windows, so that a restart accepts and drops exactly the late records that a task
// without one would.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64 // of the next record to process
	Metadata  string
}

const (
	metadataMagic    = 2
	metadataNamesMax = 1 << 12 // more cannot fit into a broker's offset.metadata.max.bytes
)

// clock is a number of an operator that belongs to the commit: a stream time mostly.
type clock struct {
	name  string
	value int64
}

// advance raises the clock to t and returns its value.
func (c *clock) advance(t int64) int64 {
	if t > c.value {
		c.value = t
	}
	return c.value
}

// clock makes a clock of a node; initial is its value before the first record.
func (t *Task) clock(name string, initial int64) *clock {
	c := &clock{name: name, value: initial}
	if v, ok := t.loaded[name]; ok {
		c.value = v
	}
	t.clocks = append(t.clocks, c)
	return c
}

// Positions are the offsets and times to commit, one per input partition that was read at least once or resumed. All of
// them belong to one commit: they repeat the operators' times.
func (t *Task) Positions() []Position {
	var list []Position
	times := t.times()
	for _, q := range t.queues {
		if q.position < 0 {
			continue
		}
		list = append(list, Position{
			Topic: q.id.topic, Partition: q.id.partition, Offset: q.position, Metadata: encodeMetadata(q.time, times),
		})
	}
	return list
}

func (t *Task) times() []clock {
	var list []clock
	for _, c := range t.clocks {
		list = append(list, *c)
	}
	for _, s := range t.stores {
		if s.timed != nil {
			list = append(list, clock{s.desc.Name + storeTimeSuffix, s.timed.HighestTime()})
		}
	}
	return list
}

const storeTimeSuffix = "/time"

// Expect says, before Restore, what Start will be given: what has expired by then is not even restored.
func (t *Task) Expect(committed []Position) error {
	for _, p := range committed {
		_, times, err := decodeMetadata(p.Metadata)
		if err != nil {
			return fmt.Errorf("cannot resume task %s at %s-%d@%d: %w", t.id, p.Topic, p.Partition, p.Offset, err)
		}
		for _, s := range t.stores {
			i := slices.IndexFunc(times, func(c clock) bool { return c.name == s.desc.Name+storeTimeSuffix })
			if i >= 0 && s.timed != nil {
				s.timed.ObserveTime(times[i].value)
			}
		}
	}
	return nil
}

// Start takes up the work where committed left off, nil for a new start, and initialises the processors. The stores must
// have been restored before.
func (t *Task) Start(committed []Position) error {
	t.loaded = make(map[string]int64)
	for _, p := range committed {
		q := t.byInput[inputID{p.Topic, p.Partition}]
		if q == nil {
			return fmt.Errorf("cannot resume task %s at %s-%d: %w", t.id, p.Topic, p.Partition, ErrUnknownInput)
		}
		at, times, err := decodeMetadata(p.Metadata)
		if err != nil {
			return fmt.Errorf("cannot resume task %s at %s-%d@%d: %w", t.id, p.Topic, p.Partition, p.Offset, err)
		}
		q.position, q.time = p.Offset, at
		t.streamTime = max(t.streamTime, at)
		for _, c := range times {
			t.loaded[c.name] = c.value
		}
	}
	for _, c := range t.clocks {
		if v, ok := t.loaded[c.name]; ok {
			c.value = v
		}
	}
	for _, s := range t.stores {
		if v, ok := t.loaded[s.desc.Name+storeTimeSuffix]; ok && s.timed != nil {
			s.timed.ObserveTime(v)
		}
	}
	for _, start := range t.starts {
		if err := start(); err != nil {
			return err
		}
	}
	return nil
}

func encodeMetadata(at int64, times []clock) string {
	b := []byte{metadataMagic}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint32(b, uint32(len(times)))
	for _, c := range times {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.name)))
		b = append(b, c.name...)
		b = binary.BigEndian.AppendUint64(b, uint64(c.value))
	}
	return base64.StdEncoding.EncodeToString(b)
}

var errMetadata = errors.New("commit metadata is damaged")

// decodeMetadata reads what encodeMetadata wrote. An empty string, left by who committed offsets without a time, has none.
func decodeMetadata(s string) (int64, []clock, error) {
	if s == "" {
		return -1, nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return -1, nil, fmt.Errorf("%w: %w", errMetadata, err)
	}
	if len(b) < 13 || b[0] != metadataMagic {
		return -1, nil, fmt.Errorf("%w: %d bytes, or not of version %d", errMetadata, len(b), metadataMagic)
	}
	at := int64(binary.BigEndian.Uint64(b[1:]))
	count := binary.BigEndian.Uint32(b[9:])
	b = b[13:]
	if count > metadataNamesMax {
		return -1, nil, fmt.Errorf("%w: %d times", errMetadata, count)
	}
	var times []clock
	for range count {
		if len(b) < 4 {
			return -1, nil, errMetadata
		}
		n := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(len(b)) < uint64(n)+8 {
			return -1, nil, errMetadata
		}
		times = append(times, clock{string(b[:n]), int64(binary.BigEndian.Uint64(b[n:]))})
		b = b[n+8:]
	}
	if len(b) != 0 {
		return -1, nil, fmt.Errorf("%w: %d bytes too many", errMetadata, len(b))
	}
	return at, slices.Clip(times), nil
}
