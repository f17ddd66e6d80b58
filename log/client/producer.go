package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Defaults of ProducerConfig.
const (
	// DefaultBatchBytes is the most one batch holds: a little below the log's max.message.bytes.
	DefaultBatchBytes = 1_000_000
	// DefaultMaxBufferedBytes bounds the keys and values waiting for their acknowledgement; Produce blocks above it.
	DefaultMaxBufferedBytes = 32 << 20
	// DefaultMaxBufferedRecords bounds their number.
	DefaultMaxBufferedRecords = 100_000
	// unknownTopicRetries bounds how often a topic may be missing from metadata before its records fail: a new topic takes a while to be known everywhere.
	unknownTopicRetries = 20
)

// Compression is a codec for batches.
type Compression int8

// The codecs of Kafka's record batches.
const (
	NoCompression Compression = iota
	Gzip
	Snappy
	Lz4
	Zstd
)

// ProducerConfig configures a producer; its zero value works. Every producer waits for all in-sync replicas and, unless told
// otherwise, is idempotent: a retry neither duplicates nor reorders.
//
// There is no delivery timeout: a record is retried until the log takes or refuses it, or Close. (The library counts its timeout
// from the record's own timestamp, so records with an event time in the past would fail at once.) Bound the waiting with the
// contexts of Produce and Flush.
type ProducerConfig struct {
	Linger             time.Duration // how long a batch waits to fill; 0: a batch leaves as soon as a connection is free
	BatchBytes         int32         // default DefaultBatchBytes
	Compression        Compression
	MaxBufferedBytes   int // default DefaultMaxBufferedBytes
	MaxBufferedRecords int // default DefaultMaxBufferedRecords
	// NotIdempotent is for logs that refuse producer ids. Retries may then duplicate and reorder.
	NotIdempotent bool
}

// Producer writes records. Its methods may be called from several goroutines.
type Producer struct {
	cl   *kgo.Client
	pool sync.Pool // of *pendingRecord

	mu struct {
		sync.Mutex
		fatal  error // the first error no later record can survive; never reset
		failed error // the first failed record since the last Flush
	}
}

// pendingRecord is a record on its way. It is reused, so this package allocates nothing per record of a steady producer.
type pendingRecord struct {
	kafka   kgo.Record
	record  *Record
	done    func(*Record, error)
	promise func(*kgo.Record, error) // finish, bound once
}

// NewProducer returns a producer with connections of its own. It dials nothing yet.
func (c *Client) NewProducer(cfg ProducerConfig) (*Producer, error) {
	cfg.BatchBytes = cmp.Or(cfg.BatchBytes, DefaultBatchBytes)
	cfg.MaxBufferedBytes = cmp.Or(cfg.MaxBufferedBytes, DefaultMaxBufferedBytes)
	cfg.MaxBufferedRecords = cmp.Or(cfg.MaxBufferedRecords, DefaultMaxBufferedRecords)
	codec, err := cfg.Compression.codec()
	if err != nil {
		return nil, fmt.Errorf("cannot create producer: %w", err)
	}
	opts := []kgo.Opt{
		kgo.ProducerLinger(cfg.Linger),
		kgo.ProducerBatchMaxBytes(cfg.BatchBytes),
		kgo.ProducerBatchCompression(codec),
		kgo.MaxBufferedBytes(cfg.MaxBufferedBytes),
		kgo.MaxBufferedRecords(cfg.MaxBufferedRecords),
		kgo.UnknownTopicRetries(unknownTopicRetries),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(newPartitioner()),
	}
	if cfg.NotIdempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
	} else {
		opts = append(opts, kgo.StopProducerOnDataLossDetected())
	}
	cl, err := c.dial(opts...)
	if err != nil {
		return nil, fmt.Errorf("cannot create producer: %w", err)
	}
	p := &Producer{cl: cl}
	p.pool.New = func() any {
		pending := new(pendingRecord)
		pending.promise = func(_ *kgo.Record, err error) { p.finish(pending, err) }
		return pending
	}
	return p, nil
}

func (c Compression) codec() (kgo.CompressionCodec, error) {
	switch c {
	case NoCompression:
		return kgo.NoCompression(), nil
	case Gzip:
		return kgo.GzipCompression(), nil
	case Snappy:
		return kgo.SnappyCompression(), nil
	case Lz4:
		return kgo.Lz4Compression(), nil
	case Zstd:
		return kgo.ZstdCompression(), nil
	}
	return kgo.CompressionCodec{}, fmt.Errorf("unknown compression %d", c)
}

// Produce hands r over and returns; it blocks while the buffer is full, until ctx ends. Records of one partition are written in
// the order of the calls. done (may be nil) is called exactly once, for all records of this producer one after the other: with
// r's Partition, Offset and Timestamp set, or with why r is not in the log. done must not block, nor call Produce or Flush.
// r and its slices belong to the producer until then.
//
// Once Err is not nil, every record fails with it. ctx only bounds the wait for room: a record taken is not cancelled by it.
func (p *Producer) Produce(ctx context.Context, r *Record, done func(r *Record, err error)) {
	pending := p.pool.Get().(*pendingRecord)
	pending.record, pending.done = r, done
	if err := p.Err(); err != nil {
		p.finish(pending, err)
		return
	}
	r.toKafka(&pending.kafka)
	pending.kafka.Context = context.Background()
	p.cl.Produce(ctx, &pending.kafka, pending.promise)
}

// finish runs when the fate of a record is known.
func (p *Producer) finish(pending *pendingRecord, err error) {
	r, done := pending.record, pending.done
	pending.record, pending.done = nil, nil
	k := &pending.kafka
	if err == nil {
		r.Partition, r.Offset, r.Timestamp = k.Partition, k.Offset, k.Timestamp.UnixMilli()
	} else {
		err = p.latch(r, err)
	}
	clear(k.Headers)
	*k = kgo.Record{Headers: k.Headers[:0]}
	p.pool.Put(pending)
	if done != nil {
		done(r, err)
	}
}

// latch notes a failed record and returns its error in our words.
func (p *Producer) latch(r *Record, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.fatal != nil {
		return p.mu.fatal
	}
	fatal := isFatal(err)
	err = fmt.Errorf("cannot produce to %s: %w", r.place(), translate(err))
	if p.mu.failed == nil {
		p.mu.failed = err
	}
	if fatal {
		p.mu.fatal = err
	}
	return err
}

func (r *Record) place() string {
	if r.Partition < 0 {
		return r.Topic
	}
	return TopicPartition{r.Topic, r.Partition}.String()
}

// isFatal tells the errors after which this producer's order or identity cannot be trusted.
func isFatal(err error) bool {
	for _, fatal := range []error{
		kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID,
		kerr.InvalidProducerIDMapping, kerr.ClusterAuthorizationFailed, kerr.SaslAuthenticationFailed, kgo.ErrClientClosed,
	} {
		if errors.Is(err, fatal) {
			return true
		}
	}
	loss, ok := errors.AsType[*kgo.ErrDataLoss](err)
	return ok && loss != nil
}

// Flush sends what lingers and waits until every record handed over has its fate. It returns the latched fatal error, else the
// error of the first record that failed since the last Flush, else ctx's.
func (p *Producer) Flush(ctx context.Context) error {
	flushErr := p.cl.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := p.mu.failed
	p.mu.failed = nil
	switch {
	case p.mu.fatal != nil:
		return p.mu.fatal
	case failed != nil:
		return failed
	case flushErr != nil:
		return fmt.Errorf("cannot flush producer: %w", translate(flushErr))
	}
	return nil
}

// Err returns the first fatal error: this producer can write no more and must be replaced. Else nil.
func (p *Producer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.fatal
}

// Buffered returns how many records and how many bytes of them wait for their fate.
func (p *Producer) Buffered() (records, bytes int64) {
	return p.cl.BufferedProduceRecords(), p.cl.BufferedProduceBytes()
}

// Close fails what is still buffered, and every later record, with ErrClosed (call Flush first), and waits for the producer's
// goroutines.
func (p *Producer) Close() {
	p.mu.Lock()
	if p.mu.fatal == nil {
		p.mu.fatal = fmt.Errorf("cannot produce: %w", ErrClosed)
	}
	p.mu.Unlock()
	p.cl.Close()
}
