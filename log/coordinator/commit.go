package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/log/record"
)

// startLoading reads the log into the machine on a goroutine of its own, unless the shard was stopped already.
func (s *shard) startLoading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase != loading {
		return
	}
	machine := s.mu.machine
	s.loads.Go(func() {
		start := s.host.cfg.Now()
		end, err := s.load(machine)
		s.loaded(end, err, start)
	})
}

// loaded begins to serve.
func (s *shard) loaded(end int64, err error, start time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase != loading {
		return
	}
	if err != nil {
		s.failLocked(fmt.Errorf("cannot load %s: %w", s.name(), err))
		return
	}
	s.mu.end = end
	s.mu.phase = serving
	now := s.host.cfg.Now()
	s.reportLocked(s.commitLocked(s.mu.machine.Tick(now)))
	s.rearmLocked(0)
	s.host.cfg.Logger.Debug("coordinator loaded", "partition", s.name(), "end", end, "took", now-start)
}

// load applies the whole log. Till it returns, only its goroutine touches the machine.
func (s *shard) load(machine Machine) (end int64, err error) {
	return s.log.Read(0, func(b record.Batch) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if b.Control() {
			return nil
		}
		for r, err := range b.Records(0) {
			if err != nil {
				return err
			}
			// The machine keeps what it applies, the batch is the log's.
			kept := Record{Key: append([]byte{}, r.Key...)}
			if r.Value != nil {
				kept.Value = append([]byte{}, r.Value...)
			}
			if err := machine.Apply(kept, r.Offset); err != nil {
				return fmt.Errorf("cannot apply the record at offset %d: %w", r.Offset, err)
			}
		}
		return nil
	})
}

// failLocked stops serving because the state is in doubt.
func (s *shard) failLocked(cause error) {
	s.host.cfg.Logger.Error("coordinator stopped serving a partition", "partition", s.name(), "error", cause)
	s.mu.phase, s.mu.cause = failed, cause
	for token := range s.mu.waiting {
		s.deliverLocked(token, outcome{err: fmt.Errorf("%w: %w", ErrUnavailable, cause)})
	}
}

// commitLocked appends and applies the records, batch by batch, and hands out the replies. If an append fails, nothing of that batch and of those
// after it is applied, and the replies become the error. What was appended is applied: a restart would find it, too.
func (s *shard) commitLocked(e Effects) error {
	for records := e.Records; len(records) > 0; {
		n, err := s.appendLocked(records)
		if err != nil {
			s.refuseLocked(e.Replies, err)
			return err
		}
		records = records[n:]
	}
	for _, reply := range e.Replies {
		s.deliverLocked(reply.Token, outcome{response: reply.Response, end: s.mu.end})
	}
	return nil
}

// refuseLocked answers with the error of the append instead, and tells the machine that these replies were not sent.
func (s *shard) refuseLocked(replies []Reply, err error) {
	for _, reply := range replies {
		s.deliverLocked(reply.Token, outcome{err: err})
		if s.mu.phase != serving {
			continue
		}
		for _, other := range s.mu.machine.Cancel(s.host.cfg.Now(), reply.Token).Replies {
			s.deliverLocked(other.Token, outcome{response: other.Response, end: s.mu.end})
		}
	}
}

// appendLocked appends one batch of at most BatchBytes (but of one record at least), applies it and returns how many records it took.
func (s *shard) appendLocked(records []Record) (int, error) {
	builder := s.mu.builder
	builder.Reset(record.BuilderConfig{LeaderEpoch: s.epoch})
	timestamp := s.host.cfg.Wall().UnixMilli()
	for i, r := range records {
		if i > 0 && builder.Size()+len(r.Key)+len(r.Value) > s.host.cfg.BatchBytes {
			break
		}
		builder.Add(timestamp, r.Key, r.Value)
	}
	n := builder.Count()
	batch, err := builder.Build()
	if err != nil {
		return 0, fmt.Errorf("%w: cannot build a batch for %s: %w", ErrTooLarge, s.name(), err)
	}
	end, err := s.log.Append(batch)
	if err != nil {
		return 0, s.refused(err)
	}
	s.mu.end = end
	for i, r := range records[:n] {
		if err := s.mu.machine.Apply(r, end-int64(n)+int64(i)); err != nil {
			s.failLocked(fmt.Errorf("cannot apply an own record: %w", err))
			return 0, fmt.Errorf("%w: %w", ErrUnavailable, s.mu.cause)
		}
	}
	return n, nil
}

// refused says what a failed append means to the client.
func (s *shard) refused(err error) error {
	err = fmt.Errorf("cannot append to %s: %w", s.name(), err)
	if errors.Is(err, ErrNotCoordinator) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// deliverLocked hands a request its outcome. Tokens that nobody waits for any more are passed over: a machine may answer a client that is gone.
func (s *shard) deliverLocked(token uint64, o outcome) {
	ch, ok := s.mu.waiting[token]
	if !ok {
		return
	}
	delete(s.mu.waiting, token)
	ch <- o // it has room for the one outcome
}
