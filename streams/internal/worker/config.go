package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// Defaults of Config.
const (
	DefaultCommitInterval = time.Second
	// DefaultMaxBuffered is Kafka Streams' buffered.records.per.partition.
	DefaultMaxBuffered = 1000
	// DefaultTopicTimeout bounds the wait for topics that do not exist yet.
	DefaultTopicTimeout = 10 * time.Second
	// DefaultPurgeInterval is how often repartition topics are cut below what is committed.
	DefaultPurgeInterval = 30 * time.Second
	// DefaultCloseTimeout bounds the last commit and the leaving of the group after a cancellation.
	DefaultCloseTimeout = 10 * time.Second

	// sessionTimeout is how long the tasks of a dead process lie idle, and how long a static member's seat is kept: the least
	// that Kafka allows.
	sessionTimeout    = 6 * time.Second
	heartbeatInterval = sessionTimeout / 4
	// fetchWait is how long the log parks a fetch that finds nothing; a partition that is resumed waits as long at worst.
	fetchWait = 100 * time.Millisecond
	// pollRecords bounds what one poll adds to the queues, beyond MaxBuffered: Kafka Streams' max.poll.records.
	pollRecords = 1000
	// linger is how long an output batch waits to fill. A commit does not wait for it.
	linger = 5 * time.Millisecond
	// requestTimeout bounds one administrative request.
	requestTimeout = 30 * time.Second
	// commitTimeout bounds one commit, and how long commits may fail before the application does: Kafka's delivery.timeout.ms.
	commitTimeout = 2 * time.Minute
	// metadataBytesMax is the log's offset.metadata.max.bytes.
	metadataBytesMax = 4096
)

// Config is what an instance is made of. ApplicationID, Program and Log are needed.
type Config struct {
	ApplicationID string
	Program       *engine.Program
	Log           *client.Client

	Workers        int
	CommitInterval time.Duration
	// StateDir keeps the identity; empty: dynamic members.
	StateDir    string
	OnDecode    engine.Handler
	OnProcess   engine.Handler
	OnEncode    engine.Handler // Continue holds also for outputs that the log refuses
	MaxBuffered int            // records per partition
	// TaskIdle is how long a task with records waits for a partition that is known to be empty; below zero it does not even
	// wait for partitions that are known to have more.
	TaskIdle     time.Duration
	Reset        client.Reset
	ResetByTopic map[string]client.Reset
	Compression  client.Compression

	TopicTimeout  time.Duration
	PurgeInterval time.Duration
	CloseTimeout  time.Duration
	Logger        *slog.Logger
	// OnState is called on one goroutine, in order.
	OnState func(from, to State)
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.ApplicationID == "":
		return c, errors.New("no application id")
	case !validID(c.ApplicationID):
		return c, fmt.Errorf("application id %q has other characters than letters, digits, '.', '_' and '-', or too many", c.ApplicationID)
	case c.Program == nil:
		return c, errors.New("no topology")
	case c.Log == nil:
		return c, errors.New("no log")
	case c.Workers < 0, c.MaxBuffered < 0:
		return c, fmt.Errorf("workers %d or buffered records %d are negative", c.Workers, c.MaxBuffered)
	case c.CommitInterval < 0:
		return c, fmt.Errorf("commit interval %v is negative", c.CommitInterval)
	}
	c.Workers = cmp.Or(c.Workers, 1)
	c.CommitInterval = cmp.Or(c.CommitInterval, DefaultCommitInterval)
	c.MaxBuffered = cmp.Or(c.MaxBuffered, DefaultMaxBuffered)
	c.TopicTimeout = cmp.Or(c.TopicTimeout, DefaultTopicTimeout)
	c.PurgeInterval = cmp.Or(c.PurgeInterval, DefaultPurgeInterval)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, DefaultCloseTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("app", c.ApplicationID)
	return c, nil
}

// applicationIDMax leaves room for the names of topics, of which the id is the beginning.
const applicationIDMax = 128

// validID holds application ids to what Kafka allows in topics and file systems in names.
func validID(id string) bool {
	ok := len(id) <= applicationIDMax && id != "." && id != ".."
	for _, r := range id {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}
	return ok
}
