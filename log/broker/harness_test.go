package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"uuid"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/wire"
)

// patience is how long a reply may take; one that needs so long hangs.
const patience = 20 * time.Second

// Where clients are sent.
const (
	testHost = "broker.test"
	testPort = 9092
)

// rig is a broker over real metadata and a log directory in memory, reached through a pipe.
type rig struct {
	t      *testing.T
	fs     *disk.Memory
	raft   string
	static map[string]string
	tune   func(*Config)

	quorum *metadata.Quorum
	dir    *partition.Directory
	broker *Broker
	server *wire.Server
	pipe   *wire.PipeListener
	served chan error
	up     bool
}

// newRig starts a broker; static are node-wide configuration values.
func newRig(t *testing.T, static map[string]string, tune ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, fs: disk.NewMemory(), raft: filepath.Join(t.TempDir(), "raft"), static: map[string]string{
		"offsets.topic.num.partitions": "2", "group.initial.rebalance.delay.ms": "0",
	}}
	for k, v := range static {
		r.static[k] = v
	}
	r.tune = func(c *Config) {
		for _, fn := range tune {
			fn(c)
		}
	}
	r.start()
	t.Cleanup(func() {
		if r.up {
			r.stop()
		}
	})
	return r
}

func (r *rig) start() {
	r.t.Helper()
	logger := slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	r.quorum, err = metadata.Open(metadata.Config{Dir: r.raft, Static: r.static, Logger: logger})
	r.must(err)
	r.dir, err = partition.OpenDirectory(partition.DirectoryConfig{
		FS: r.fs, ClusterID: r.quorum.Image().ClusterID(), Logger: logger, PreallocateStep: 1 << 16, ReserveBytes: -1,
	})
	r.must(err)
	_, err = r.quorum.RegisterBroker(r.t.Context(), metadata.Registration{
		Incarnation: uuid.New(), Unclean: !r.dir.CleanStart(), Endpoints: []metadata.Endpoint{{Name: "PIPE", Host: testHost, Port: testPort}},
	})
	r.must(err)
	cfg := Config{Quorum: r.quorum, Directory: r.dir, FS: r.fs, Logger: logger}
	r.tune(&cfg)
	r.broker, err = New(cfg)
	r.must(err)
	r.server = wire.NewServer(wire.Config{Handler: r.broker, Versions: r.broker.Versions(), Logger: logger, Poison: true})
	r.pipe, r.served = wire.Pipe(), make(chan error, 1)
	go func() {
		r.served <- r.server.Serve(r.pipe, wire.ListenerInfo{Name: "PIPE", Host: testHost, Port: testPort})
	}()
	r.up = true
}

func (r *rig) disconnect() {
	r.t.Helper()
	r.up = false
	r.server.Close()
	if err := <-r.served; !errors.Is(err, wire.ErrServerClosed) {
		r.t.Errorf("Serve returned %v", err)
	}
	if s := r.server.Stats(); s.InFlight != 0 {
		r.t.Errorf("%d bytes of the budget are still charged", s.InFlight)
	}
	r.broker.Close()
}

// stop is a clean stop.
func (r *rig) stop() {
	r.t.Helper()
	r.disconnect()
	r.must(r.dir.Close())
	r.must(r.quorum.Close())
}

// kill stops as kill -9 would.
func (r *rig) kill() {
	r.t.Helper()
	r.dir.Kill()
	r.quorum.Kill()
	r.disconnect()
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// topic makes a topic and returns its id.
func (r *rig) topic(name string, partitions int32, config map[string]string) uuid.UUID {
	r.t.Helper()
	result := r.quorum.CreateTopics(r.t.Context(), []metadata.TopicSpec{{Name: name, Partitions: partitions, ReplicationFactor: 1, Config: config}}, false)[0]
	r.must(result.Err)
	return result.Topic.ID
}

func (r *rig) deleteTopic(id uuid.UUID) {
	r.t.Helper()
	r.must(r.quorum.DeleteTopics(r.t.Context(), []uuid.UUID{id})[0])
}

// conn is one client connection that speaks raw frames.
type conn struct {
	net.Conn
	t    *testing.T
	next int32
}

func (r *rig) dial() *conn {
	r.t.Helper()
	c, err := r.pipe.Dial(r.t.Context())
	r.must(err)
	r.t.Cleanup(func() { c.Close() })
	return &conn{Conn: c, t: r.t}
}

// send writes one request in the version set in it and returns its correlation id.
func (c *conn) send(req kmsg.Request) int32 {
	c.t.Helper()
	c.next++
	c.write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("broker-test")).AppendRequest(nil, req, c.next))
	return c.next
}

func (c *conn) write(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(frame); err != nil {
		c.t.Fatalf("cannot send: %v", err)
	}
}

// frame reads one reply, without its length.
func (c *conn) frame() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}

// receive reads the reply to req, which must be the next one.
func (c *conn) receive(id int32, req kmsg.Request) kmsg.Response {
	c.t.Helper()
	b, err := c.frame()
	if err != nil {
		c.t.Fatalf("no reply to %s v%d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	resp := req.ResponseKind()
	if err := decodeReply(b, id, resp); err != nil {
		c.t.Fatalf("the reply to %s v%d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp
}

// decodeReply decodes a reply and wants to have used every byte of it.
func decodeReply(b []byte, id int32, resp kmsg.Response) error {
	r := kbin.Reader{Src: b}
	if got := r.Int32(); got != id {
		return errors.New("it belongs to another request")
	}
	if resp.IsFlexible() && resp.Key() != 18 {
		if r.Uvarint() != 0 {
			return errors.New("its header has tags")
		}
	}
	if err := resp.ReadFrom(r.Src); err != nil {
		return err
	}
	if again := resp.AppendTo(nil); len(again) != len(r.Src) {
		return errors.New("there are bytes behind it, or too few")
	}
	return nil
}

// ask sends a request and waits for its reply.
func ask[R kmsg.Response](c *conn, req kmsg.Request) R {
	c.t.Helper()
	return c.receive(c.send(req), req).(R)
}

// gone waits until the broker hangs up, without a reply before.
func (c *conn) gone() {
	c.t.Helper()
	switch b, err := c.frame(); {
	case err == nil:
		c.t.Fatalf("a reply of %d bytes came where the connection should close", len(b))
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.t.Fatal("the connection stays open")
	}
}

// silent checks that nothing was answered so far: the reply to a request sent now comes next.
func (c *conn) silent() {
	c.t.Helper()
	ask[*kmsg.ApiVersionsResponse](c, versioned(kmsg.NewPtrApiVersionsRequest(), 0))
}

func versioned[R kmsg.Request](req R, version int16) R {
	req.SetVersion(version)
	return req
}

// want compares Kafka codes and prints their names.
func want(t *testing.T, what string, got int16, wanted *kerr.Error) {
	t.Helper()
	code := int16(0)
	if wanted != nil {
		code = wanted.Code
	}
	if got != code {
		t.Errorf("%s: error %v, want %v", what, kerr.ErrorForCode(got), kerr.ErrorForCode(code))
	}
}

// batchOf is a batch with the given values, timestamps 1000, 1001, …
func batchOf(t *testing.T, cfg record.BuilderConfig, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(cfg)
	for i, v := range values {
		b.Add(1000+int64(i), []byte("k"), []byte(v))
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func plain(t *testing.T, values ...string) record.Batch {
	return batchOf(t, record.BuilderConfig{}, values...)
}

// produceTo is a produce request for partition 0 of one topic; the id counts from v13 on.
func produceTo(version int16, topic string, id uuid.UUID, acks int16, records []byte) *kmsg.ProduceRequest {
	req := versioned(kmsg.NewPtrProduceRequest(), version)
	req.Acks, req.TimeoutMillis = acks, int32(patience.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// produce appends to partition 0 of a topic by its name and returns what it was told of it.
func (c *conn) produce(topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.ProduceResponse](c, produceTo(12, topic, noTopicID, -1, records))
	return resp.Topics[0].Partitions[0]
}

func (c *conn) mustProduce(topic string, records []byte) int64 {
	c.t.Helper()
	p := c.produce(topic, records)
	if p.ErrorCode != 0 {
		c.t.Fatalf("cannot produce: %v", kerr.ErrorForCode(p.ErrorCode))
	}
	return p.BaseOffset
}

// end is the end of partition 0, by ListOffsets.
func (c *conn) end(topic string) int64 {
	c.t.Helper()
	return c.listOffset(11, topic, timestampLatest).Offset
}

func (c *conn) listOffset(version int16, topic string, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.ListOffsetsResponse](c, listOffsetsOf(version, topic, timestamp)).Topics[0].Partitions[0]
}

func listOffsetsOf(version int16, topic string, timestamp int64) *kmsg.ListOffsetsRequest {
	req := versioned(kmsg.NewPtrListOffsetsRequest(), version)
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// await waits until ok says yes, without a fixed sleep.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}
