package metadata

import "math"

const (
	minuteMs = int64(60 * 1000)
	hourMs   = 60 * minuteMs
	noLimit  = "9223372036854775807" // what Kafka writes for none
)

func same(name string) []Synonym { return []Synonym{{Name: name, Factor: 1}} }

// TopicDefinitions are the keys of a topic's configuration by name: Kafka's names, types, bounds and defaults, and one of our own.
func TopicDefinitions() []Definition {
	return append(retentionDefinitions(), recordDefinitions()...)
}

// retentionDefinitions: what is kept, and in which files.
func retentionDefinitions() []Definition {
	return []Definition{
		{
			Name: "cleanup.policy", Type: List, Default: "delete", Valid: []string{"delete", "compact"}, Synonyms: same("log.cleanup.policy"),
			Doc: "What becomes of old records: delete them by age and size, compact them to the last one per key, or both.",
		},
		{
			Name: "delete.retention.ms", Type: Long, Default: "86400000", Max: math.MaxInt64, Synonyms: same("log.cleaner.delete.retention.ms"),
			Doc: "How long a compacted topic keeps the tombstone of a deleted key.",
		},
		{
			Name: "file.delete.delay.ms", Type: Long, Default: "60000", Max: math.MaxInt64, Synonyms: same("log.segment.delete.delay.ms"),
			Doc: "How long the files of a deleted segment stay.",
		},
		{
			Name: "flush.messages", Type: Long, Default: noLimit, Min: 1, Max: math.MaxInt64, Synonyms: same("log.flush.interval.messages"),
			Unserved: "durability is a mode of the whole node",
			Doc:      "Kafka: records after which the log is synced. Here durability is a mode of the node.",
		},
		{
			Name: "flush.ms", Type: Long, Default: noLimit, Max: math.MaxInt64, Synonyms: same("log.flush.interval.ms"),
			Unserved: "durability is a mode of the whole node",
			Doc:      "Kafka: time after which the log is synced. Here durability is a mode of the node.",
		},
		{
			Name: "index.interval.bytes", Type: Int, Default: "4096", Max: math.MaxInt32, Synonyms: same("log.index.interval.bytes"),
			Doc: "Bytes of records per entry of the offset index.",
		},
		{
			Name: "max.compaction.lag.ms", Type: Long, Default: noLimit, Min: 1, Max: math.MaxInt64, Synonyms: same("log.cleaner.max.compaction.lag.ms"),
			Doc: "How long a record may stay uncompacted.",
		},
		{
			Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", Synonyms: same("log.cleaner.min.cleanable.ratio"),
			Doc: "Share of uncompacted bytes from which a log is compacted.",
		},
		{
			Name: "min.compaction.lag.ms", Type: Long, Default: "0", Max: math.MaxInt64, Synonyms: same("log.cleaner.min.compaction.lag.ms"),
			Doc: "How long a record stays uncompacted at least.",
		},
		{
			Name: "preallocate", Type: Boolean, Default: "false", Synonyms: same("log.preallocate"),
			Doc: "Kafka: make new segments at their full size. Here segments always grow ahead of what is written, in steps.",
		},
		{
			Name: "retention.bytes", Type: Long, Default: "-1", Min: -1, Max: math.MaxInt64, Synonyms: same("log.retention.bytes"),
			Doc: "Bytes that a partition may hold before its oldest segments are deleted; -1: no limit.",
		},
		{
			Name: "retention.ms", Type: Long, Default: "604800000", Min: -1, Max: math.MaxInt64,
			Synonyms: []Synonym{{"log.retention.ms", 1}, {"log.retention.minutes", minuteMs}, {"log.retention.hours", hourMs}},
			Doc:      "Age at which segments are deleted; -1: no limit.",
		},
		{
			Name: "segment.bytes", Type: Int, Default: "1073741824", Min: 1 << 20, Max: math.MaxInt32, Synonyms: same("log.segment.bytes"),
			Doc: "Size at which a segment is closed and the next begun.",
		},
		{
			Name: "segment.index.bytes", Type: Int, Default: "10485760", Min: 4, Max: math.MaxInt32, Synonyms: same("log.index.size.max.bytes"),
			Doc: "Size of the offset index at which a segment is closed.",
		},
		{
			Name: "segment.jitter.ms", Type: Long, Default: "0", Max: math.MaxInt64,
			Synonyms: []Synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hourMs}},
			Unserved: "segments are closed at their age exactly",
			Doc:      "Kafka: random part taken off segment.ms.",
		},
		{
			Name: "segment.ms", Type: Long, Default: "604800000", Min: 1, Max: math.MaxInt64,
			Synonyms: []Synonym{{"log.roll.ms", 1}, {"log.roll.hours", hourMs}},
			Doc:      "Age at which a segment is closed, full or not.",
		},
	}
}

// recordDefinitions: what may be written.
func recordDefinitions() []Definition {
	return []Definition{
		{
			Name: "compression.type", Type: String, Default: "producer", Synonyms: same("compression.type"),
			Valid:    []string{"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"},
			Unserved: "batches are kept as the producer compressed them",
			Doc:      "Always producer: batches are kept as they came.",
		},
		{
			Name: "max.decompressed.message.bytes", Type: Int, Default: "67108864", Min: 1024, Max: math.MaxInt32, Synonyms: same("max.decompressed.message.bytes"),
			Doc: "Not in Kafka: how large the records of a batch may get where they must be decompressed.",
		},
		{
			Name: "max.message.bytes", Type: Int, Default: "1048588", Max: math.MaxInt32, Synonyms: same("message.max.bytes"),
			Doc: "Largest batch, in bytes as it is written, compressed.",
		},
		{
			Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", Max: math.MaxInt64, Synonyms: same("log.message.timestamp.after.max.ms"),
			Doc: "How far in the future of the broker's clock a record's timestamp may lie.",
		},
		{
			Name: "message.timestamp.before.max.ms", Type: Long, Default: noLimit, Max: math.MaxInt64, Synonyms: same("log.message.timestamp.before.max.ms"),
			Doc: "How far in the past of the broker's clock a record's timestamp may lie.",
		},
		{
			Name: "message.timestamp.type", Type: String, Default: "CreateTime", Valid: []string{"CreateTime", "LogAppendTime"}, Synonyms: same("log.message.timestamp.type"),
			Doc: "Whose clock stamps a record: the producer's or the broker's.",
		},
		{
			Name: "min.insync.replicas", Type: Int, Default: "1", Min: 1, Max: math.MaxInt32, Synonyms: same("min.insync.replicas"),
			Doc: "Replicas that must be in sync for a produce with acks=all.",
		},
		{
			Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Synonyms: same("unclean.leader.election.enable"),
			Doc: "Whether a replica that is not in sync may lead when no other is left, at the price of what it lacks.",
		},
	}
}
