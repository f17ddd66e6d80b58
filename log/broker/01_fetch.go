package broker

import (
	"context"
	"fmt"
	"time"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/replica"
	"github.com/millrace/millrace/log/wire"
)

// Fetch (1), v4 to v18.
//
//	v7  sessions (KIP-227) · v9 leader epoch · v10 zstd · v12 flexible, diverging epoch · v13 topic ids · v15 replica state (ignored: who is
//	    on this listener is a consumer, CVE-2018-1288) · v16 node endpoints: none, this node is the only one · v18 follower's high watermark
//
// Consumers read to the high watermark. Isolation is the same in both levels while there are no transactions.

// zstdFetchVersion is the first version whose readers know zstd.
const zstdFetchVersion = 10

var errZstdReader = fmt.Errorf("%w: the records are compressed with zstd, which needs Fetch v%d", kerr.UnsupportedCompressionType, zstdFetchVersion)

// fetchKey names a partition as the request does: by name, or from v13 on by id.
type fetchKey struct {
	name  string
	id    uuid.UUID
	index int32
}

// fetchPart is one partition that a fetch asks for.
type fetchPart struct {
	key              fetchKey
	offset           int64
	maxBytes         int32
	leaderEpoch      int32 // -1 unknown
	lastFetchedEpoch int32 // -1 unknown
}

// fetched is the answer for one partition.
type fetched struct {
	part          fetchPart
	code          int16
	highWatermark int64
	stable        int64
	start         int64
	divergeEpoch  int32 // -1 without divergence
	divergeEnd    int64
	region        partition.Region

	leader *replica.Leader // nil with an error
}

// fetchRequest is a decoded fetch with its session applied.
type fetchRequest struct {
	version  int16
	parts    []fetchPart
	minBytes int
	maxBytes int
	wait     time.Duration
	session  *fetchSession // nil when sessionless
	full     bool          // the reply carries every partition
}

func (b *Broker) fetch(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.FetchRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	f, kafka := b.sessions.begin(req)
	if kafka != nil {
		return fetchFrame(req.Version, kafka.Code, 0, nil)
	}
	f.maxBytes = min(max(f.maxBytes, 0), b.cfg.FetchMaxBytes)
	answers, done := b.readAll(f)
	if done || f.wait <= 0 {
		return f.finish(answers)
	}
	release(answers)
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		answers, err := b.awaitData(ctx, f)
		if err != nil {
			return wire.Reply{}, err
		}
		return f.finish(answers)
	}}, nil
}

// awaitData reads again whenever a partition moved, until there is enough or the wait is over.
func (b *Broker) awaitData(ctx context.Context, f *fetchRequest) ([]fetched, error) {
	watcher := replica.NewWatcher()
	timer := time.NewTimer(f.wait)
	defer timer.Stop()
	watched := make(map[*replica.Leader]struct{}, len(f.parts))
	defer func() {
		for l := range watched {
			l.Unwatch(watcher)
		}
	}()
	for {
		answers, done := b.readAll(f)
		if done {
			return answers, nil
		}
		moved := false // a log start, between the look at it and the watch
		for i := range answers {
			if l := answers[i].leader; l != nil {
				watched[l] = struct{}{}
				l.Watch(watcher, answers[i].highWatermark+1)
				moved = moved || l.Log().Start() > answers[i].start
			}
		}
		release(answers)
		if moved {
			continue
		}
		select {
		case <-watcher.C:
		case <-timer.C:
			answers, _ := b.readAll(f)
			return answers, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// readAll reads every partition in order. done means that the reply must not wait: enough bytes, an error, or a divergence.
func (b *Broker) readAll(f *fetchRequest) (answers []fetched, done bool) {
	image := b.cfg.Quorum.Image()
	answers = make([]fetched, len(f.parts))
	size := 0
	for i, part := range f.parts {
		a := &answers[i]
		a.part, a.divergeEpoch = part, -1
		a.highWatermark, a.stable, a.start = -1, -1, -1
		left := min(f.maxBytes-size, int(part.maxBytes))
		err := b.readPart(image, f, a, left, size == 0)
		if err != nil {
			a.code, a.leader = code(err), nil
		}
		if err != nil || a.divergeEpoch >= 0 {
			done = true
		}
		size += a.region.Size()
	}
	return answers, done || size >= f.minBytes
}

// readPart reads one partition; atLeastOne lets the first batch of the reply exceed left (KIP-74).
func (b *Broker) readPart(image *metadata.Image, f *fetchRequest, a *fetched, left int, atLeastOne bool) error {
	t, err := topicRef{a.part.key.name, a.part.key.id, f.version >= 13}.resolve(image)
	if err != nil {
		return err
	}
	leader, err := b.leader(t, a.part.key.index)
	if err != nil {
		return err
	}
	if err := checkEpoch(a.part.leaderEpoch, leader.Epoch()); err != nil {
		return err
	}
	log := leader.Log()
	a.highWatermark, a.stable, a.start = leader.HighWatermark(), leader.LastStable(), log.Start()
	if err := log.Err(); err != nil {
		return err
	}
	if a.part.offset < a.start {
		return a.outOfRange(log)
	}
	if a.part.lastFetchedEpoch >= 0 {
		epoch, end := log.EpochEnd(a.part.lastFetchedEpoch)
		if end < 0 { // this log never had such an epoch: nothing to compare with
			return a.outOfRange(log)
		}
		if epoch < a.part.lastFetchedEpoch || end < a.part.offset {
			a.divergeEpoch, a.divergeEnd, a.leader = epoch, end, leader
			return nil
		}
	}
	if a.part.offset > log.End() {
		return a.outOfRange(log)
	}
	a.leader = leader
	if left <= 0 && !atLeastOne || a.part.offset >= a.highWatermark {
		return nil
	}
	region, err := log.Read(a.part.offset, a.highWatermark, max(left, 0), atLeastOne)
	if err != nil {
		return err
	}
	if f.version < zstdFetchVersion && carriesZstd(region) {
		region.Release()
		return errZstdReader
	}
	a.region = region
	return nil
}

func (a *fetched) outOfRange(log *partition.Log) error {
	return &partition.RangeError{Offset: a.part.offset, Start: a.start, End: log.End()}
}

// checkEpoch compares the epoch a client knows (-1: none) with ours (KIP-320).
func checkEpoch(theirs, ours int32) error {
	switch {
	case theirs < 0 || theirs == ours:
		return nil
	case theirs < ours:
		return fmt.Errorf("%w: the leader epoch is %d, not %d", kerr.FencedLeaderEpoch, ours, theirs)
	default:
		return fmt.Errorf("%w: the leader epoch is %d, not %d", kerr.UnknownLeaderEpoch, ours, theirs)
	}
}

// carriesZstd looks at the headers of the batches of a region; only readers of old versions pay for it.
func carriesZstd(region partition.Region) bool {
	header := make([]byte, record.HeaderBytes)
	for at := 0; at+record.HeaderBytes <= region.Size(); {
		if _, err := region.ReadAt(header, int64(at)); err != nil {
			return false // the reply's own read will say so
		}
		batch := record.Batch(header)
		if batch.Codec() == record.Zstd {
			return true
		}
		size, err := record.Size(header)
		if err != nil {
			return false
		}
		at += int(size)
	}
	return false
}

// release gives back what an answer that is not sent holds.
func release(answers []fetched) {
	for i := range answers {
		answers[i].region.Release()
	}
}

// finish builds the reply: with an incremental session only what changed.
func (f *fetchRequest) finish(answers []fetched) (wire.Reply, error) {
	id := int32(0)
	if f.session != nil {
		id = f.session.id
		answers = f.session.finish(answers, f.full)
	}
	return fetchFrame(f.version, 0, id, answers)
}
