package clienttest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/client"
)

// limit is how long one case may take; a case that needs so long hangs.
const limit = 60 * time.Second

// pace is how often a condition is looked at again.
const pace = 20 * time.Millisecond

// Run runs every case as a subtest. config says how to reach the log; it is called once per case. The cases run in
// parallel; they make topics and groups with names of their own, and delete the topics.
func Run(t *testing.T, config func(t *testing.T) client.Config) {
	for _, c := range []struct {
		name string
		run  func(*suite)
	}{
		{"Cluster", testCluster},
		{"Topics", testTopics},
		{"Configs", testConfigs},
		{"Codecs", testCodecs},
		{"HeadersAndNulls", testHeadersAndNulls},
		{"OrderAndPartitioner", testOrder},
		{"IdempotentProduce", testIdempotence},
		{"ProduceErrors", testProduceErrors},
		{"OffsetsByTime", testOffsetsByTime},
		{"Epochs", testEpochs},
		{"DeleteRecordsAndOutOfRange", testOutOfRange},
		{"PauseAndResume", testPause},
		{"AssignWhileReading", testAssign},
		{"ReadFromLatest", testLatest},
		{"CommitWithMetadata", testCommit},
		{"ResetNone", testResetNone},
		{"RebalanceWithOwnBalancer", testRebalance},
		{"CooperativeRebalance", testCooperative},
		{"StaticRestart", testStaticRestart},
		{"StaticFencing", testStaticFencing},
		{"SlowMemberFenced", testSlowMember},
		{"LagAndGroups", testGroups},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // a group's first rebalance takes Kafka three idle seconds
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			cfg := config(t)
			s := &suite{T: t, ctx: ctx, cfg: cfg, c: connect(t, cfg)}
			c.run(s)
		})
	}
}

// suite is what every case has.
type suite struct {
	*testing.T
	ctx context.Context
	cfg client.Config
	c   *client.Client
}

func connect(t *testing.T, cfg client.Config) *client.Client {
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// await waits until ok says yes.
func (s *suite) await(what string, ok func() bool) {
	s.Helper()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatalf("gave up waiting until %s", what)
		}
	}
}

func (s *suite) unique(kind string) string {
	name := strings.ToLower(s.Name()[strings.LastIndexByte(s.Name(), '/')+1:])
	return fmt.Sprintf("suite-%s-%s-%s", name, kind, uuid.New())
}

// topic makes a topic that is known everywhere, and deletes it at the end.
func (s *suite) topic(partitions int32, configs map[string]string) string {
	s.Helper()
	name := s.unique("topic")
	errs, err := s.c.Admin().CreateTopics(s.ctx, client.TopicSpec{Name: name, Partitions: partitions, Configs: configs})
	s.must(err)
	s.must(errs[0])
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), limit)
		defer cancel()
		if _, err := s.c.Admin().DeleteTopics(ctx, name); err != nil {
			s.Errorf("cannot delete %s: %v", name, err)
		}
	})
	s.await("the topic has leaders", func() bool { return s.hasLeaders(name, int(partitions)) })
	return name
}

func (s *suite) hasLeaders(name string, partitions int) bool {
	topics, err := s.c.Admin().Topics(s.ctx, name)
	if err != nil || len(topics) != 1 || topics[0].Err != nil || len(topics[0].Partitions) != partitions {
		return false
	}
	for _, p := range topics[0].Partitions {
		if p.Leader < 0 || p.Err != nil {
			return false
		}
	}
	return true
}

func (s *suite) producer(c *client.Client, cfg client.ProducerConfig) *client.Producer {
	s.Helper()
	p, err := c.NewProducer(cfg)
	s.must(err)
	s.Cleanup(p.Close)
	return p
}

// write produces records and waits until they are acked.
func (s *suite) write(records ...*client.Record) {
	s.Helper()
	p := s.producer(s.c, client.ProducerConfig{})
	for _, r := range records {
		p.Produce(s.ctx, r, nil)
	}
	s.must(p.Flush(s.ctx))
}

// numbered returns n records for one partition whose values are 0, 1, …
func numbered(topic string, partition int32, n int) []*client.Record {
	records := make([]*client.Record, n)
	for i := range records {
		records[i] = client.NewRecord(topic, nil, fmt.Append(nil, i))
		records[i].Partition = partition
	}
	return records
}

func (s *suite) consumer(at map[client.TopicPartition]int64) *client.Consumer {
	s.Helper()
	c, err := s.c.NewConsumer(client.ConsumerConfig{})
	s.must(err)
	s.Cleanup(c.Close)
	s.must(c.Assign(at))
	return c
}

// read polls until n records came and returns them per partition.
func (s *suite) read(c *client.Consumer, n int) map[client.TopicPartition][]client.Record {
	s.Helper()
	got := make(map[client.TopicPartition][]client.Record)
	for count := 0; count < n; {
		fetched, err := c.Poll(s.ctx)
		if err != nil {
			s.Fatalf("after %d of %d records: %v", count, n, err)
		}
		for _, f := range fetched {
			s.must(f.Err)
			got[f.TopicPartition] = append(got[f.TopicPartition], f.Records...)
			count += len(f.Records)
		}
	}
	return got
}

// readAll reads partition 0 of a topic from its start.
func (s *suite) readAll(topic string, n int) []client.Record {
	s.Helper()
	tp := client.TopicPartition{Topic: topic}
	return s.read(s.consumer(map[client.TopicPartition]int64{tp: client.Earliest}), n)[tp]
}

// end returns the offset after the last record.
func (s *suite) end(tp client.TopicPartition) int64 {
	s.Helper()
	listed := s.c.Admin().ListOffsets(s.ctx, client.ReadUncommitted, map[client.TopicPartition]int64{tp: client.Latest})
	s.must(listed[tp].Err)
	return listed[tp].Offset
}
