package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// patience bounds every wait: only a hanging test meets it.
const patience = 20 * time.Second

// testConfig is a node below a directory of its own.
func testConfig(t *testing.T) Config {
	t.Helper()
	return Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))}
}

func start(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() }) // what it says is the matter of the test that closes it
	return n
}

// kill ends a node as kill -9 would, as far as its files can tell.
func kill(t *testing.T, n *Node) {
	t.Helper()
	n.closes.Do(func() {
		n.dir.Kill()
		n.quorum.Kill()
		close(n.closing)
		n.closed = errors.Join(n.stopServing(), n.closeSockets())
		n.broker.Close()
		n.closed = errors.Join(n.closed, n.lock.Close())
	})
	if n.closed != nil {
		t.Fatal(n.closed)
	}
}

// conn speaks Kafka's protocol in raw frames, so that nothing retries behind the test's back.
type conn struct {
	net.Conn
	t    *testing.T
	next int32
}

func dial(t *testing.T, n *Node) *conn {
	t.Helper()
	c, err := n.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &conn{Conn: c, t: t}
}

func (c *conn) send(version int16, req kmsg.Request) {
	c.t.Helper()
	req.SetVersion(version)
	c.next++
	if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("node-test")).AppendRequest(nil, req, c.next)); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads the reply to the request that was sent last.
func (c *conn) receive(req kmsg.Request) (kmsg.Response, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	r := kbin.Reader{Src: b}
	if got := r.Int32(); got != c.next {
		return nil, fmt.Errorf("the reply is for %d, not %d", got, c.next)
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() {
		r.Uvarint()
	}
	return resp, resp.ReadFrom(r.Src)
}

func ask[R kmsg.Response](c *conn, version int16, req kmsg.Request) R {
	c.t.Helper()
	c.send(version, req)
	resp, err := c.receive(req)
	if err != nil {
		c.t.Fatalf("no reply to %s: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(R)
}

func (c *conn) create(topic string) int16 {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, 1, 1
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.CreateTopicsResponse](c, 7, req).Topics[0].ErrorCode
}

func (c *conn) mustCreate(topic string) {
	c.t.Helper()
	if code := c.create(topic); code != 0 {
		c.t.Fatalf("cannot create %s: %v", topic, kerr.ErrorForCode(code))
	}
}

// produce appends one record with acks=all. producer may be nil.
func (c *conn) produce(topic string, producer *record.Producer, value []byte) (offset int64, code int16) {
	c.t.Helper()
	b := record.NewBuilder(record.BuilderConfig{Producer: producer})
	b.Add(time.Now().UnixMilli(), []byte("k"), value)
	batch, err := b.Build()
	if err != nil {
		c.t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(patience.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.ProduceResponse](c, 12, req).Topics[0].Partitions[0]
	return out.BaseOffset, out.ErrorCode
}

func (c *conn) mustProduce(topic, value string) int64 {
	c.t.Helper()
	offset, code := c.produce(topic, nil, []byte(value))
	if code != 0 {
		c.t.Fatalf("cannot produce: %v", kerr.ErrorForCode(code))
	}
	return offset
}

func fetchRequest(topic string, offset int64, wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.SessionEpoch, req.MinBytes, req.MaxBytes = -1, -1, 1, 8<<20
	req.MaxWaitMillis = int32(wait.Milliseconds())
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = offset, 8<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// values reads a topic up to its high watermark; offsets must follow one another.
func (c *conn) values(topic string, from int64) []string {
	c.t.Helper()
	var values []string
	for {
		p := ask[*kmsg.FetchResponse](c, 12, fetchRequest(topic, from, 0)).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			c.t.Fatalf("cannot fetch at %d: %v", from, kerr.ErrorForCode(p.ErrorCode))
		}
		if from >= p.HighWatermark {
			return values
		}
		for rest := p.RecordBatches; len(rest) > 0; {
			var b record.Batch
			var err error
			if b, rest, err = record.Split(rest); err == nil {
				err = b.Check()
			}
			if err != nil {
				c.t.Fatal(err)
			}
			for r, err := range b.Records(1 << 20) {
				if err != nil {
					c.t.Fatal(err)
				}
				if r.Offset != from {
					c.t.Fatalf("a record has offset %d, want %d", r.Offset, from)
				}
				values, from = append(values, string(r.Value)), from+1
			}
		}
	}
}

// commit stores an offset as a simple consumer; the group's coordinator must have been found.
func (c *conn) commit(group, topic string, offset int64) int16 {
	c.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.OffsetCommitResponse](c, 8, req).Topics[0].Partitions[0].ErrorCode
}

// committed is what the group has stored, -1 if nothing.
func (c *conn) committed(group, topic string) int64 {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	p := ask[*kmsg.OffsetFetchResponse](c, 7, req).Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		c.t.Fatalf("cannot fetch the offset of %s: %v", group, kerr.ErrorForCode(p.ErrorCode))
	}
	return p.Offset
}

// coordinate finds the coordinator of a group and waits till it has loaded.
func (c *conn) coordinate(group string) {
	c.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey = group
	if code := ask[*kmsg.FindCoordinatorResponse](c, 3, req).ErrorCode; code != 0 {
		c.t.Fatalf("no coordinator: %v", kerr.ErrorForCode(code))
	}
	await(c.t, "the coordinator has loaded", func() bool {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = group
		return ask[*kmsg.OffsetFetchResponse](c, 7, req).ErrorCode == 0
	})
}

// await waits until ok says yes.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}
