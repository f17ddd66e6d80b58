package streamstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
)

// ApplicationID prefixes the names of internal topics in a test.
const ApplicationID = "test"

// Driver runs one topology. It belongs to the test's goroutine.
type Driver struct {
	t         testing.TB
	program   *engine.Program
	task      *engine.Task
	globals   *engine.Globals
	topics    map[string]*topic
	pending   []string // topics that got records the task has not been given yet
	committed []engine.Position
	now       int64
	dropped   map[engine.Drop]int64 // of tasks before the last crash; Count is 0
}

// topic is a log of one partition. Records are kept forever, so that a restart can read them again.
type topic struct {
	records    []engine.Input
	written    []int32 // the partition that a partitioner chose for each, or AnyPartition
	partitions int32   // that partitioners see; 0 is 1
	given      int     // records the task or the globals have been given
	read       int     // records that Output has returned
}

// New starts a topology with empty topics at wall-clock time 0 and closes it when the test ends.
func New(t testing.TB, topo *streams.Topology) *Driver {
	t.Helper()
	d := &Driver{t: t, program: topo.Program(), topics: make(map[string]*topic), dropped: make(map[engine.Drop]int64)}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.task.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// start makes the task from what is committed and what the topics hold.
func (d *Driver) start() error {
	var err error
	if d.globals, err = engine.NewGlobals(d.program); err != nil {
		return err
	}
	d.task, err = engine.NewTask(d.program, engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: ApplicationID, Collector: (*collector)(d),
		Globals: d.globals, Now: func() int64 { return d.now },
	})
	if err != nil {
		return err
	}
	for name, tp := range d.topics {
		if d.globals.Reads(name) {
			for i := range tp.records {
				if err := d.globals.Apply(&tp.records[i]); err != nil {
					return err
				}
			}
		}
	}
	if err := d.task.Expect(d.committed); err != nil {
		return err
	}
	for changelog, store := range d.task.Changelogs() {
		for _, r := range d.topic(changelog).records {
			if err := d.task.Restore(store, r.Key, r.Value, r.Timestamp); err != nil {
				return err
			}
		}
	}
	return d.task.Start(d.committed)
}

func (d *Driver) topic(name string) *topic {
	if d.topics[name] == nil {
		d.topics[name] = new(topic)
	}
	return d.topics[name]
}

// collector is the Driver as the task sees it.
type collector Driver

func (c *collector) Send(out *engine.Output) error {
	d := (*Driver)(c)
	d.append(engine.Input{
		Topic: out.Topic, Timestamp: out.Timestamp, Key: slices.Clone(out.Key), Value: slices.Clone(out.Value),
		Headers: slices.Clone(out.Headers),
	}, out.Partition)
	return nil
}

// Partitions implements engine.PartitionCounter.
func (c *collector) Partitions(topic string) (int32, error) {
	return max(1, (*Driver)(c).topic(topic).partitions), nil
}

// SetPartitions says how many partitions a partitioner sees of a topic that the topology writes; 1 at first. The driver keeps
// the records in one all the same: Record.Partition tells which was chosen.
func (d *Driver) SetPartitions(topic string, n int32) { d.topic(topic).partitions = n }

func (d *Driver) append(in engine.Input, partition int32) {
	tp := d.topic(in.Topic)
	in.Offset = int64(len(tp.records))
	tp.records = append(tp.records, in)
	tp.written = append(tp.written, partition)
	d.pending = append(d.pending, in.Topic)
}

// pipe appends a record and runs the topology until nothing is left to do.
func (d *Driver) pipe(in engine.Input) error {
	d.append(in, engine.AnyPartition)
	return d.drain()
}

func (d *Driver) drain() error {
	for {
		if err := d.give(); err != nil {
			return err
		}
		more, err := d.task.Process()
		if err != nil {
			return err
		}
		if !more && len(d.pending) == 0 {
			return nil
		}
	}
}

// give hands the task what has come into the topics that it reads.
func (d *Driver) give() error {
	reads := d.task.Topics()
	for _, name := range d.pending {
		tp := d.topics[name]
		fresh := tp.records[tp.given:]
		tp.given = len(tp.records)
		switch {
		case d.globals.Reads(name):
			for i := range fresh {
				if err := d.globals.Apply(&fresh[i]); err != nil {
					return err
				}
			}
		case slices.Contains(reads, name) && len(fresh) > 0:
			if err := d.task.Add(name, 0, fresh); err != nil {
				return err
			}
		}
	}
	d.pending = d.pending[:0]
	return nil
}

// Advance moves the wall clock, and fires the wall-clock punctuators that are due then, once each.
func (d *Driver) Advance(by time.Duration) {
	d.t.Helper()
	d.now += by.Milliseconds()
	if err := d.task.Punctuate(d.now); err != nil {
		d.t.Fatal(err)
	}
	if err := d.drain(); err != nil {
		d.t.Fatal(err)
	}
}

// Commit writes what the stores have changed to their changelogs and commits the positions.
func (d *Driver) Commit() {
	d.t.Helper()
	if err := d.task.Flush(); err != nil {
		d.t.Fatal(err)
	}
	d.committed = d.task.Positions()
}

// Crash drops the task and its stores, makes a new one from the changelogs and the last Commit, and lets it process again
// what came after that: the outputs of those records come twice.
func (d *Driver) Crash() {
	d.t.Helper()
	for _, drop := range d.task.DroppedByNode() {
		d.dropped[engine.Drop{Node: drop.Node, Reason: drop.Reason}] += drop.Count
	}
	reads := d.task.Topics()
	d.pending = d.pending[:0]
	if err := d.start(); err != nil {
		d.t.Fatal(fmt.Errorf("cannot restart after crash: %w", err))
	}
	for _, name := range reads {
		tp := d.topic(name)
		tp.given = 0
		for _, p := range d.committed {
			if p.Topic == name {
				tp.given = int(p.Offset)
			}
		}
		d.pending = append(d.pending, name)
	}
	if err := d.drain(); err != nil {
		d.t.Fatal(err)
	}
}

// Dropped counts the records dropped so far, by reason: see the constants of package streams that begin with Dropped.
func (d *Driver) Dropped() map[string]int64 {
	all := d.task.Dropped()
	for drop, n := range d.dropped {
		all[drop.Reason] += n
	}
	return all
}

// DroppedBy counts the records that one node has dropped so far, by reason. Describe shows the nodes' names.
func (d *Driver) DroppedBy(node string) map[string]int64 {
	all := make(map[string]int64)
	for _, drop := range d.task.DroppedByNode() {
		if drop.Node == node {
			all[drop.Reason] += drop.Count
		}
	}
	for drop, n := range d.dropped {
		if drop.Node == node {
			all[drop.Reason] += n
		}
	}
	return all
}

// Topics names the topics that hold records, sorted.
func (d *Driver) Topics() []string {
	var names []string
	for name, tp := range d.topics {
		if len(tp.records) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
