package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// countsMaxAge is how long partition counts of output topics are believed: Kafka's metadata.max.age.ms.
const countsMaxAge = 5 * time.Minute

// outputBytesKept is the largest buffer of a record that is kept for the next one.
const outputBytesKept = 64 << 10

// dropRefused counts outputs that the log refused and the encode handler let go.
const dropRefused = "refused"

// producer is what the tasks of a worker write to. Send belongs to the worker's goroutine.
type producer struct {
	ctx    context.Context // bounds the wait for room
	cfg    *Config
	own    map[string]bool // internal topics: their records are never let go
	log    *client.Producer
	counts map[string]int32 // partitions of output topics
	asked  time.Time        // when counts was fresh
	sent   int64
	dirty  bool // something was sent since the last flush
	pool   sync.Pool

	mu struct {
		sync.Mutex
		failed  error // the first record that did not get into the log
		refused int64 // records let go
	}
}

var _ engine.PartitionCounter = (*producer)(nil)

// output is a record on its way, with the memory it needs.
type output struct {
	client.Record
	buf  []byte
	done func(*client.Record, error)
}

func newProducer(ctx context.Context, cfg *Config, p *plan) (*producer, error) {
	w := &producer{ctx: ctx, cfg: cfg, own: make(map[string]bool), counts: maps.Clone(p.partitions), asked: time.Now()}
	for _, t := range p.internal {
		w.own[t.Name] = true
	}
	w.pool.New = func() any {
		out := new(output)
		out.done = func(_ *client.Record, err error) { w.finish(out, err) }
		return out
	}
	return w, w.open()
}

func (w *producer) open() error {
	log, err := w.cfg.Log.NewProducer(client.ProducerConfig{Linger: linger, Compression: w.cfg.Compression, MaxBufferedRecords: outputsInFlight})
	w.log = log
	return err
}

// reset drops what is buffered: it belongs to tasks that are lost.
func (w *producer) reset() error {
	w.log.Close()
	w.mu.Lock()
	w.mu.failed = nil
	w.mu.Unlock()
	w.dirty = false
	return w.open()
}

// Send implements engine.Collector.
func (w *producer) Send(o *engine.Output) error {
	if err := w.err(); err != nil {
		return err
	}
	partition := o.Partition
	if partition == engine.AnyPartition && o.PartitionKey != nil && !sameBytes(o.PartitionKey, o.Key) {
		n, err := w.Partitions(o.Topic)
		if err != nil {
			return err
		}
		partition = client.PartitionFor(o.PartitionKey, n)
	}
	out := w.pool.Get().(*output)
	out.fill(o, partition)
	w.sent++
	w.dirty = true
	w.log.Produce(w.ctx, &out.Record, out.done)
	return nil
}

// sameBytes reports whether a is all of b, the same memory.
func sameBytes(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// fill copies o, whose memory belongs to the task.
func (out *output) fill(o *engine.Output, partition int32) {
	need := len(o.Key) + len(o.Value)
	for _, h := range o.Headers {
		need += len(h.Value)
	}
	if cap(out.buf) < need || cap(out.buf) > max(need, outputBytesKept) {
		out.buf = make([]byte, 0, need)
	}
	out.buf = out.buf[:0]
	headers := out.Headers[:0]
	for _, h := range o.Headers {
		headers = append(headers, client.Header{Key: h.Key, Value: out.copy(h.Value)})
	}
	out.Record = client.Record{
		Topic: o.Topic, Partition: partition, Timestamp: o.Timestamp, LeaderEpoch: -1,
		Key: out.copy(o.Key), Value: out.copy(o.Value), Headers: headers,
	}
}

// copy copies b into the record's buffer, which has room for it. Nil stays nil, empty stays empty.
func (out *output) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	start := len(out.buf)
	out.buf = append(out.buf, b...)
	return out.buf[start:len(out.buf):len(out.buf)]
}

// finish runs on a goroutine of the client when the fate of a record is known.
func (w *producer) finish(out *output, err error) {
	if err != nil {
		w.fail(&out.Record, err)
	}
	clear(out.Headers)
	out.Record = client.Record{Headers: out.Headers[:0]}
	w.pool.Put(out)
}

func (w *producer) fail(r *client.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.OnEncode.Action == engine.Continue && !w.own[r.Topic] && refused(err) {
		w.mu.refused++
		return
	}
	if w.mu.failed == nil {
		w.mu.failed = err
	}
}

// refused tells errors that are the record's own: the next one may be fine.
func refused(err error) bool {
	return errors.Is(err, client.ErrRecordTooLarge) || errors.Is(err, client.ErrInvalidRecord) || errors.Is(err, client.ErrInvalidTimestamp)
}

// err is why the worker cannot go on: an output is not in the log.
func (w *producer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.failed
}

// refusedRecords counts the records that were let go.
func (w *producer) refusedRecords() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.refused
}

// flush waits until everything sent is in the log.
func (w *producer) flush(ctx context.Context) error {
	if !w.dirty {
		return w.err()
	}
	err := w.log.Flush(ctx)
	if failed := w.err(); failed != nil {
		return failed
	}
	if err != nil && !refused(err) {
		return err
	}
	w.dirty = false
	return nil
}

func (w *producer) close() { w.log.Close() }

// Partitions implements engine.PartitionCounter.
func (w *producer) Partitions(topic string) (int32, error) {
	if time.Since(w.asked) > countsMaxAge {
		clear(w.counts)
		w.asked = time.Now()
	}
	if n := w.counts[topic]; n > 0 {
		return n, nil
	}
	counts, _, err := lookUp(w.ctx, w.cfg.Log, []string{topic})
	if err == nil && counts[topic] == 0 {
		err = client.ErrUnknownTopic
	}
	if err != nil {
		return 0, fmt.Errorf("cannot find the partitions of output topic %s: %w", topic, err)
	}
	w.counts[topic] = counts[topic]
	return counts[topic], nil
}
