package node

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/partition"
)

// Defaults of a node.
const (
	// DefaultPortTries is how many ports after a taken one are tried when NextFreePort is set.
	DefaultPortTries = 50
	// DefaultOffsetsPartitions is the partition count of __consumer_offsets on a node of its own. Kafka's 50 are for clusters.
	DefaultOffsetsPartitions = 4
)

// Config is what a node is made of. Dir is required; the zero value of the rest is an embedded node of its own: no sockets, durability fsync.
type Config struct {
	// Dir is the data directory; it is made if it is missing (mode 0700).
	Dir string
	// NodeID is this node's id, 0 or more.
	NodeID int32
	// Durability is what an ack means: on disk (Fsync, the default), or in the memory of the in-sync replicas, which on one node is its page cache.
	Durability partition.Durability

	// KafkaListen and HTTPListen are host:port; empty opens no socket. Port 0 takes any free one.
	KafkaListen, HTTPListen string
	// InsecureListen allows addresses off loopback although there is neither TLS nor authentication.
	InsecureListen bool
	// NextFreePort takes one of the next ports when a port is taken, instead of failing.
	NextFreePort bool

	// DisableAutoCreateTopics refuses to make a topic because a client's metadata request names it.
	DisableAutoCreateTopics bool
	// DefaultPartitions is the partition count of a topic made without one; zero is 1.
	DefaultPartitions int32
	// OffsetsPartitions is the partition count of __consumer_offsets, fixed when it is first made; zero is DefaultOffsetsPartitions.
	OffsetsPartitions int32
	// InitialRebalanceDelay is how long a new consumer group waits for more members.
	InitialRebalanceDelay time.Duration
	// Static are node-wide values by Kafka's names ("log.retention.ms"): the defaults of topics.
	Static map[string]string

	// Logger gets transitions and errors, never records; nil discards.
	Logger *slog.Logger

	// FS replaces the real disk below Dir for the log's files; for tests. Raft keeps its own files in Dir all the same.
	FS disk.FS
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("cannot start a node without a data directory")
	}
	if c.NodeID < 0 {
		return c, fmt.Errorf("cannot start a node with id %d: it must be 0 or more", c.NodeID)
	}
	if c.OffsetsPartitions == 0 {
		c.OffsetsPartitions = DefaultOffsetsPartitions
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// static is Static with the fields that have a name of Kafka's.
func (c Config) static() map[string]string {
	values := map[string]string{
		"auto.create.topics.enable":        strconv.FormatBool(!c.DisableAutoCreateTopics),
		"offsets.topic.num.partitions":     strconv.Itoa(int(c.OffsetsPartitions)),
		"group.initial.rebalance.delay.ms": strconv.FormatInt(c.InitialRebalanceDelay.Milliseconds(), 10),
	}
	if c.DefaultPartitions > 0 {
		values["num.partitions"] = strconv.Itoa(int(c.DefaultPartitions))
	}
	maps.Copy(values, c.Static)
	return values
}

// hostPort splits the address of a listener as clients should see it: an unspecified host becomes this machine's name.
func hostPort(addr net.Addr) (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", 0, fmt.Errorf("cannot read the address %s: %w", addr, err)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > math.MaxUint16 {
		return "", 0, fmt.Errorf("cannot read the port of %s", addr)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", 0, fmt.Errorf("cannot tell clients where %s is: %w", addr, err)
		}
	}
	return host, int32(n), nil
}

// flushers is how many logs are synced at once: a disk merges a few, and more only queue.
func flushers() int { return max(2, runtime.GOMAXPROCS(0)) }
