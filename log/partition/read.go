package partition

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/segment"
)

// Region is a stretch of whole batches in a file: Size() int; ReadAt(p, off); File() (f *os.File, off int64, ok bool), the way to sendfile; Release(),
// which must be called once. The bytes stay readable till then, whatever is deleted. The zero Region is empty and needs no Release.
type Region = segment.Region

// readAttempts bounds how often a read is tried again because retention removed the segment under it.
const readAttempts = 3

// Read returns whole batches from the one that contains offset on, none that ends beyond limit (an offset), of at most maxBytes together; if atLeastOne,
// the first of them whatever its size. The Region is empty when there is none, at the end of the log too. *RangeError: offset is outside of the log.
// Other errors are those of Err.
func (l *Log) Read(offset, limit int64, maxBytes int, atLeastOne bool) (Region, error) {
	for attempt := 1; ; attempt++ {
		r, err := l.read(offset, limit, maxBytes, atLeastOne)
		if err == nil {
			return r, nil
		}
		if errors.Is(err, fs.ErrNotExist) && attempt < readAttempts {
			continue
		}
		return Region{}, l.readFailed(err, offset)
	}
}

func (l *Log) readFailed(err error, offset int64) error {
	if state := l.state.Load(); state != nil {
		return state.err
	}
	if l.gone(err, offset) {
		return &RangeError{Offset: offset, Start: l.Start(), End: l.End()}
	}
	return l.damaged(err)
}

func (l *Log) read(offset, limit int64, maxBytes int, atLeastOne bool) (Region, error) {
	if s := l.state.Load(); s != nil {
		return Region{}, s.err
	}
	// The start is loaded before the end: it may move up to the end meanwhile.
	start, all := l.Start(), l.all()
	end := int64(0)
	if len(all) > 0 {
		end = all[len(all)-1].Next()
	}
	if offset < start || offset > end {
		return Region{}, &RangeError{Offset: offset, Start: start, End: end}
	}
	m := l.durable.Load()
	if l.dir.failed() { // what is not on disk may be what the disk has lost
		limit = min(limit, m.durable)
	}
	if offset >= limit {
		return Region{}, nil
	}
	for i := max(covering(all, offset), 0); i < len(all) && all[i].Base() < limit; i++ { // on to the next one only across offsets that nobody has
		known := segment.Mark{Offset: -1}
		if m.segment == all[i].Base() {
			known = segment.Mark{Offset: m.durable, Position: m.position}
		}
		if offset < all[i].Next() {
			return all[i].Read(offset, limit, maxBytes, atLeastOne, known)
		}
	}
	return Region{}, nil
}

// covering is the index of the last segment that begins at or below an offset, -1 if there is none.
func covering(all []*piece, offset int64) int {
	i, found := slices.BinarySearchFunc(all, offset, func(p *piece, want int64) int {
		switch {
		case p.Base() < want:
			return -1
		case p.Base() > want:
			return 1
		}
		return 0
	})
	if found {
		return i
	}
	return i - 1
}

// TimeOffset is a record found by its timestamp.
type TimeOffset struct {
	Offset    int64
	Timestamp int64 // ms
	Epoch     int32 // leader epoch
}

// OffsetForTime finds the first record below limit with a timestamp of ts (ms) or later. Errors are those of Err, and of unreadable records.
func (l *Log) OffsetForTime(ts, limit int64) (TimeOffset, bool, error) {
	if s := l.state.Load(); s != nil {
		return TimeOffset{}, false, s.err
	}
	start := l.Start()
	for _, p := range l.all() {
		if p.Next() <= start || p.Base() >= limit {
			continue
		}
		newest, err := p.Newest()
		if err == nil && newest.Timestamp < ts {
			continue
		}
		var t TimeOffset
		found := false
		if err == nil {
			t, found, err = l.timeIn(p, ts, start, limit)
		}
		if errors.Is(err, fs.ErrNotExist) && p.Next() <= l.Start() {
			continue
		}
		if err != nil || found {
			return t, found, l.damaged(err)
		}
	}
	return TimeOffset{}, false, nil
}

// timeIn looks into one segment. The headers only claim: if the records of a batch say otherwise it goes on.
func (l *Log) timeIn(p *piece, ts, start, limit int64) (TimeOffset, bool, error) {
	for from := start; ; {
		_, h, err := p.FindTime(ts, from, limit)
		if errors.Is(err, io.EOF) {
			return TimeOffset{}, false, nil
		}
		if err != nil {
			return TimeOffset{}, false, err
		}
		b, err := l.batch(p, h)
		if err != nil {
			return TimeOffset{}, false, err
		}
		t, found, err := firstTime(b, ts, start, l.config.Load().MaxDecompressedBytes)
		if err != nil {
			return TimeOffset{}, false, err
		}
		if found && t.Offset < limit {
			return TimeOffset{t.Offset, t.Timestamp, h.Epoch}, true, nil
		}
		from = h.Next()
	}
}

// firstTime finds the first record of a batch at or above start with a timestamp of ts or later.
func firstTime(b record.Batch, ts, start int64, limit int) (record.Time, bool, error) {
	if b.BaseOffset() >= start {
		return b.FirstAtOrAfter(ts, limit)
	}
	for r, err := range b.Records(limit) {
		if err != nil {
			return record.Time{}, false, err
		}
		if r.Offset >= start && r.Timestamp >= ts {
			return record.Time{Offset: r.Offset, Timestamp: r.Timestamp}, true, nil
		}
	}
	return record.Time{}, false, nil
}

// MaxTimestamp finds the first of the records below limit with the largest timestamp. Only batches that end below limit are looked at.
func (l *Log) MaxTimestamp(limit int64) (TimeOffset, bool, error) {
	if s := l.state.Load(); s != nil {
		return TimeOffset{}, false, s.err
	}
	best, found := segment.Header{}, false
	var in *piece
	for _, p := range l.all() {
		if p.Next() <= l.Start() || p.Base() >= limit {
			continue
		}
		h, err := p.NewestBelow(limit)
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) && p.Next() <= l.Start() {
			continue
		}
		if err != nil {
			return TimeOffset{}, false, l.damaged(err)
		}
		if !found || h.MaxTimestamp > best.MaxTimestamp {
			best, in, found = h, p, true
		}
	}
	if !found {
		return TimeOffset{}, false, nil
	}
	b, err := l.batch(in, best)
	if err != nil {
		return TimeOffset{}, false, l.damaged(err)
	}
	t, found, err := b.LatestRecord(l.config.Load().MaxDecompressedBytes)
	return TimeOffset{t.Offset, t.Timestamp, best.Epoch}, found, err
}

// batch reads one batch into memory of its own.
func (l *Log) batch(p *piece, h segment.Header) (record.Batch, error) {
	r, err := p.Read(h.Base, h.Next(), int(h.Size), true, segment.Mark{Offset: -1})
	if err != nil {
		return nil, err
	}
	defer r.Release()
	b := make(record.Batch, r.Size())
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("cannot read the batch at offset %d: %w", h.Base, err)
	}
	return b, nil
}
