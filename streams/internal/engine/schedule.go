package engine

import (
	"fmt"
	"slices"
)

// Clock says what drives a punctuator.
type Clock uint8

const (
	StreamTime Clock = iota // event time of the task: aligned to 0, fires when a record advances it
	WallClock               // fires between batches, first one interval after it was scheduled
)

// schedule holds a task's punctuators in order of creation.
type schedule struct {
	list   []*punctuator
	made   int  // ever; the numbers in the names of clocks
	walked bool // by punctuate
}

type punctuator struct {
	clock     Clock
	interval  int64 // ms
	next      *clock
	cancelled bool
	run       func(at int64) error
}

func (s *schedule) hasStreamTime() bool {
	for _, p := range s.list {
		if p.clock == StreamTime {
			return true
		}
	}
	return false
}

// add schedules run every interval ms. The next stream time at which it is due is committed, so that a restart does not
// fire it twice.
func (t *Task) schedule(node string, kind Clock, interval int64, run func(at int64) error) (cancel func(), err error) {
	if interval <= 0 {
		return nil, fmt.Errorf("cannot schedule punctuator of %s: its interval is %d ms", node, interval)
	}
	p := &punctuator{clock: kind, interval: interval, run: run}
	if kind == StreamTime {
		p.next = t.clock(fmt.Sprintf("%s/punctuator-%d", node, t.sched.made), 0)
	} else {
		p.next = &clock{value: t.cfg.Now() + interval}
	}
	t.sched.made++
	t.sched.list = append(t.sched.list, p)
	return func() { t.cancel(p) }, nil
}

// cancel forgets a punctuator and its clock.
func (t *Task) cancel(p *punctuator) {
	if p.cancelled {
		return
	}
	p.cancelled = true
	t.clocks = slices.DeleteFunc(t.clocks, func(c *clock) bool { return c == p.next })
	t.sched.tidy()
}

// tidy drops cancelled punctuators, unless the list is being walked through.
func (s *schedule) tidy() {
	if !s.walked {
		s.list = slices.DeleteFunc(s.list, func(p *punctuator) bool { return p.cancelled })
	}
}

// punctuate fires what is due at now: once each, even if several intervals have passed; the next time stays on the grid.
func (t *Task) punctuate(kind Clock, now int64) error {
	t.sched.walked = true
	defer func() {
		t.sched.walked = false
		t.sched.tidy()
	}()
	for i := 0; i < len(t.sched.list); i++ { // a punctuator may schedule others
		p := t.sched.list[i]
		if p.clock != kind || p.cancelled || now < p.next.value {
			continue
		}
		t.cur, t.headers = t.idle, nil
		t.scratch.buf = t.scratch.buf[:0]
		due := p.next.value
		p.next.value = due + ((now-due)/p.interval+1)*p.interval
		if err := t.runPunctuator(p, now); err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) runPunctuator(p *punctuator, now int64) (err error) {
	defer t.recovered(&err)
	return p.run(now)
}
