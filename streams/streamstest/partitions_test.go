package streamstest_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// cluster runs a task per part and partition of a topology; topics are cut by key as a producer cuts them.
type cluster struct {
	partitions int32
	tasks      []*engine.Task
	logs       map[client.TopicPartition][]engine.Input
	given      map[client.TopicPartition]int
}

func (c *cluster) Send(o *engine.Output) error {
	if o.Partition == engine.AnyPartition {
		o.Partition = client.PartitionFor(o.PartitionKey, c.partitions)
	}
	tp := client.TopicPartition{Topic: o.Topic, Partition: o.Partition}
	c.logs[tp] = append(c.logs[tp], engine.Input{
		Topic: tp.Topic, Partition: tp.Partition, Offset: int64(len(c.logs[tp])), Timestamp: o.Timestamp,
		Key: slices.Clone(o.Key), Value: slices.Clone(o.Value),
	})
	return nil
}

// run works off everything.
func (c *cluster) run() error {
	for worked := true; worked; {
		worked = false
		for _, task := range c.tasks {
			for _, topic := range task.Topics() {
				tp := client.TopicPartition{Topic: topic, Partition: task.ID().Partition}
				fresh := c.logs[tp][c.given[tp]:]
				if err := task.Add(topic, tp.Partition, fresh); err != nil {
					return err
				}
				c.given[tp] += len(fresh)
			}
			n, err := task.ProcessAll(1000)
			if err != nil {
				return err
			}
			worked = worked || n > 0
		}
	}
	return nil
}

// TestPartitionsChangeNothing: 1, 2 and 7 partitions give the same results for each key.
func TestPartitionsChangeNothing(t *testing.T) {
	b := streams.NewBuilder()
	texts(b, "left").
		LeftJoinTable(streams.TableFrom(b, "right", serde.String, serde.String), func(l string, _ *string) string { return l }).
		GroupBy(func(_, v string) string { return v }, serde.String).
		Count().ToStream().
		MapValues(func(n int64) string { return fmt.Sprint(n) }).
		To("out", serde.String, serde.String)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		var want map[string]int
		for _, n := range []int32{1, 2, 7} {
			c := &cluster{partitions: n, logs: make(map[client.TopicPartition][]engine.Input), given: make(map[client.TopicPartition]int)}
			for _, sub := range topo.Graph().Subtopologies() {
				for p := range n {
					task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
						ID: engine.TaskID{Subtopology: sub.ID, Partition: p}, ApplicationID: "app", Collector: c, Now: func() int64 { return 0 },
					})
					if err != nil {
						t.Fatal(err)
					}
					if err := task.Start(nil); err != nil {
						t.Fatal(err)
					}
					c.tasks = append(c.tasks, task)
				}
			}
			for _, r := range inputs(seed, 200) {
				out := engine.Output{Topic: r.Topic, Partition: engine.AnyPartition, Key: r.Key, PartitionKey: r.Key, Value: r.Value, Timestamp: r.Timestamp}
				if err := c.Send(&out); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]int)
			for tp, log := range c.logs {
				for _, r := range log {
					if tp.Topic == "out" {
						got[fmt.Sprintf("%s:%s", r.Key, r.Value)]++
					}
				}
			}
			if want == nil {
				want = got
			}
			if len(want) == 0 || !maps.Equal(got, want) {
				t.Errorf("seed %d, %d partitions: got %v, want %v", seed, n, got, want)
			}
		}
	}
}
