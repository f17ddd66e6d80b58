package coordinator

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Defaults of Config.
const (
	// DefaultPartitions is Kafka's offsets.topic.num.partitions.
	DefaultPartitions = 50
	// DefaultBatchBytes bounds the batches that records are appended in; a record that is larger goes alone.
	DefaultBatchBytes = 256 << 10
	// tickRetry is how long the timer leaves a shard alone whose append failed.
	tickRetry = time.Second
)

// Config of a Host. Only New is needed.
type Config struct {
	Topic      string // for messages
	Partitions int32  // of the topic; 0: DefaultPartitions
	New        func() Machine
	// Now is a monotonic clock; nil: the time since NewHost. It must advance as time.Timer does.
	Now func() time.Duration
	// Wall is the clock of the records' timestamps; nil: time.Now.
	Wall       func() time.Time
	BatchBytes int // 0: DefaultBatchBytes
	Logger     *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.New == nil {
		panic("BUG: coordinator.Config without New")
	}
	if c.Partitions <= 0 {
		c.Partitions = DefaultPartitions
	}
	if c.Now == nil {
		start := time.Now()
		c.Now = func() time.Duration { return time.Since(start) }
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = DefaultBatchBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Host serves the partitions of one topic that this node leads. All methods may be called from several goroutines.
type Host struct {
	cfg    Config
	shards []atomic.Pointer[shard] // by partition; nil: not ours
	timer  *timer
}

// NewHost starts a host that leads nothing yet. End it with Close.
func NewHost(cfg Config) *Host {
	cfg = cfg.withDefaults()
	h := &Host{cfg: cfg, shards: make([]atomic.Pointer[shard], cfg.Partitions)}
	h.timer = startTimer(cfg.Now, h.due)
	return h
}

// Close resigns from every partition and waits for the timer goroutine and for loads under way. The logs stay open: they are not the host's.
func (h *Host) Close() {
	for p := range h.shards {
		if s := h.shards[p].Swap(nil); s != nil {
			s.stop()
		}
	}
	h.timer.close()
}

// Partitions is the number of partitions of the topic.
func (h *Host) Partitions() int32 { return h.cfg.Partitions }

// Served lists the partitions that this node leads and has loaded, in order.
func (h *Host) Served() []int32 {
	var served []int32
	for p := range h.shards {
		if s := h.shards[p].Load(); s != nil && s.serving() {
			served = append(served, int32(p))
		}
	}
	return served
}

// PartitionFor is the partition that keeps the state of key: Java's String.hashCode, made positive, modulo the number of partitions.
func (h *Host) PartitionFor(key string) int32 {
	var hash int32
	for _, unit := range utf16.Encode([]rune(key)) {
		hash = 31*hash + int32(unit)
	}
	return (hash & 0x7fffffff) % h.cfg.Partitions
}

// Elect makes this node the coordinator of partition in a leader epoch. It returns at once: a goroutine loads the log, up to the end it has,
// and requests get ErrLoading until that is done. A partition that was served before, in an older epoch, is resigned first; the same or an older epoch
// changes nothing. Partitions beyond Config.Partitions are ignored: where a key belongs follows from the number at the start.
func (h *Host) Elect(partition int32, epoch int32, log Log) {
	if !h.has(partition) {
		h.cfg.Logger.Error("coordinator ignores a partition beyond those it started with", "topic", h.cfg.Topic, "partition", partition)
		return
	}
	next := newShard(h, partition, epoch, log)
	for {
		old := h.shards[partition].Load()
		if old != nil && old.epoch >= epoch {
			next.stop()
			return
		}
		if h.shards[partition].CompareAndSwap(old, next) {
			if old != nil {
				old.stop()
			}
			next.startLoading()
			return
		}
	}
}

// Resign drops the state of partition. Whoever waits for a reply of it gets NOT_COORDINATOR or ErrNotCoordinator. It waits for a load under way.
func (h *Host) Resign(partition int32) {
	if !h.has(partition) {
		return
	}
	if s := h.shards[partition].Swap(nil); s != nil {
		s.stop()
	}
}

// Submit hands a request to the partition that key belongs to and waits for the reply, which may take as long as the machine parks it. When
// ctx ends, because the connection died, the machine is told so and the error is that of ctx. Other errors wrap ErrNotCoordinator, ErrLoading,
// ErrUnavailable or ErrTooLarge. The machine may keep slices of req.
func (h *Host) Submit(ctx context.Context, key string, client Client, req kmsg.Request) (kmsg.Response, error) {
	return h.SubmitTo(ctx, h.PartitionFor(key), client, req)
}

// SubmitTo is Submit for requests about a whole partition, such as listing its groups.
func (h *Host) SubmitTo(ctx context.Context, partition int32, client Client, req kmsg.Request) (kmsg.Response, error) {
	if !h.has(partition) {
		return nil, ErrNotCoordinator
	}
	s := h.shards[partition].Load()
	if s == nil {
		return nil, ErrNotCoordinator
	}
	return s.submit(ctx, client, req)
}

// Each runs fn on the machine of every partition that is served, one after another and under its lock, and carries out the effects. It returns
// when they are appended and applied (not when they are durable), with the first error; a failure of one partition does not keep fn from the others.
func (h *Host) Each(fn func(partition int32, m Machine, now time.Duration) Effects) error {
	var first error
	for p := range h.shards {
		s := h.shards[p].Load()
		if s == nil {
			continue
		}
		err := s.run(func(m Machine, now time.Duration) Effects { return fn(int32(p), m, now) })
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (h *Host) has(partition int32) bool { return partition >= 0 && partition < h.cfg.Partitions }

// due ticks every shard whose time has come and returns when the next one's comes.
func (h *Host) due(now time.Duration) (next time.Duration, ok bool) {
	for p := range h.shards {
		s := h.shards[p].Load()
		if s == nil {
			continue
		}
		at := s.tick(now)
		if at != never && (!ok || at < next) {
			next, ok = at, true
		}
	}
	return next, ok
}
