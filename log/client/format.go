package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Formatter writes records by a layout: `%t %p %o %k %v\n` is topic, partition, offset, key, value and a line end. The verbs are
// those of kcat, with lengths, numbers and encodings as in `%K{big32}%k{hex} %h{%k=%v }%d{strftime[%F %T]}`. It belongs to one
// goroutine.
type Formatter struct {
	kafka *kgo.RecordFormatter
	r     kgo.Record // reused
}

// NewFormatter checks the layout.
func NewFormatter(layout string) (*Formatter, error) {
	f, err := kgo.NewRecordFormatter(layout)
	if err != nil {
		return nil, fmt.Errorf("cannot use layout %q to write records: %w", layout, err)
	}
	return &Formatter{kafka: f}, nil
}

// Append appends r to dst. It keeps nothing of r.
func (f *Formatter) Append(dst []byte, r *Record) []byte {
	r.toKafka(&f.r)
	dst = f.kafka.AppendRecord(dst, &f.r)
	clear(f.r.Headers)
	f.r = kgo.Record{Headers: f.r.Headers[:0]}
	return dst
}

// Reader reads records by a layout, as `%k %v\n`, from text or binary input.
type Reader struct {
	kafka  *kgo.RecordReader
	layout string
}

// NewReader checks the layout.
func NewReader(in io.Reader, layout string) (*Reader, error) {
	r, err := kgo.NewRecordReader(in, layout)
	if err != nil {
		return nil, fmt.Errorf("cannot use layout %q to read records: %w", layout, err)
	}
	return &Reader{kafka: r, layout: layout}, nil
}

// Read returns the next record, which belongs to the caller; io.EOF at the end. What the layout does not name is as NewRecord
// sets it.
func (r *Reader) Read() (*Record, error) {
	in := kgo.Record{Partition: AnyPartition, Offset: -1, LeaderEpoch: -1}
	if err := r.kafka.ReadRecordInto(&in); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("cannot read record by layout %q: %w", r.layout, err)
	}
	out, _ := fromKafka(&in, make([]Header, 0, len(in.Headers)))
	if in.Timestamp.IsZero() {
		out.Timestamp = TimestampNow
	}
	return &out, nil
}
