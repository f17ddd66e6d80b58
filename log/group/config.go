package group

import (
	"cmp"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/coordinator"
)

// The contract with the host, under this package's names.
type (
	// Client is who sent a request.
	Client = coordinator.Client
	// Record is one record of the offsets topic.
	Record = coordinator.Record
	// Reply answers the request that came with its token.
	Reply = coordinator.Reply
	// Effects are what a call wants done: append, apply, then reply.
	Effects = coordinator.Effects
)

// Defaults of Config; those with a Kafka name have Kafka's value.
const (
	DefaultMinSessionTimeout      = 6 * time.Second    // group.min.session.timeout.ms
	DefaultMaxSessionTimeout      = 30 * time.Minute   // group.max.session.timeout.ms
	DefaultMaxMembers             = 5000               // group.max.size; Kafka has no limit
	DefaultMaxGroups              = 100_000            // in one partition of the offsets topic; Kafka has no limit
	DefaultMaxOffsets             = 100_000            // partitions that one group may commit; Kafka has no limit
	DefaultMaxMemberMetadataBytes = 64 << 10           // names and metadata of all protocols of one member; Kafka has no limit
	DefaultMaxOffsetMetadataBytes = 4096               // offset.metadata.max.bytes
	DefaultRetention              = 7 * 24 * time.Hour // offsets.retention.minutes
	DefaultRetentionCheck         = 10 * time.Minute   // offsets.retention.check.interval.ms
)

const (
	// newMemberJoinTimeout is how long the first join of a member may be parked: it does not heartbeat meanwhile, and an old client does not
	// even know its member id. Kafka's value.
	newMemberJoinTimeout = 5 * time.Minute
	// retryDelay is when a timer tries again whose records could not be appended.
	retryDelay = time.Second
	// maxProtocols is how many protocols a member may offer. Clients offer one for each assignor, so a handful; choosing one compares them all.
	maxProtocols = 64
	// maxInstanceIDBytes is Kafka's bound on group.instance.id. Member ids begin with it, and must fit in a string of the log.
	maxInstanceIDBytes = 249
	// maxExpiredPerTick bounds the tombstones of one sweep; the next one follows at once.
	maxExpiredPerTick = 10_000
	// maxFiredPerTick bounds how many timers one Tick serves.
	maxFiredPerTick = 1000
)

// Topics is what the machine asks of the metadata when a client commits or fetches offsets.
type Topics interface {
	// TopicName is the name of the topic with this id.
	TopicName(id uuid.UUID) (name string, ok bool)
	// TopicByName is the id of the topic with this name, and how many partitions it has.
	TopicByName(name string) (id uuid.UUID, partitions int32, ok bool)
}

// Config of a Machine. Only NewMemberID is needed.
type Config struct {
	// NewMemberID makes a member id that nobody has or had, from the client id or, for a static member, the instance id. Kafka: prefix-uuid.
	NewMemberID func(prefix string) string
	// Topics resolves topic names and ids. nil: names are taken as they are and ids are unknown.
	Topics Topics
	// Now is the wall clock, for commit timestamps and retention, which outlive the process. nil: 1970 plus the monotonic time.
	Now func() time.Time
	// InitialRebalanceDelay is how long an empty group waits for more members after the first
	// (group.initial.rebalance.delay.ms; Kafka: 3 s; zero does not wait).
	InitialRebalanceDelay time.Duration

	MinSessionTimeout      time.Duration // 0: DefaultMinSessionTimeout; and so on
	MaxSessionTimeout      time.Duration
	MaxMembers             int
	MaxGroups              int
	MaxOffsets             int
	MaxMemberMetadataBytes int
	MaxOffsetMetadataBytes int
	Retention              time.Duration // negative: offsets never expire
	RetentionCheck         time.Duration
}

func (c Config) withDefaults() Config {
	if c.NewMemberID == nil {
		panic("BUG: group.Config without NewMemberID")
	}
	c.MinSessionTimeout = cmp.Or(c.MinSessionTimeout, DefaultMinSessionTimeout)
	c.MaxSessionTimeout = cmp.Or(c.MaxSessionTimeout, DefaultMaxSessionTimeout)
	c.MaxMembers = cmp.Or(c.MaxMembers, DefaultMaxMembers)
	c.MaxGroups = cmp.Or(c.MaxGroups, DefaultMaxGroups)
	c.MaxOffsets = cmp.Or(c.MaxOffsets, DefaultMaxOffsets)
	c.MaxMemberMetadataBytes = cmp.Or(c.MaxMemberMetadataBytes, DefaultMaxMemberMetadataBytes)
	c.MaxOffsetMetadataBytes = cmp.Or(c.MaxOffsetMetadataBytes, DefaultMaxOffsetMetadataBytes)
	c.Retention = cmp.Or(c.Retention, DefaultRetention)
	c.RetentionCheck = cmp.Or(c.RetentionCheck, DefaultRetentionCheck)
	return c
}
