package partition

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// Durability says what an ack means.
type Durability int

const (
	// Fsync: an ack means on disk. The watermark of a log is its durable offset.
	Fsync Durability = iota
	// Replicated: an ack means in the memory of the in-sync replicas, here the page cache; the disk follows in the background.
	Replicated
)

func (d Durability) String() string {
	switch d {
	case Fsync:
		return "fsync"
	case Replicated:
		return "replicated"
	}
	return fmt.Sprintf("Durability(%d)", int(d))
}

// Defaults and bounds of a directory.
const (
	// DefaultFlushConcurrency is how many files are synced at once in one pass of the flusher.
	DefaultFlushConcurrency = 8
	// DefaultOpenFiles bounds the descriptors of sealed segments that a directory keeps open between reads.
	DefaultOpenFiles = 512
	// DefaultRetentionInterval is the time between two looks of the janitor.
	DefaultRetentionInterval = 30 * time.Second
	// DefaultDeleteDelay is how long a deleted partition stays on disk under its new name.
	DefaultDeleteDelay = time.Minute
	// DefaultPreallocateStep is the first step in bytes by which a segment file grows; it doubles up to segment.MaxStep.
	DefaultPreallocateStep = 4 << 20
	// DefaultReserveBytes is the size of the ballast file that is given up when the disk is full.
	DefaultReserveBytes = 16 << 20
	// DefaultFlushDistance bounds, in mode Replicated, the bytes that wait for the background flush before it runs at once.
	DefaultFlushDistance = 64 << 20
	// DefaultFlushInterval bounds, in mode Replicated, the time for which bytes wait for the background flush.
	DefaultFlushInterval = time.Second
)

// DirectoryConfig configures a log directory. Everything but FS has a default.
type DirectoryConfig struct {
	FS         disk.FS
	ClusterID  string // must be the one the directory was made with
	NodeID     int32  // must be the one the directory was made with
	Durability Durability
	Now        func() time.Time // wall clock: retention and append time only; default time.Now
	Logger     *slog.Logger     // default: discards

	FlushConcurrency  int           // files synced at once
	OpenFiles         int           // descriptors of sealed segments kept open
	RetentionInterval time.Duration // between two looks of the janitor
	DeleteDelay       time.Duration // from the deletion of a partition to its purge
	PreallocateStep   int64         // bytes
	ReserveBytes      int64         // ballast for a full disk; negative: none
	FlushDistance     int64         // mode Replicated: bytes
	FlushInterval     time.Duration // mode Replicated
}

func (c *DirectoryConfig) fill() error {
	if c.FS == nil {
		return fmt.Errorf("cannot open a log directory: no file system is given")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.FlushConcurrency = cmp.Or(c.FlushConcurrency, DefaultFlushConcurrency)
	c.OpenFiles = cmp.Or(c.OpenFiles, DefaultOpenFiles)
	c.RetentionInterval = cmp.Or(c.RetentionInterval, DefaultRetentionInterval)
	c.DeleteDelay = cmp.Or(c.DeleteDelay, DefaultDeleteDelay)
	c.PreallocateStep = cmp.Or(c.PreallocateStep, DefaultPreallocateStep)
	c.ReserveBytes = cmp.Or(c.ReserveBytes, DefaultReserveBytes)
	c.FlushDistance = cmp.Or(c.FlushDistance, DefaultFlushDistance)
	c.FlushInterval = cmp.Or(c.FlushInterval, DefaultFlushInterval)
	return nil
}

// ID names a partition of one incarnation of a topic: a topic made anew under its old name has another UUID.
type ID struct {
	Topic     uuid.UUID
	Partition int32
}

// String is also the name of the partition's directory.
func (id ID) String() string { return fmt.Sprintf("%s-%d", id.Topic, id.Partition) }

// Spec is a partition to create or to load.
type Spec struct {
	ID     ID
	Name   string // the topic's name, for people; not part of the identity
	Config Config
}

// Config is what a topic's configuration says about its logs. Zero fields mean Kafka's defaults, -1 means no bound where that makes sense.
type Config struct {
	SegmentBytes         int64         // segment.bytes, 1 GiB
	SegmentAge           time.Duration // segment.ms, 7 days
	RetentionBytes       int64         // retention.bytes, -1: none (default)
	RetentionAge         time.Duration // retention.ms, 7 days; -1: none
	MaxMessageBytes      int           // max.message.bytes, 1 MiB + 12
	IndexIntervalBytes   int           // index.interval.bytes, 4096
	Delete, Compact      bool          // cleanup.policy; neither set means Delete
	LogAppendTime        bool          // message.timestamp.type
	TimestampBeforeMax   time.Duration // message.timestamp.before.max.ms, -1: none (default)
	TimestampAfterMax    time.Duration // message.timestamp.after.max.ms, 1 hour; -1: none
	ProducerIDExpiration time.Duration // producer.id.expiration.ms, 1 day
	MaxDecompressedBytes int           // bound on the output of any decompression, 64 MiB
}

const day = 24 * time.Hour

func (c Config) filled() Config {
	c.SegmentBytes = cmp.Or(c.SegmentBytes, 1<<30)
	c.SegmentAge = cmp.Or(c.SegmentAge, 7*day)
	c.RetentionBytes = cmp.Or(c.RetentionBytes, -1)
	c.RetentionAge = cmp.Or(c.RetentionAge, 7*day)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 1<<20+12)
	c.IndexIntervalBytes = cmp.Or(c.IndexIntervalBytes, 4096)
	c.TimestampBeforeMax = cmp.Or(c.TimestampBeforeMax, -1)
	c.TimestampAfterMax = cmp.Or(c.TimestampAfterMax, time.Hour)
	c.ProducerIDExpiration = cmp.Or(c.ProducerIDExpiration, day)
	c.MaxDecompressedBytes = cmp.Or(c.MaxDecompressedBytes, record.DefaultMaxDecompressedBytes)
	c.SegmentBytes = min(c.SegmentBytes, 1<<31-1) // positions in the index have 32 bits, and Kafka's a sign
	if !c.Delete && !c.Compact {
		c.Delete = true
	}
	return c
}
