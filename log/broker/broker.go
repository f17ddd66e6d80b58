package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// Limits of one request. Each is a soft limit in Kafka's sense where it says so.
const (
	// DefaultFetchMaxBytes bounds the records of one fetch reply, whatever the client asks for (soft: the first batch is sent whole).
	DefaultFetchMaxBytes = 55 << 20
	// DefaultMaxFetchSessions is how many incremental fetch sessions are kept (KIP-227).
	DefaultMaxFetchSessions = 1000
	// maxFetchWait bounds how long a fetch may be parked.
	maxFetchWait = 5 * time.Minute
	// maxProduceWait bounds how long a produce may wait for its high watermark.
	maxProduceWait = 5 * time.Minute
	// maxAdminWait bounds a metadata change.
	maxAdminWait = 60 * time.Second
)

// Config is what a broker is made of. Quorum, Directory and FS are required.
type Config struct {
	NodeID    int32
	Quorum    *metadata.Quorum
	Directory *partition.Directory
	FS        disk.FS // the data directory: the broker keeps its mark of made topics there
	Logger    *slog.Logger

	// Now is the wall clock in use; nil is time.Now.
	Now func() time.Time
	// FetchMaxBytes and MaxFetchSessions: zero is the default.
	FetchMaxBytes    int
	MaxFetchSessions int
}

// Broker serves the Kafka API of one node. It is a [wire.Handler]; safe for concurrent use.
type Broker struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	leaders  *leaders
	groups   *coordinator.Host
	sessions *sessions
	ids      producerIDs
	table    map[int16]api

	offsetsTopic struct {
		sync.Mutex // held while __consumer_offsets is being made, so that it is made once
	}
}

// New makes a broker over an open quorum and directory and starts to lead this node's partitions. It returns once every partition is loaded, or known to be offline.
func New(cfg Config) (*Broker, error) {
	if cfg.Quorum == nil || cfg.Directory == nil || cfg.FS == nil {
		return nil, errors.New("cannot make a broker without quorum, directory and file system")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.FetchMaxBytes == 0 {
		cfg.FetchMaxBytes = DefaultFetchMaxBytes
	}
	if cfg.MaxFetchSessions == 0 {
		cfg.MaxFetchSessions = DefaultMaxFetchSessions
	}
	b := &Broker{cfg: cfg, log: cfg.Logger, now: cfg.Now}
	b.ids.quorum = cfg.Quorum
	b.sessions = newSessions(cfg.MaxFetchSessions, cfg.Now)
	b.table = apiTable()
	b.groups = newGroups(b)
	b.leaders = newLeaders(cfg, b.groups)
	if err := b.leaders.start(); err != nil {
		b.groups.Close()
		return nil, fmt.Errorf("cannot start the broker: %w", err)
	}
	return b, nil
}

// Close stops leading: parked requests are answered, coordinators resign. The quorum and the directory stay open: they are the node's.
func (b *Broker) Close() {
	b.leaders.stop()
	b.groups.Close()
}

// Serve answers one request; it is called by wire.
func (b *Broker) Serve(ctx context.Context, r *wire.Request) (wire.Reply, error) {
	a, ok := b.table[r.Key]
	if !ok {
		return wire.Reply{}, fmt.Errorf("cannot serve API key %d: unknown", r.Key)
	}
	if r.Version < a.min || r.Version > a.max {
		if a.unsupported == nil {
			return wire.Reply{}, fmt.Errorf("cannot serve %s v%d: served are v%d to v%d", a.name, r.Version, a.min, a.max)
		}
		return a.unsupported(b, ctx, r)
	}
	return a.serve(b, ctx, r)
}
