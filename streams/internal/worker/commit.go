package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

const (
	// commitRetry is the pause after a commit that came in the midst of a rebalance.
	commitRetry = 50 * time.Millisecond
	// purgeTimeout bounds one cutting of repartition topics.
	purgeTimeout = 5 * time.Second
)

// errLater is a commit that failed in a way that may pass: in a rebalance, or because the log is away.
var errLater = errors.New("commit put off")

// commit makes everything durable that the running tasks have done, in the one order that loses nothing (trap 37): outputs,
// changelogs, offsets, each in the log before the next is written. A changelog ahead of the outputs would, after a crash, hold
// the results that left a buffer or a window as done, though nobody has seen them. All tasks of the worker are in one commit.
// errLater: the offsets could not be committed now; errMigrated: somebody else may have the tasks.
func (w *worker) commit() error {
	ctx, cancel := context.WithTimeout(w.hard, commitTimeout)
	defer cancel()
	now := time.Now()
	w.committedAt = now
	moved, offsets, err := w.moved()
	if err != nil {
		return err
	}
	if len(offsets) == 0 && !w.dirty() {
		w.failingFrom = time.Time{}
		return w.producer.err()
	}
	if err := w.probe(ctx, now); err != nil {
		return w.commitError(err)
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.group.Commit(ctx, offsets); err != nil {
		return w.commitError(err)
	}
	w.failingFrom = time.Time{}
	if len(offsets) == 0 {
		return nil
	}
	for t, positions := range moved {
		t.committed = positions
	}
	w.numbers.Commits++
	w.numbers.Uncommitted = 0
	w.contact = time.Now()
	return nil
}

// moved are the positions that have changed since the last commit.
func (w *worker) moved() (map[*task][]engine.Position, map[client.TopicPartition]client.OffsetAndMetadata, error) {
	moved := make(map[*task][]engine.Position)
	offsets := make(map[client.TopicPartition]client.OffsetAndMetadata)
	for _, t := range w.order {
		if positions := t.moved(); len(positions) > 0 {
			if err := t.checkMetadata(); err != nil {
				return nil, nil, err
			}
			moved[t] = positions
			addOffsets(offsets, positions)
		}
	}
	return moved, offsets, nil
}

// dirty reports whether there is something to write, offsets apart: punctuators work without input.
func (w *worker) dirty() bool {
	return w.producer.dirty || slices.ContainsFunc(w.order, func(t *task) bool { return t.Dirty() })
}

// flush brings the outputs into the log, then the changelogs.
func (w *worker) flush(ctx context.Context) error {
	if err := w.producer.flush(ctx); err != nil {
		return fmt.Errorf("cannot commit outputs: %w", err)
	}
	for _, t := range w.order {
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if err := w.producer.flush(ctx); err != nil {
		return fmt.Errorf("cannot commit changelogs: %w", err)
	}
	return nil
}

func addOffsets(offsets map[client.TopicPartition]client.OffsetAndMetadata, positions []engine.Position) {
	for _, p := range positions {
		offsets[client.TopicPartition{Topic: p.Topic, Partition: p.Partition}] = client.OffsetAndMetadata{
			Offset: p.Offset, LeaderEpoch: -1, Metadata: p.Metadata,
		}
	}
}

// probe asks, after a silence in which the session may have ended (a stopped process, a frozen machine), whether the tasks are
// still this member's, by committing again what is committed. Without it the changelog records of a zombie could follow those
// of the next owner. Polls do not break the silence: a process that was frozen in one comes out of it as if nothing had been.
func (w *worker) probe(ctx context.Context, now time.Time) error {
	if now.Sub(w.contact) < sessionTimeout/2 {
		return nil
	}
	offsets := make(map[client.TopicPartition]client.OffsetAndMetadata)
	for _, t := range w.order {
		addOffsets(offsets, t.committed)
	}
	if err := w.group.Commit(ctx, offsets); err != nil || len(offsets) == 0 {
		return err
	}
	w.contact = time.Now()
	return nil
}

// commitError says what follows from a commit that failed.
func (w *worker) commitError(err error) error {
	now := time.Now()
	broker, answered := errors.AsType[*client.BrokerError](err)
	switch {
	case errors.Is(err, client.ErrRebalance):
		w.committedAt = now.Add(commitRetry - w.cfg.CommitInterval)
		return fmt.Errorf("%w: %w", errLater, err)
	case errors.Is(err, client.ErrFenced):
		return w.pollError(err)
	case errors.Is(err, client.ErrUnknownMember), errors.Is(err, client.ErrIllegalGeneration), errors.Is(err, client.ErrNotAssigned):
		return fmt.Errorf("%w: %w", errMigrated, err)
	case answered && !broker.Retriable:
		return err
	}
	if now.Sub(since(&w.failingFrom, now)) > commitTimeout {
		return fmt.Errorf("commits have failed for %v: %w", commitTimeout, err)
	}
	w.log.Warn("cannot commit, trying on", "err", err)
	return fmt.Errorf("%w: %w", errLater, err)
}

// purge cuts repartition topics below what is committed: nobody else reads them (trap 39).
func (w *worker) purge(now time.Time) {
	if now.Sub(w.purgedAt) < w.cfg.PurgeInterval {
		return
	}
	w.purgedAt = now
	below := make(map[client.TopicPartition]int64)
	for _, t := range w.order {
		for _, p := range t.committed {
			tp := client.TopicPartition{Topic: p.Topic, Partition: p.Partition}
			if w.producer.own[p.Topic] && p.Offset > w.purged[tp] {
				below[tp] = p.Offset
			}
		}
	}
	if len(below) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(w.hard, purgeTimeout)
	defer cancel()
	deleted, err := w.cfg.Log.Admin().DeleteRecords(ctx, below)
	for tp, d := range deleted {
		if d.Err != nil {
			err = d.Err
			continue
		}
		w.purged[tp] = d.LogStart
	}
	if err != nil {
		w.log.Warn("cannot purge repartition topics, trying again later", "err", err)
	}
}
