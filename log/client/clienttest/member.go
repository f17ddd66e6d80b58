package clienttest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/millrace/millrace/log/client"
)

// member polls in a goroutine of its own, as a worker would, and lets the test look at it.
type member struct {
	g    *client.Group
	stop context.CancelFunc
	done chan struct{}
	cmds chan func()

	mu struct {
		sync.Mutex
		assigned    []client.TopicPartition
		last        client.Assigned
		assignments int
		revoked     int
		lost        int
		records     []client.Record
		errs        []error
	}
}

// join starts a member; the test ends it.
func (s *suite) join(cfg client.GroupConfig) *member {
	s.Helper()
	m := &member{done: make(chan struct{}), cmds: make(chan func())}
	user := cfg.OnRevoked
	cfg.OnAssigned = func(a client.Assigned) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.mu.assigned = m.g.Assigned()
		m.mu.last = a
		m.mu.assignments++
	}
	cfg.OnRevoked = func(tps []client.TopicPartition) {
		if user != nil {
			user(tps)
		}
		m.drop(tps, func() { m.mu.revoked++ })
	}
	cfg.OnLost = func(tps []client.TopicPartition) { m.drop(tps, func() { m.mu.lost++ }) }
	if cfg.HeartbeatInterval == 0 {
		cfg.HeartbeatInterval = 5 * pace // the other members of a rebalance hear of it in a heartbeat
	}
	g, err := s.c.JoinGroup(cfg)
	s.must(err)
	m.g = g
	ctx, cancel := context.WithCancel(s.ctx)
	m.stop = cancel
	go m.run(ctx)
	s.Cleanup(func() { m.halt(); g.Close() })
	return m
}

func (m *member) drop(tps []client.TopicPartition, count func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.assigned = slices.DeleteFunc(m.mu.assigned, func(tp client.TopicPartition) bool { return slices.Contains(tps, tp) })
	count()
}

func (m *member) run(ctx context.Context) {
	defer close(m.done)
	for {
		pollCtx, cancel := context.WithTimeout(ctx, 5*pace)
		fetched, err := m.g.Poll(pollCtx)
		cancel()
		m.note(fetched, err)
		if errors.Is(err, client.ErrClosed) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case cmd := <-m.cmds:
			cmd()
		default:
		}
	}
}

func (m *member) note(fetched []client.Fetched, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range fetched {
		m.mu.records = append(m.mu.records, f.Records...)
		if f.Err != nil {
			m.mu.errs = append(m.mu.errs, f.Err)
		}
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		m.mu.errs = append(m.mu.errs, err)
	}
}

// halt stops polling, so that the test's goroutine may use the group.
func (m *member) halt() {
	m.stop()
	<-m.done
}

// do runs fn between two polls.
func (m *member) do(s *suite, fn func()) {
	s.Helper()
	ran := make(chan struct{})
	select {
	case m.cmds <- func() { defer close(ran); fn() }:
		<-ran
	case <-m.done:
		s.Fatal("the member has stopped")
	case <-s.ctx.Done():
		s.Fatal("the member does not come back from a poll")
	}
}

func (m *member) partitions() []client.TopicPartition {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mu.assigned)
}

func (m *member) last() client.Assigned {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.last
}

func (m *member) counts() (assignments, revoked, lost, records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.assignments, m.mu.revoked, m.mu.lost, len(m.mu.records)
}

// sawError reports whether a poll, or a partition of it, ended in an error that is want.
func (m *member) sawError(want error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.mu.errs, func(err error) bool { return errors.Is(err, want) })
}

// awaitShares waits until the members hold exactly all partitions of the topic, each at least one.
func (s *suite) awaitShares(topic string, partitions int, members ...*member) {
	s.Helper()
	s.await("all partitions are shared", func() bool {
		count := 0
		held := make(map[client.TopicPartition]bool)
		for _, m := range members {
			tps := m.partitions()
			if len(tps) == 0 {
				return false
			}
			for _, tp := range tps {
				count++
				held[tp] = true
			}
		}
		return count == partitions && len(held) == partitions
	})
}
