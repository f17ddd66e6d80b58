package partition

import (
	"github.com/millrace/millrace/log/segment"
)

const (
	// rememberedBatches is how many of its newest batches may be sent again by a producer: as many as clients keep in flight.
	rememberedBatches = 5
	// MaxProducers bounds the producers that one partition remembers. The one that has been silent for the most appends is forgotten first.
	MaxProducers = 100_000
)

// producers is the state of the idempotent producers of one partition. It is a function of the log alone: two replicas, and one before and after
// a restart, agree. So it knows no clock but the newest timestamp in the log. There is no pointer in it but the map and the slice.
type producers struct {
	byID  map[int64]int32 // index in all
	all   []producer
	free  int32 // first unused element of all, linked by next; -1: none
	front int32 // least recently heard of; -1: none
	back  int32
	clock int64 // newest timestamp in the log in ms, -1: none
}

type producer struct {
	id         int64
	seen       int64 // clock of the last batch: rises from front to back
	prev, next int32
	epoch      int16
	count      uint8 // of batches
	head       uint8 // the oldest one
	batches    [rememberedBatches]sent
}

// sent is one batch of a producer.
type sent struct {
	base        int64 // offset of the first record
	first, last int32 // sequence numbers
}

func newProducers() *producers {
	return &producers{byID: make(map[int64]int32), free: -1, front: -1, back: -1, clock: -1}
}

func (p *producers) len() int { return len(p.byID) }

// nextSequence follows one sequence number, wrapping from 2³¹−1 to 0.
func nextSequence(last int32) int32 { return int32((uint32(last) + 1) & (1<<31 - 1)) }

func lastSequence(h segment.Header) int32 {
	return int32((uint32(h.BaseSequence) + uint32(h.LastDelta)) & (1<<31 - 1))
}

func (e *producer) newest() *sent {
	if e.count == 0 {
		return nil
	}
	return &e.batches[(e.head+e.count-1)%rememberedBatches]
}

// find returns one of the remembered batches.
func (e *producer) find(first, last int32) (sent, bool) {
	for i := range e.count {
		b := e.batches[(e.head+i)%rememberedBatches]
		if b.first == first && b.last == last {
			return b, true
		}
	}
	return sent{}, false
}

// check decides about a batch from a client. written tells whether the partition ever held a record. A batch that was accepted before is answered
// with what it was then.
func (p *producers) check(h segment.Header, written bool) (was sent, duplicate bool, err error) {
	i, known := p.byID[h.ProducerID]
	if !known {
		// KIP-360 takes any first sequence, as state may have expired. On a partition that never held a record nothing can have expired: of two
		// batches in flight the first one was lost (KAFKA-15591).
		if !written && h.BaseSequence != 0 {
			return sent{}, false, ErrOutOfOrderSequence
		}
		return sent{}, false, nil
	}
	e := &p.all[i]
	if h.ProducerEpoch < e.epoch {
		return sent{}, false, ErrProducerFenced
	}
	if h.ProducerEpoch > e.epoch {
		if h.BaseSequence != 0 {
			return sent{}, false, ErrOutOfOrderSequence
		}
		return sent{}, false, nil
	}
	if b, found := e.find(h.BaseSequence, lastSequence(h)); found {
		return b, true, nil
	}
	if newest := e.newest(); newest != nil && h.BaseSequence != nextSequence(newest.last) {
		return sent{}, false, ErrOutOfOrderSequence
	}
	return sent{}, false, nil
}

// apply takes a batch that is in the log, in offset order; a batch is never refused here. Producers that were silent for longer than expiration (in
// ms of timestamps in the log) are forgotten.
func (p *producers) apply(h segment.Header, expiration int64) {
	p.clock = max(p.clock, h.MaxTimestamp)
	if h.ProducerID >= 0 {
		p.update(h)
	}
	for p.front >= 0 && p.clock-p.all[p.front].seen > expiration {
		p.forget(p.front)
	}
}

func (p *producers) update(h segment.Header) {
	i, known := p.byID[h.ProducerID]
	if known {
		p.unlink(i)
	} else {
		i = p.add(h)
	}
	e := &p.all[i]
	e.seen = p.clock
	if h.ProducerEpoch > e.epoch {
		e.epoch, e.count, e.head = h.ProducerEpoch, 0, 0
	}
	if !h.Control && h.ProducerEpoch == e.epoch {
		e.remember(sent{base: h.Base, first: h.BaseSequence, last: lastSequence(h)})
	}
	p.link(i)
}

func (e *producer) remember(b sent) {
	if e.count == rememberedBatches {
		e.head = (e.head + 1) % rememberedBatches
		e.count--
	}
	e.count++
	*e.newest() = b
}

// add makes room for a new producer; it is not linked yet.
func (p *producers) add(h segment.Header) int32 {
	if len(p.byID) >= MaxProducers {
		p.forget(p.front)
	}
	i := p.free
	if i >= 0 {
		p.free = p.all[i].next
	} else {
		i = int32(len(p.all))
		p.all = append(p.all, producer{})
	}
	p.all[i] = producer{id: h.ProducerID, epoch: h.ProducerEpoch}
	p.byID[h.ProducerID] = i
	return i
}

func (p *producers) forget(i int32) {
	p.unlink(i)
	delete(p.byID, p.all[i].id)
	p.all[i] = producer{next: p.free}
	p.free = i
}

func (p *producers) unlink(i int32) {
	e := &p.all[i]
	if e.prev >= 0 {
		p.all[e.prev].next = e.next
	} else {
		p.front = e.next
	}
	if e.next >= 0 {
		p.all[e.next].prev = e.prev
	} else {
		p.back = e.prev
	}
}

func (p *producers) link(i int32) {
	e := &p.all[i]
	e.prev, e.next = p.back, -1
	if p.back >= 0 {
		p.all[p.back].next = i
	} else {
		p.front = i
	}
	p.back = i
}
