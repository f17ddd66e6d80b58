package clients

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func saramaCodec(name string) sarama.CompressionCodec {
	return map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[name]
}

// saramaVersions are protocol versions that the client takes from its configuration, without asking the broker.
func saramaVersions() []sarama.KafkaVersion {
	return []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0, sarama.MaxVersion}
}

func saramaConfig(version sarama.KafkaVersion, negotiate bool) *sarama.Config {
	c := sarama.NewConfig()
	c.Version, c.ApiVersionsRequest = version, negotiate
	c.ClientID = "sarama-test"
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Return.Errors = true
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.MaxWaitTime = 10 * time.Millisecond // commits queue behind the parked fetch: they share a connection
	return c
}

func TestSaramaCodecs(t *testing.T) { saramaCodecs(newWorld(t), saramaVersions()...) }

func saramaCodecs(w *world, versions ...sarama.KafkaVersion) {
	for _, version := range versions {
		for _, codec := range codecs() {
			if codec == "zstd" && !version.IsAtLeast(sarama.V2_1_0_0) {
				continue // the client refuses
			}
			for _, idempotent := range []bool{false, true} {
				topic := w.topic(fmt.Sprintf("%s-%s-%v", version, codec, idempotent), 1)
				wanted := saramaProduce(w, version, codec, idempotent, topic)
				w.same(w.values(topic, len(wanted)), wanted)
				if got := w.lastCodec(topic); got != codec {
					w.Errorf("%s: the stored batch is %s", topic, got)
				}
				saramaConsume(w, version, topic, wanted)
			}
		}
	}
}

func saramaProduce(w *world, version sarama.KafkaVersion, codec string, idempotent bool, topic string) (wanted []string) {
	w.Helper()
	c := saramaConfig(version, false)
	c.Producer.Compression = saramaCodec(codec)
	if idempotent {
		c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	}
	p, err := sarama.NewSyncProducer([]string{w.addr}, c)
	w.must(err)
	defer func() { w.must(p.Close()) }()
	var messages []*sarama.ProducerMessage
	for i := range 50 {
		value := fmt.Sprintf("%d %0100d", i, 0)
		wanted = append(wanted, value)
		messages = append(messages, &sarama.ProducerMessage{
			Topic: topic, Value: sarama.StringEncoder(value), Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: []byte("v")}},
		})
	}
	w.must(p.SendMessages(messages))
	return wanted
}

// saramaConsume reads a topic without a group.
func saramaConsume(w *world, version sarama.KafkaVersion, topic string, wanted []string) {
	w.Helper()
	c, err := sarama.NewConsumer([]string{w.addr}, saramaConfig(version, false))
	w.must(err)
	defer func() { w.must(c.Close()) }()
	p, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	w.must(err)
	defer p.AsyncClose()
	var got []string
	for len(got) < len(wanted) {
		select {
		case m := <-p.Messages():
			got = append(got, string(m.Value))
			if len(m.Headers) != 1 || string(m.Headers[0].Value) != "v" {
				w.Errorf("headers %v", m.Headers)
			}
		case err := <-p.Errors():
			w.Fatal(err)
		case <-w.ctx.Done():
			w.Fatalf("%s: %d of %d records came", topic, len(got), len(wanted))
		}
	}
	w.same(got, wanted)
}

func TestSaramaGroups(t *testing.T) {
	for _, version := range saramaVersions() {
		t.Run(version.String(), func(t *testing.T) {
			t.Parallel()
			newWorld(t).rebalance(saramaMember(version, false))
		})
	}
	t.Run("negotiated", func(t *testing.T) {
		t.Parallel()
		newWorld(t).rebalance(saramaMember(sarama.MaxVersion, true))
	})
}

func saramaMember(version sarama.KafkaVersion, negotiate bool) member {
	return func(ctx context.Context, addr, group, topic string, tell func(event)) error {
		g, err := sarama.NewConsumerGroup([]string{addr}, group, saramaConfig(version, negotiate))
		if err != nil {
			return err
		}
		failed := make(chan error, 1)
		go func() {
			for err := range g.Errors() {
				select {
				case failed <- err:
				default:
				}
			}
		}()
		h := &saramaHandler{topic: topic, tell: tell}
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, h); err != nil && ctx.Err() == nil {
				return errors.Join(err, g.Close())
			}
		}
		if err := g.Close(); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}
}

type saramaHandler struct {
	topic string
	tell  func(event)
}

func (h *saramaHandler) Setup(s sarama.ConsumerGroupSession) error {
	h.tell(event{assigned: len(s.Claims()[h.topic])})
	return nil
}

func (h *saramaHandler) Cleanup(sarama.ConsumerGroupSession) error {
	h.tell(event{assigned: 0})
	return nil
}

func (h *saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return nil
			}
			s.MarkMessage(m, "")
			s.Commit()
			h.tell(event{assigned: -1, value: string(m.Value)})
		case <-s.Context().Done():
			return nil
		}
	}
}

// The admin client makes, describes, changes and deletes.
func TestSaramaAdmin(t *testing.T) {
	w := newWorld(t)
	w.produceSome("seen")
	// Below 1.1 the client sends DescribeConfigs v0, which Kafka has served no more since 4.0.
	for _, version := range []sarama.KafkaVersion{sarama.V1_1_0_0, sarama.V2_8_0_0, sarama.MaxVersion} {
		a, err := sarama.NewClusterAdmin([]string{w.addr}, saramaConfig(version, true))
		w.must(err)
		topic := "admin-" + version.String()
		value := "1234"
		w.must(a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &value}}, false))
		topics, err := a.ListTopics()
		w.must(err)
		if d := topics[topic]; d.NumPartitions != 2 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != value {
			t.Errorf("%s: %+v", topic, d)
		}
		if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			t.Errorf("%s again: %v", topic, err)
		}
		brokers, controller, err := a.DescribeCluster()
		w.must(err)
		if len(brokers) != 1 || brokers[0].Addr() != w.addr || controller != brokers[0].ID() {
			t.Errorf("cluster %v, controller %d", brokers, controller)
		}
		w.must(a.DeleteRecords("seen", map[int32]int64{0: 1}))
		w.must(a.DeleteTopic(topic))
		w.must(a.Close())
	}
}

func (w *world) produceSome(topic string) {
	w.Helper()
	w.topic(topic, 1)
	w.produce(topic, 1, 0, 3)
}
