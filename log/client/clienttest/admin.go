package clienttest

import (
	"errors"
	"slices"
	"uuid"

	"github.com/millrace/millrace/log/client"
)

func (s *suite) wantErr(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("error %v, want %v", err, want)
	}
}

func testCluster(s *suite) {
	cluster, err := s.c.Admin().Cluster(s.ctx)
	s.must(err)
	if cluster.ID == "" || len(cluster.Brokers) == 0 {
		s.Fatalf("got %+v", cluster)
	}
	if !slices.ContainsFunc(cluster.Brokers, func(b client.Broker) bool { return b.ID == cluster.Controller }) {
		s.Errorf("the controller is not among the brokers: %+v", cluster)
	}
}

func testTopics(s *suite) {
	admin := s.c.Admin()
	name := s.topic(3, nil)
	topics, err := admin.Topics(s.ctx, name)
	s.must(err)
	topic := topics[0]
	if topic.Name != name || topic.Internal || topic.ID == (uuid.UUID{}) {
		s.Errorf("got %+v", topic)
	}
	for i, p := range topic.Partitions {
		if p.Index != int32(i) || p.LeaderEpoch < 0 || !slices.Contains(p.ISR, p.Leader) || len(p.Replicas) == 0 {
			s.Errorf("partition %d: %+v", i, p)
		}
	}
	all, err := admin.Topics(s.ctx)
	s.must(err)
	if !slices.ContainsFunc(all, func(t client.Topic) bool { return t.Name == name }) {
		s.Error("a list of all topics misses it")
	}

	errs, err := admin.CreateTopics(s.ctx,
		client.TopicSpec{Name: name},
		client.TopicSpec{Name: "not/allowed"},
		client.TopicSpec{Name: s.unique("bad"), Configs: map[string]string{"cleanup.policy": "none of these"}},
		client.TopicSpec{Name: s.unique("negative"), Partitions: -7},
	)
	s.must(err)
	for i, want := range []error{client.ErrTopicExists, client.ErrInvalidTopic, client.ErrInvalidConfig, client.ErrInvalidPartitions} {
		s.wantErr(errs[i], want)
	}

	missing := s.unique("missing")
	topics, err = admin.Topics(s.ctx, missing)
	s.must(err)
	s.wantErr(topics[0].Err, client.ErrUnknownTopic)

	gone := s.topic(1, nil)
	errs, err = admin.DeleteTopics(s.ctx, gone, missing)
	s.must(err)
	s.must(errs[0])
	s.wantErr(errs[1], client.ErrUnknownTopic)
	s.await("the topic is gone", func() bool {
		topics, err := admin.Topics(s.ctx, gone)
		return err == nil && errors.Is(topics[0].Err, client.ErrUnknownTopic)
	})
}

func testConfigs(s *suite) {
	admin := s.c.Admin()
	name := s.topic(1, map[string]string{"retention.ms": "123456", "cleanup.policy": "compact"})
	get := func(config string) client.ConfigEntry {
		entries, err := admin.TopicConfigs(s.ctx, name)
		s.must(err)
		i := slices.IndexFunc(entries, func(e client.ConfigEntry) bool { return e.Name == config })
		if i < 0 {
			s.Fatalf("no config %s", config)
		}
		return entries[i]
	}
	if e := get("retention.ms"); e.Value != "123456" || e.Default {
		s.Errorf("got %+v", e)
	}
	if e := get("segment.bytes"); e.Value == "" || e.Null {
		s.Errorf("got %+v", e)
	}
	s.must(admin.AlterTopicConfigs(s.ctx, name,
		client.ConfigChange{Op: client.ConfigSet, Name: "max.message.bytes", Value: "2000"},
		client.ConfigChange{Op: client.ConfigDelete, Name: "retention.ms"},
		client.ConfigChange{Op: client.ConfigAppend, Name: "cleanup.policy", Value: "delete"},
	))
	s.await("the change is seen", func() bool { return get("max.message.bytes").Value == "2000" })
	if e := get("retention.ms"); e.Value == "123456" {
		s.Errorf("a deleted config stays: %+v", e)
	}
	if e := get("cleanup.policy"); e.Value != "compact,delete" {
		s.Errorf("got %+v", e)
	}
	s.wantErr(admin.AlterTopicConfigs(s.ctx, name, client.ConfigChange{Name: "retention.ms", Value: "soon"}), client.ErrInvalidConfig)
	s.wantErr(admin.AlterTopicConfigs(s.ctx, s.unique("missing"), client.ConfigChange{Name: "retention.ms", Value: "1"}), client.ErrUnknownTopic)
	_, err := admin.TopicConfigs(s.ctx, s.unique("missing"))
	s.wantErr(err, client.ErrUnknownTopic)

	cluster, err := admin.Cluster(s.ctx)
	s.must(err)
	entries, err := admin.BrokerConfigs(s.ctx, cluster.Brokers[0].ID)
	s.must(err)
	if len(entries) == 0 {
		s.Error("no broker configs")
	}
}

func testOffsetsByTime(s *suite) {
	admin := s.c.Admin()
	tp := client.TopicPartition{Topic: s.topic(1, map[string]string{"retention.ms": "-1"})}
	var records []*client.Record
	for _, ts := range []int64{1000, 3000, 2000} {
		r := client.NewRecord(tp.Topic, nil, []byte("x"))
		r.Timestamp = ts
		records = append(records, r)
	}
	for _, r := range records {
		s.write(r) // a batch each
	}
	for _, c := range []struct{ at, offset, ts int64 }{
		{client.Earliest, 0, -1},
		{client.Latest, 3, -1},
		{client.MaxTime, 1, 3000},
		{0, 0, 1000},
		{1000, 0, 1000},
		{1001, 1, 3000},
		{3000, 1, 3000},
		{3001, -1, -1},
	} {
		got := admin.ListOffsets(s.ctx, client.ReadUncommitted, map[client.TopicPartition]int64{tp: c.at})[tp]
		s.must(got.Err)
		if got.Offset != c.offset || got.Timestamp != c.ts {
			s.Errorf("at %d: offset %d, timestamp %d; want %d, %d", c.at, got.Offset, got.Timestamp, c.offset, c.ts)
		}
	}
	unknown := client.TopicPartition{Topic: s.unique("missing")}
	both := admin.ListOffsets(s.ctx, client.ReadCommitted, map[client.TopicPartition]int64{tp: client.Latest, unknown: client.Latest})
	s.wantErr(both[unknown].Err, client.ErrUnknownTopic)
	s.must(both[tp].Err)
}

func testEpochs(s *suite) {
	tp := client.TopicPartition{Topic: s.topic(1, nil)}
	s.write(numbered(tp.Topic, 0, 4)...)
	records := s.readAll(tp.Topic, 4)
	epoch := records[3].LeaderEpoch
	if epoch < 0 {
		s.Fatalf("a record without a leader epoch: %+v", records[3])
	}
	ask := func(epoch int32) client.EpochEnd {
		ends, err := s.c.Admin().EpochEnds(s.ctx, map[client.TopicPartition]int32{tp: epoch})
		s.must(err)
		s.must(ends[tp].Err)
		return ends[tp]
	}
	if end := ask(epoch); end.LeaderEpoch != epoch || end.EndOffset != 4 {
		s.Errorf("the epoch of the records: %+v, want %d, 4", end, epoch)
	}
	if end := ask(epoch + 100); end.LeaderEpoch != -1 || end.EndOffset != -1 {
		s.Errorf("an epoch that has not come yet: %+v, want -1, -1", end)
	}
}

func testOutOfRange(s *suite) {
	tp := client.TopicPartition{Topic: s.topic(1, nil)}
	s.write(numbered(tp.Topic, 0, 10)...)
	deleted, err := s.c.Admin().DeleteRecords(s.ctx, map[client.TopicPartition]int64{tp: 5})
	s.must(err)
	s.must(deleted[tp].Err)
	if deleted[tp].LogStart != 5 {
		s.Errorf("log start %d, want 5", deleted[tp].LogStart)
	}
	deleted, err = s.c.Admin().DeleteRecords(s.ctx, map[client.TopicPartition]int64{tp: 11})
	s.must(err)
	s.wantErr(deleted[tp].Err, client.ErrOffsetOutOfRange)

	for _, at := range []int64{2, 12} {
		c := s.consumer(map[client.TopicPartition]int64{tp: at})
		fetched, err := c.Poll(s.ctx)
		s.must(err)
		if len(fetched) != 1 || fetched[0].LogStart != 5 || len(fetched[0].Records) != 0 {
			s.Fatalf("from offset %d: %+v", at, fetched)
		}
		s.wantErr(fetched[0].Err, client.ErrOffsetOutOfRange)
		s.must(c.Seek(tp, fetched[0].LogStart))
		got := s.read(c, 5)[tp]
		if got[0].Offset != 5 || got[4].Offset != 9 {
			s.Errorf("after moving to the start: offsets %d to %d", got[0].Offset, got[4].Offset)
		}
		if next, ok := c.Position(tp); !ok || next != 10 {
			s.Errorf("position %d, want 10", next)
		}
	}
}
