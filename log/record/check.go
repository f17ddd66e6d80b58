package record

import "math"

// Check is everything that an append from a client must check by header, and the CRC. It allocates nothing but its
// error, an *InvalidError, and does not look into the records. What it accepts is a batch with
//   - the right length, magic 2 and a right CRC,
//   - Count ≥ 1 and LastOffsetDelta = Count−1, so that offsets have no holes,
//   - no more records than the payload has room for,
//   - no control flag: only the log itself writes control records,
//   - with a producer id: an epoch and a sequence; transactional only with a producer id,
//   - a codec that is known.
//
// Sizes, timestamps and the producer's state are the log's matter.
func (b Batch) Check() error {
	if err := b.checkBytes(); err != nil {
		return err
	}
	// After the CRC, so that a reason speaks of what the client meant and not of damage on the way.
	if err := b.checkCount(); err != nil {
		return err
	}
	if b.Count() < 1 || int64(b.LastOffsetDelta()) != int64(b.Count())-1 {
		return invalid("%d records with a last offset delta of %d", b.Count(), b.LastOffsetDelta())
	}
	if b.Control() {
		return invalid("control flag from a client")
	}
	return b.checkProducer()
}

// CheckStored is what must hold for each batch in a log, compacted ones (which have fewer records than offsets, or
// none) and control batches included: length, magic, CRC, offsets that can be. Its error is an *InvalidError.
func (b Batch) CheckStored() error {
	if err := b.checkBytes(); err != nil {
		return err
	}
	if err := b.checkCount(); err != nil {
		return err
	}
	if b.BaseOffset() < 0 || b.BaseOffset() > math.MaxInt64-int64(math.MaxInt32)-1 {
		return corrupt("base offset %d", b.BaseOffset())
	}
	if b.Count() < 0 || b.LastOffsetDelta() < 0 || int64(b.Count()) > int64(b.LastOffsetDelta())+1 {
		return corrupt("%d records with a last offset delta of %d", b.Count(), b.LastOffsetDelta())
	}
	return nil
}

// checkBytes: the batch is whole, of our format, and undamaged.
func (b Batch) checkBytes() error {
	if len(b) < HeaderBytes {
		return corrupt("%d bytes are fewer than a header", len(b))
	}
	size, err := Size(b)
	if err != nil {
		return err
	}
	if size != int64(len(b)) {
		return corrupt("length says %d bytes, there are %d", size, len(b))
	}
	if b.Magic() != Magic {
		return corrupt("format is v%d, only v2 is served", b.Magic())
	}
	if sum := checksum(b); sum != b.CRC() {
		return corrupt("CRC is %08x, the header says %08x", sum, b.CRC())
	}
	return nil
}

// checkCount: the payload has room for the records that are claimed, as far as the header can tell.
func (b Batch) checkCount() error {
	if !b.Codec().known() {
		return invalid("codec %d is unknown", b.Codec())
	}
	if room := int64(len(b)-HeaderBytes) / minRecordBytes; b.Codec() == None && int64(b.Count()) > room {
		return corrupt("%d records in %d bytes", b.Count(), len(b)-HeaderBytes)
	}
	return nil
}

func (b Batch) checkProducer() error {
	id, epoch, sequence := b.ProducerID(), b.ProducerEpoch(), b.BaseSequence()
	switch {
	case id < NoProducer:
		return invalid("producer id %d", id)
	case id == NoProducer && b.Transactional():
		return invalid("transactional without a producer id")
	case id == NoProducer:
		return nil
	case epoch < 0:
		return invalid("producer id %d with epoch %d", id, epoch)
	case sequence < 0:
		return invalid("producer id %d with sequence %d", id, sequence)
	}
	return nil
}

// CheckRecords looks into every record: what Records would yield is whole and in order. It decompresses, under the
// limit and the bound of Records, and returns what Records does.
func (b Batch) CheckRecords(maxBytes int) error {
	for _, err := range b.Records(maxBytes) {
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckKeys is CheckRecords for a topic that is compacted: each record must have a key (*InvalidError, Invalid).
func (b Batch) CheckKeys(maxBytes int) error {
	for r, err := range b.Records(maxBytes) {
		if err != nil {
			return err
		}
		if r.Key == nil {
			return invalid("record at offset delta %d has no key, and the topic is compacted", r.Offset-b.BaseOffset())
		}
	}
	return nil
}
