package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Defaults of FetchConfig.
const (
	// DefaultFetchMaxBytes bounds one fetch response per broker.
	DefaultFetchMaxBytes = 16 << 20
	// DefaultFetchMaxPartitionBytes is Kafka's max.partition.fetch.bytes.
	DefaultFetchMaxPartitionBytes = 1 << 20
	// DefaultFetchMaxWait is how long the log parks a fetch that finds nothing. A partition added or resumed waits as long at worst.
	DefaultFetchMaxWait = 250 * time.Millisecond
	// DefaultMaxPollRecords bounds the records of one Poll.
	DefaultMaxPollRecords = 10_000
	// DefaultMaxBatchBytes bounds what one batch may decompress to.
	DefaultMaxBatchBytes = 128 << 20
)

// Isolation decides which records of transactions are read.
type Isolation int8

// ReadUncommitted reads to the high watermark; ReadCommitted to the last stable offset, without aborted records.
const (
	ReadUncommitted Isolation = iota
	ReadCommitted
)

// FetchConfig configures reading; its zero value works.
type FetchConfig struct {
	Isolation         Isolation
	MaxBytes          int32         // per response of one broker; default DefaultFetchMaxBytes
	MaxPartitionBytes int32         // default DefaultFetchMaxPartitionBytes
	MinBytes          int32         // the log waits for this much, up to MaxWait; default 1
	MaxWait           time.Duration // default DefaultFetchMaxWait
	MaxPollRecords    int           // default DefaultMaxPollRecords
	MaxBatchBytes     int           // what one batch may decompress to; default DefaultMaxBatchBytes
}

func (cfg *FetchConfig) setDefaults() {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, DefaultFetchMaxBytes)
	cfg.MaxPartitionBytes = cmp.Or(cfg.MaxPartitionBytes, DefaultFetchMaxPartitionBytes)
	cfg.MinBytes = cmp.Or(cfg.MinBytes, 1)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, DefaultFetchMaxWait)
	cfg.MaxPollRecords = cmp.Or(cfg.MaxPollRecords, DefaultMaxPollRecords)
	cfg.MaxBatchBytes = cmp.Or(cfg.MaxBatchBytes, DefaultMaxBatchBytes)
}

func (cfg *FetchConfig) options() []kgo.Opt {
	isolation := kgo.ReadUncommitted()
	if cfg.Isolation == ReadCommitted {
		isolation = kgo.ReadCommitted()
	}
	return []kgo.Opt{
		kgo.FetchIsolationLevel(isolation),
		kgo.FetchMaxBytes(cfg.MaxBytes),
		kgo.FetchMaxPartitionBytes(min(cfg.MaxPartitionBytes, cfg.MaxBytes)),
		kgo.FetchMinBytes(cfg.MinBytes),
		kgo.FetchMaxWait(cfg.MaxWait),
		kgo.MaxDecompressBatchBytes(cfg.MaxBatchBytes),
		// Markers are kept here and dropped in convert: a position that does not count them never reaches the end of a log that
		// ends in one.
		kgo.KeepControlRecords(),
	}
}

// Fetched is what one Poll read of one partition.
type Fetched struct {
	TopicPartition
	// Records are in offset order, with gaps where the log has none. Slice and bytes belong to the caller. The bytes of one
	// fetch response share memory: a record that is kept long keeps its whole response (or decompressed batch) alive.
	Records []Record
	// Next is the offset to read next: after the last record, or after the transaction markers that follow it. -1 with an Err.
	Next int64
	// What the log said about itself; -1 when it did not. LogStart ≤ LastStable ≤ HighWatermark.
	HighWatermark, LastStable, LogStart int64
	// Err stops the reading of this partition. Errors the library cures by itself are not reported. After ErrOffsetOutOfRange
	// the partition must be moved (LogStart says where it begins); after ErrDataLoss reading goes on at the place it names.
	Err error
}

// poll returns what is buffered, else waits for the next.
func poll(ctx context.Context, cl *kgo.Client, maxRecords int) kgo.Fetches {
	// Without a context the library only drains: no goroutine, no timer. A busy reader stays on this path.
	//lint:ignore SA1012 nil is documented to mean this
	if fetches := cl.PollRecords(nil, maxRecords); len(fetches) > 0 {
		return fetches
	}
	return cl.PollRecords(ctx, maxRecords)
}

// convert returns the partitions of fetches that keep admits, and the first error that belongs to no partition.
func convert(fetches kgo.Fetches, keep func(TopicPartition) bool) (all []Fetched, err error) {
	for i := range fetches {
		for j := range fetches[i].Topics {
			topic := &fetches[i].Topics[j]
			for k := range topic.Partitions {
				part := &topic.Partitions[k]
				tp := TopicPartition{topic.Topic, part.Partition}
				switch {
				case tp.Topic == "":
					if err == nil {
						err = translate(part.Err)
					}
				case keep(tp):
					if f, some := convertPartition(tp, part); some {
						all = append(all, f)
					}
				}
			}
		}
	}
	return all, err
}

func convertPartition(tp TopicPartition, part *kgo.FetchPartition) (f Fetched, some bool) {
	f = Fetched{
		TopicPartition: tp, Next: -1,
		HighWatermark: part.HighWatermark, LastStable: part.LastStableOffset, LogStart: part.LogStartOffset,
	}
	if n := len(part.Records); n > 0 {
		headers := 0
		for _, r := range part.Records {
			headers += len(r.Headers)
		}
		f.Records = make([]Record, 0, n)
		var slab []Header
		if headers > 0 {
			slab = make([]Header, 0, headers)
		}
		for _, r := range part.Records {
			if r.Attrs.IsControl() {
				continue
			}
			var out Record
			out, slab = fromKafka(r, slab)
			f.Records = append(f.Records, out)
		}
		f.Next = part.Records[n-1].Offset + 1
	}
	if part.Err != nil {
		if len(f.Records) == 0 {
			f.Next = -1
		}
		f.Err = fmt.Errorf("cannot read %s: %w", tp, translate(part.Err))
	}
	return f, len(part.Records) > 0 || part.Err != nil
}

// findStarts asks where the partitions begin whose offset was out of range: brokers leave that out of the error.
func findStarts(ctx context.Context, cl *kgo.Client, all []Fetched) {
	var ask map[TopicPartition]int64
	for i := range all {
		if errors.Is(all[i].Err, ErrOffsetOutOfRange) {
			if ask == nil {
				ask = make(map[TopicPartition]int64)
			}
			ask[all[i].TopicPartition] = Earliest
			all[i].LogStart = -1
		}
	}
	if ask == nil {
		return
	}
	starts := listOffsets(ctx, cl, ReadUncommitted, ask)
	for i := range all {
		if start, ok := starts[all[i].TopicPartition]; ok && start.Err == nil {
			all[i].LogStart = start.Offset
		}
	}
}
