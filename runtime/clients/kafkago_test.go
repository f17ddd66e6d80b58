package clients

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func kafkaGoCodec(name string) kafka.Compression {
	return map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}[name]
}

func TestKafkaGoCodecs(t *testing.T) { kafkaGoCodecs(newWorld(t)) }

func kafkaGoCodecs(w *world) {
	for _, codec := range codecs() {
		topic := w.topic("writer-"+codec, 1)
		writer := &kafka.Writer{
			Addr: kafka.TCP(w.addr), Topic: topic, Compression: kafkaGoCodec(codec), RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
			Transport: &kafka.Transport{}, // the shared one remembers for seconds which topics there were
		}
		var messages []kafka.Message
		var wanted []string
		for i := range 100 {
			value := fmt.Sprintf("%d %0100d", i, 0)
			wanted = append(wanted, value)
			messages = append(messages, kafka.Message{Value: []byte(value), Headers: []kafka.Header{{Key: "h", Value: []byte("v")}}})
		}
		w.must(writer.WriteMessages(w.ctx, messages...))
		w.must(writer.Close())
		w.same(w.values(topic, len(wanted)), wanted)
		if got := w.lastCodec(topic); got != codec {
			w.Errorf("%s: the stored batch is %s", topic, got)
		}

		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.addr}, Topic: topic, MaxWait: 100 * time.Millisecond})
		var got []string
		for len(got) < len(wanted) {
			m, err := reader.ReadMessage(w.ctx)
			w.must(err)
			got = append(got, string(m.Value))
			if len(m.Headers) != 1 || string(m.Headers[0].Value) != "v" {
				w.Errorf("headers %v", m.Headers)
			}
		}
		w.same(got, wanted)
		w.must(reader.Close())
	}
}

// Conn speaks the versions that are written into it: Metadata 1, ListOffsets 1, the oldest Produce and Fetch that the broker serves.
func TestKafkaGoConn(t *testing.T) {
	w := newWorld(t)
	for _, codec := range codecs() {
		topic := w.topic("conn-"+codec, 1)
		c, err := kafka.DialLeader(w.ctx, "tcp", w.addr, topic, 0)
		w.must(err)
		w.must(c.SetDeadline(time.Now().Add(limit)))
		var wanted []string
		var messages []kafka.Message
		for i := range 10 {
			value := fmt.Sprintf("%d %0100d", i, 0)
			wanted, messages = append(wanted, value), append(messages, kafka.Message{Value: []byte(value)})
		}
		if codec == "none" {
			_, err = c.WriteMessages(messages...)
		} else {
			_, err = c.WriteCompressedMessages(kafkaGoCodec(codec).Codec(), messages...)
		}
		w.must(err)
		w.same(w.values(topic, len(wanted)), wanted)
		first, last, err := c.ReadOffsets()
		w.must(err)
		if first != 0 || last != int64(len(wanted)) {
			t.Errorf("%s: offsets %d to %d", topic, first, last)
		}
		batch := c.ReadBatch(1, 1<<20)
		var got []string
		for len(got) < len(wanted) {
			m, err := batch.ReadMessage()
			w.must(err)
			got = append(got, string(m.Value))
		}
		w.must(batch.Close())
		w.same(got, wanted)
		partitions, err := c.ReadPartitions(topic)
		w.must(err)
		if len(partitions) != 1 || fmt.Sprintf("%s:%d", partitions[0].Leader.Host, partitions[0].Leader.Port) != w.addr {
			t.Errorf("%s: partitions %+v", topic, partitions)
		}
		controller, err := c.Controller()
		w.must(err)
		if fmt.Sprintf("%s:%d", controller.Host, controller.Port) != w.addr {
			t.Errorf("controller %+v", controller)
		}
		w.must(c.Close())
	}
}

func TestKafkaGoGroup(t *testing.T) { newWorld(t).rebalance(kafkaGoMember) }

// kafkaGoMember uses ConsumerGroup, whose generations tell the assignment; Reader hides it.
func kafkaGoMember(ctx context.Context, addr, group, topic string, tell func(event)) error {
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: []string{addr}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 200 * time.Millisecond, JoinGroupBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	for {
		generation, err := g.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return g.Close()
		}
		if errors.Is(err, kafka.RebalanceInProgress) {
			continue
		}
		if err != nil {
			return errors.Join(err, g.Close())
		}
		tell(event{assigned: len(generation.Assignments[topic])})
		for _, p := range generation.Assignments[topic] {
			generation.Start(func(ctx context.Context) { kafkaGoRead(ctx, generation, addr, topic, p, tell) })
		}
	}
}

// kafkaGoRead reads one partition until its generation ends, and commits every record.
func kafkaGoRead(ctx context.Context, generation *kafka.Generation, addr, topic string, p kafka.PartitionAssignment, tell func(event)) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, Partition: p.ID, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	offset := p.Offset
	if err := r.SetOffset(offset); err != nil {
		return
	}
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return
		}
		if err := generation.CommitOffsets(map[string]map[int]int64{topic: {p.ID: m.Offset + 1}}); err != nil {
			return
		}
		tell(event{assigned: -1, value: string(m.Value)})
	}
}

// Reader with a group id, as most programs use it.
func TestKafkaGoReaderGroup(t *testing.T) {
	w := newWorld(t)
	topic := w.topic("t", 2)
	w.produce(topic, 2, 0, 20)
	read := func(n int) (values []string) {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.addr}, GroupID: "g", Topic: topic, StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond})
		for range n {
			m, err := r.FetchMessage(w.ctx)
			w.must(err)
			w.must(r.CommitMessages(w.ctx, m))
			values = append(values, string(m.Value))
		}
		w.must(r.Close())
		return values
	}
	got := read(20)
	w.produce(topic, 2, 20, 30)
	got = append(got, read(10)...)
	var wanted []string
	for i := range 30 {
		wanted = append(wanted, fmt.Sprint(i))
	}
	w.same(got, wanted)
}

// Client negotiates: it asks for the ranges first.
func TestKafkaGoClient(t *testing.T) {
	w := newWorld(t)
	c := &kafka.Client{Addr: kafka.TCP(w.addr)}
	made, err := c.CreateTopics(w.ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "made", NumPartitions: 3, ReplicationFactor: 1}}})
	w.must(err)
	w.must(made.Errors["made"])
	m, err := c.Metadata(w.ctx, &kafka.MetadataRequest{Topics: []string{"made"}})
	w.must(err)
	if len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 3 || len(m.Brokers) != 1 {
		t.Errorf("metadata %+v", m)
	}
	w.produce("made", 3, 0, 9)
	offsets, err := c.ListOffsets(w.ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{"made": {kafka.LastOffsetOf(2)}}})
	w.must(err)
	if got := offsets.Topics["made"]; len(got) != 1 || got[0].LastOffset != 3 {
		t.Errorf("offsets %+v", got)
	}
	if _, err := c.ApiVersions(w.ctx, &kafka.ApiVersionsRequest{}); err != nil {
		t.Error(err)
	}
	deleted, err := c.DeleteTopics(w.ctx, &kafka.DeleteTopicsRequest{Topics: []string{"made"}})
	w.must(err)
	w.must(deleted.Errors["made"])
}
