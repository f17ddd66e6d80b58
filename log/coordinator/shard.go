package coordinator

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

type phase int

const (
	loading phase = iota
	serving
	failed // it could not be loaded, or a record could not be applied
	stopped
)

// outcome is what a waiting request gets: a response, to be sent once the high watermark is at end (at once if end is 0), or an error.
type outcome struct {
	response kmsg.Response
	end      int64
	err      error
}

// shard is one partition in one leader epoch.
type shard struct {
	host      *Host
	partition int32
	epoch     int32
	log       Log

	ctx    context.Context // ends with the shard
	cancel context.CancelFunc
	loads  sync.WaitGroup
	next   atomic.Int64 // when tick has something to do

	mu struct {
		sync.Mutex
		phase   phase
		cause   error // why it failed
		machine Machine
		builder *record.Builder
		end     int64 // log end: everything below is applied
		token   uint64
		waiting map[uint64]chan<- outcome // one per request in submit, so the callers bound it
	}
}

func newShard(h *Host, partition, epoch int32, log Log) *shard {
	s := &shard{host: h, partition: partition, epoch: epoch, log: log}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.next.Store(int64(never))
	s.mu.machine = h.cfg.New()
	s.mu.builder = record.NewBuilder(record.BuilderConfig{LeaderEpoch: epoch})
	s.mu.waiting = map[uint64]chan<- outcome{}
	return s
}

func (s *shard) name() string { return fmt.Sprintf("%s-%d", s.host.cfg.Topic, s.partition) }

func (s *shard) serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.phase == serving
}

// readyLocked is nil if the machine may be used.
func (s *shard) readyLocked() error {
	switch s.mu.phase {
	case serving:
		return nil
	case loading:
		return ErrLoading
	case failed:
		return fmt.Errorf("%w: %w", ErrUnavailable, s.mu.cause)
	default:
		return ErrNotCoordinator
	}
}

// submit is the whole life of a request: handled, parked perhaps, and answered below the high watermark.
func (s *shard) submit(ctx context.Context, client Client, req kmsg.Request) (kmsg.Response, error) {
	token, ch, err := s.handle(client, req)
	if err != nil {
		return nil, err
	}
	var o outcome
	select {
	case o = <-ch:
	case <-ctx.Done():
		s.forget(token)
		return nil, context.Cause(ctx)
	}
	if o.err != nil {
		return nil, o.err
	}
	if o.end > 0 {
		if err := s.await(ctx, o.end); err != nil {
			return nil, err
		}
	}
	return o.response, nil
}

func (s *shard) handle(client Client, req kmsg.Request) (uint64, <-chan outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(); err != nil {
		return 0, nil, err
	}
	s.mu.token++
	token, ch := s.mu.token, make(chan outcome, 1)
	s.mu.waiting[token] = ch
	effects := s.mu.machine.Handle(s.host.cfg.Now(), token, client, req)
	if err := s.commitLocked(effects); err != nil {
		s.deliverLocked(token, outcome{err: err}) // if the effects did not name it
	}
	s.rearmLocked(0)
	return token, ch, nil
}

// forget tells the machine that the client of the token is gone.
func (s *shard) forget(token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.waiting[token]; !ok {
		return // answered at the same moment
	}
	delete(s.mu.waiting, token)
	if s.readyLocked() != nil {
		return
	}
	s.reportLocked(s.commitLocked(s.mu.machine.Cancel(s.host.cfg.Now(), token)))
	s.rearmLocked(0)
}

// await waits until everything below end is committed, the request's connection dies or the shard stops.
func (s *shard) await(ctx context.Context, end int64) error {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err := s.log.Await(both, end)
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return ErrNotCoordinator
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("%w: cannot commit to %s: %w", ErrUnavailable, s.name(), err)
	}
}

// run carries out what fn wants of the machine; nobody waits for it.
func (s *shard) run(fn func(m Machine, now time.Duration) Effects) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(); err != nil {
		return err
	}
	err := s.commitLocked(fn(s.mu.machine, s.host.cfg.Now()))
	s.rearmLocked(0)
	return err
}

// tick does what is due and returns when the next thing is.
func (s *shard) tick(now time.Duration) time.Duration {
	if at := time.Duration(s.next.Load()); at > now {
		return at
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readyLocked() != nil {
		s.next.Store(int64(never))
		return never
	}
	err := s.commitLocked(s.mu.machine.Tick(now))
	s.reportLocked(err)
	if err != nil {
		s.rearmLocked(now + tickRetry)
	} else {
		s.rearmLocked(0)
	}
	return time.Duration(s.next.Load())
}

// rearmLocked notes when the machine wants to be ticked, but not before earliest, and tells the timer.
func (s *shard) rearmLocked(earliest time.Duration) {
	at := never
	if s.mu.phase == serving {
		if next, ok := s.mu.machine.NextTick(); ok {
			at = max(next, earliest)
		}
	}
	s.next.Store(int64(at))
	s.host.timer.arm(at)
}

// stop ends the shard: the machine answers whom it can, the others get ErrNotCoordinator. It waits for the load.
func (s *shard) stop() {
	s.cancel()
	s.release()
	s.loads.Wait()
}

func (s *shard) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase == serving {
		for _, reply := range s.mu.machine.Unload().Replies {
			s.deliverLocked(reply.Token, outcome{response: reply.Response})
		}
	}
	s.mu.phase = stopped
	s.mu.machine = nil
	s.next.Store(int64(never))
	for token := range s.mu.waiting {
		s.deliverLocked(token, outcome{err: ErrNotCoordinator})
	}
}

func (s *shard) reportLocked(err error) {
	if err != nil {
		s.host.cfg.Logger.Warn("coordinator could not append", "partition", s.name(), "error", err)
	}
}
