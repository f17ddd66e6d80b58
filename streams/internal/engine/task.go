package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/streams/topology"
)

// TaskID names a task: a part of the topology and a partition.
type TaskID struct {
	Subtopology int
	Partition   int32
}

func (id TaskID) String() string { return fmt.Sprintf("%d_%d", id.Subtopology, id.Partition) }

// Collector takes what a task writes. The Output and its bytes belong to the task again when Send returns.
type Collector interface {
	Send(out *Output) error
}

// WholeTopology as a TaskConfig's Subtopology runs all parts of the topology in one task, for tests.
const WholeTopology = -1

// TaskConfig is what a task needs from its surroundings.
type TaskConfig struct {
	ID            TaskID
	ApplicationID string
	Collector     Collector
	Context       context.Context // what Try functions get; nil is context.Background
	Globals       *Globals        // nil if the program has no global table
	Now           func() int64    // wall clock in ms; only punctuators and Context.SystemTime ask for it
	OnDecode      Handler         // for bytes that cannot be decoded; default Fail
	OnProcess     Handler         // for errors of Try functions and processors; default Fail
	OnEncode      Handler         // for values that cannot be encoded; default Fail
}

func (c *TaskConfig) onError(s Stage) Handler {
	switch s {
	case Decoding:
		return c.OnDecode
	case Encoding:
		return c.OnEncode
	}
	return c.OnProcess
}

// Task runs one subtopology on one partition. One goroutine owns it; it starts none, takes no lock and reads no clock but
// TaskConfig.Now.
type Task struct {
	id      TaskID
	program *Program
	cfg     TaskConfig
	queues  []*queue
	byInput map[inputID]*queue
	stores  []*taskStore // in the order of the topology
	byName  map[string]*taskStore
	clocks  []*clock // in the order of compilation
	loaded  map[string]int64
	starts  []func() error
	closers []func() error
	sched   schedule
	sites   []*Site // of all nodes
	at      *Site   // the node at work, for panics

	streamTime int64    // highest event time taken so far, -1 at first; never falls
	cur        *Input   // the record in work, or idle
	idle       *Input   // stands for no record, while punctuators run
	headers    []Header // of the record in work; what sinks write
	scratch    Scratch
	out        Output
}

// NewTask compiles the program for one task. Its stores are empty: Restore them from their changelogs, then call Start.
func NewTask(p *Program, cfg TaskConfig) (*Task, error) {
	t := &Task{
		id: cfg.ID, program: p, cfg: cfg, streamTime: -1, idle: &Input{Partition: cfg.ID.Partition, Offset: -1},
		byInput: make(map[inputID]*queue), byName: make(map[string]*taskStore),
	}
	t.cur = t.idle
	t.scratch.reset()
	b := &Build{task: t, ctx: cfg.Context, shared: make(map[any]any)}
	if b.ctx == nil {
		b.ctx = context.Background()
	}
	for _, sub := range p.Graph.Subtopologies() {
		if sub.Global || (cfg.ID.Subtopology != WholeTopology && cfg.ID.Subtopology != sub.ID) {
			continue
		}
		for _, s := range sub.Stores {
			if err := t.addStore(s); err != nil {
				return nil, err
			}
		}
		for _, n := range sub.Nodes {
			if n.Kind != topology.KindSource {
				continue
			}
			source := p.sources[n.Name]
			site := b.site(source.Node)
			take := source.compile(b, site)
			for _, topic := range n.Topics {
				t.addQueue(t.topic(p.Graph, topic), site, take, p.stamps[n.Name])
			}
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	if len(t.queues) == 0 {
		return nil, fmt.Errorf("cannot make task %s: the topology has no such part", t.id)
	}
	return t, nil
}

// topic is the full name of a topic of the program: internal ones carry the application id.
func (t *Task) topic(g *topology.Graph, name string) string {
	if g.Repartition(name) != nil {
		return t.cfg.ApplicationID + "-" + name
	}
	return name
}

// ID is the task's name.
func (t *Task) ID() TaskID { return t.id }

// StreamTime is the highest event time the task has taken so far in ms, -1 at first.
func (t *Task) StreamTime() int64 { return t.streamTime }

// Topics are the full names of the topics the task reads.
func (t *Task) Topics() []string {
	var topics []string
	for _, q := range t.queues {
		topics = append(topics, q.id.topic)
	}
	return topics
}

// Close ends the task's processors in the reverse order of their creation. It neither flushes nor commits.
func (t *Task) Close() error {
	var first error
	for _, c := range slices.Backward(t.closers) {
		if err := c(); err != nil && first == nil {
			first = err
		}
	}
	t.closers = nil
	return first
}

// Process takes the record with the lowest timestamp among the heads of the task's queues and runs it through the topology.
// It reports false when no queue has a record. An error leaves the task unusable: close it and start from the last commit.
func (t *Task) Process() (bool, error) {
	q := t.choose()
	if q == nil {
		return false, nil
	}
	return true, t.process(q)
}

// ProcessAll runs at most limit records and returns their number.
func (t *Task) ProcessAll(limit int) (int, error) {
	for n := range limit {
		more, err := t.Process()
		if err != nil || !more {
			return n, err
		}
	}
	return limit, nil
}

func (t *Task) process(q *queue) error {
	if q.failed != nil {
		return q.failed
	}
	in, at := q.take()
	t.cur, t.headers = in, in.Headers
	if !validTime(at) {
		return &RecordError{
			Task: t.id, Node: q.site.name, Stage: Decoding, Topic: in.Topic, Partition: in.Partition, Offset: in.Offset,
			Err: fmt.Errorf("%w: %d", ErrInvalidTimestamp, at),
		}
	}
	q.time = max(q.time, at)
	t.scratch.buf = t.scratch.buf[:0]
	if cap(t.scratch.buf) > scratchBytesKept {
		t.scratch.reset()
	}
	advanced := at > t.streamTime
	if advanced {
		t.streamTime = at
	}
	t.at = q.site
	if err := t.run(q, in, at); err != nil {
		return err
	}
	q.position = in.Offset + 1
	if q.stamp != nil {
		t.stampHead(q)
	}
	if advanced && t.sched.hasStreamTime() {
		return t.punctuate(StreamTime, t.streamTime)
	}
	return nil
}

// run takes one record through the topology. It is where a panic in a function of the user becomes an error.
func (t *Task) run(q *queue, in *Input, at int64) (err error) {
	defer t.recovered(&err)
	return q.source(in, at)
}

// Punctuate runs the wall-clock punctuators that are due at now, in ms.
func (t *Task) Punctuate(now int64) error { return t.punctuate(WallClock, now) }
