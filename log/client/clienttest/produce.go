package clienttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/log/client"
)

func testCodecs(s *suite) {
	for codec, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := s.topic(1, nil)
		p := s.producer(s.c, client.ProducerConfig{Compression: client.Compression(codec), Linger: pace})
		const n = 300
		var want []*client.Record
		for i := range n {
			r := client.NewRecord(topic, fmt.Append(nil, i), bytes.Repeat([]byte{byte(i)}, 1000))
			want = append(want, r)
			p.Produce(s.ctx, r, nil)
		}
		s.must(p.Flush(s.ctx))
		got := s.readAll(topic, n)
		for i, r := range got {
			if r.Offset != int64(i) || !bytes.Equal(r.Key, want[i].Key) || !bytes.Equal(r.Value, want[i].Value) || r.Timestamp != want[i].Timestamp {
				s.Fatalf("%s: record %d differs: offset %d, key %q", name, i, r.Offset, r.Key)
			}
		}
	}
}

func testHeadersAndNulls(s *suite) {
	topic := s.topic(1, map[string]string{"retention.ms": "-1"})
	want := []*client.Record{
		{Key: nil, Value: nil},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("k"), Value: nil, Timestamp: 1},
		{Key: nil, Value: []byte("v"), Timestamp: 1_700_000_000_123},
		{Value: []byte("h"), Headers: []client.Header{{Key: "a", Value: []byte("1")}, {Key: "", Value: nil}, {Key: "a", Value: []byte{}}}},
		{Value: []byte("h2"), Headers: []client.Header{{Key: "b", Value: []byte{0, 255}}}},
	}
	for _, r := range want {
		r.Topic = topic
	}
	s.write(want...)
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	for i, r := range s.readAll(topic, len(want)) {
		w := want[i]
		if !same(r.Key, w.Key) || !same(r.Value, w.Value) || r.Timestamp != w.Timestamp || r.Topic != topic || r.Partition != 0 {
			s.Errorf("record %d is %#v, want %#v", i, r, *w)
		}
		if !slices.EqualFunc(r.Headers, w.Headers, func(a, b client.Header) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
			s.Errorf("record %d has headers %#v, want %#v", i, r.Headers, w.Headers)
		}
	}
}

func testOrder(s *suite) {
	const partitions, n = 3, 5000
	topic := s.topic(partitions, nil)
	p := s.producer(s.c, client.ProducerConfig{BatchBytes: 4096, MaxBufferedRecords: 1000})
	at := make(map[client.TopicPartition]int64)
	acked := make(map[client.TopicPartition]int64)
	for i := range int32(partitions) {
		at[client.TopicPartition{Topic: topic, Partition: i}] = client.Earliest
	}
	for i := range n {
		r := client.NewRecord(topic, fmt.Append(nil, "key-", i%17), binary.BigEndian.AppendUint32(nil, uint32(i)))
		if i%5 == 0 {
			r.Key, r.Partition = nil, int32(i/5%partitions)
		}
		p.Produce(s.ctx, r, func(r *client.Record, err error) {
			tp := client.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			if err != nil || r.Offset != acked[tp] {
				s.Errorf("%s: acked at offset %d, want %d (%v)", tp, r.Offset, acked[tp], err)
			}
			acked[tp]++
		})
	}
	s.must(p.Flush(s.ctx))
	if records, bytes := p.Buffered(); records != 0 || bytes != 0 {
		s.Errorf("%d records, %d bytes are buffered after a flush", records, bytes)
	}
	for tp, records := range s.read(s.consumer(at), n) {
		last := int64(-1)
		for i, r := range records {
			number := int64(binary.BigEndian.Uint32(r.Value))
			if r.Offset != int64(i) || number <= last {
				s.Fatalf("%s: record %d at offset %d after record %d", tp, number, r.Offset, last)
			}
			last = number
			want := int32(number / 5 % partitions)
			if r.Key != nil {
				want = client.PartitionFor(r.Key, partitions)
			}
			if tp.Partition != want {
				s.Fatalf("record %d is in %s, want partition %d", number, tp, want)
			}
		}
	}
}

// forgetful is a connection that can lose the answer to a produce request: the log has done it, the producer does not know.
type forgetful struct {
	net.Conn
	forget  *atomic.Int32 // how many answers to lose
	produce atomic.Bool   // the last request was a produce
}

func (f *forgetful) Write(b []byte) (int, error) {
	const apiKeyAt, produceKey = 4, 0
	if len(b) >= apiKeyAt+2 {
		f.produce.Store(binary.BigEndian.Uint16(b[apiKeyAt:]) == produceKey)
	}
	return f.Conn.Write(b)
}

func (f *forgetful) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if err == nil && f.produce.Load() && f.forget.Load() > 0 {
		f.forget.Add(-1)
		return 0, errors.Join(errors.New("answer lost"), f.Conn.Close())
	}
	return n, err
}

func testIdempotence(s *suite) {
	topic := s.topic(1, nil)
	var forget atomic.Int32
	cfg := s.cfg
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: limit}).DialContext
	}
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &forgetful{Conn: conn, forget: &forget}, nil
	}
	p := s.producer(connect(s.T, cfg), client.ProducerConfig{})
	const n = 10
	for i, r := range numbered(topic, 0, n) {
		if i%3 == 1 {
			forget.Store(1)
		}
		p.Produce(s.ctx, r, func(r *client.Record, err error) {
			if err != nil || r.Offset != int64(i) {
				s.Errorf("record %d acked at offset %d: %v", i, r.Offset, err)
			}
		})
		s.must(p.Flush(s.ctx))
		if left := forget.Load(); left != 0 {
			s.Fatalf("%d answers were to be lost and were not", left)
		}
	}
	if end := s.end(client.TopicPartition{Topic: topic}); end != n {
		s.Errorf("%d records are in the log after %d were written", end, n)
	}
}

func testProduceErrors(s *suite) {
	topic := s.topic(1, map[string]string{"max.message.bytes": "2000"})
	p := s.producer(s.c, client.ProducerConfig{})
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	var got error
	p.Produce(s.ctx, client.NewRecord(topic, nil, noise), func(_ *client.Record, err error) { got = err })
	s.wantErr(p.Flush(s.ctx), client.ErrRecordTooLarge)
	s.wantErr(got, client.ErrRecordTooLarge)
	s.must(p.Flush(s.ctx))
	s.must(p.Err())

	p.Produce(s.ctx, client.NewRecord(topic, nil, []byte("small")), nil)
	s.must(p.Flush(s.ctx))
	p.Produce(s.ctx, client.NewRecord(s.unique("missing"), nil, nil), nil)
	s.wantErr(p.Flush(s.ctx), client.ErrUnknownTopic)
	outside := client.NewRecord(topic, nil, nil)
	outside.Partition = 1
	p.Produce(s.ctx, outside, nil)
	if err := p.Flush(s.ctx); err == nil {
		s.Error("a record for a partition that does not exist was taken")
	}
	s.must(p.Err())
	p.Close()
	p.Produce(s.ctx, client.NewRecord(topic, nil, nil), func(_ *client.Record, err error) { got = err })
	s.wantErr(got, client.ErrClosed)
	s.wantErr(p.Err(), client.ErrClosed)
	if got := s.readAll(topic, 1); string(got[0].Value) != "small" {
		s.Errorf("got %q", got[0].Value)
	}
}

func testPause(s *suite) {
	topic := s.topic(2, nil)
	p0, p1 := client.TopicPartition{Topic: topic}, client.TopicPartition{Topic: topic, Partition: 1}
	c := s.consumer(map[client.TopicPartition]int64{p0: 0, p1: 0})
	s.write(append(numbered(topic, 0, 3), numbered(topic, 1, 3)...)...)
	s.read(c, 6)
	c.Pause(p0)
	s.write(append(numbered(topic, 0, 4), numbered(topic, 1, 4)...)...)
	if got := s.read(c, 4); len(got[p0]) != 0 || len(got[p1]) != 4 {
		s.Fatalf("read %d records of the paused partition, %d of the other", len(got[p0]), len(got[p1]))
	}
	short, cancel := context.WithTimeout(s.ctx, 2*client.DefaultFetchMaxWait)
	defer cancel()
	if got, err := c.Poll(short); !errors.Is(err, context.DeadlineExceeded) {
		s.Fatalf("a poll with nothing to read: %v, %v", got, err)
	}
	c.Resume(p0)
	if got := s.read(c, 4); len(got[p0]) != 4 || got[p0][0].Offset != 3 {
		s.Fatalf("after resuming: %+v", got)
	}
}

func testAssign(s *suite) {
	topic := s.topic(2, nil)
	p0, p1 := client.TopicPartition{Topic: topic}, client.TopicPartition{Topic: topic, Partition: 1}
	s.write(append(numbered(topic, 0, 5), numbered(topic, 1, 5)...)...)
	c := s.consumer(map[client.TopicPartition]int64{p0: 2})
	if got := s.read(c, 3)[p0]; got[0].Offset != 2 {
		s.Errorf("read from offset %d, want 2", got[0].Offset)
	}
	s.must(c.Assign(map[client.TopicPartition]int64{p1: client.Earliest}))
	if got := s.read(c, 5); len(got[p1]) != 5 {
		s.Errorf("after adding a partition: %+v", got)
	}
	s.must(c.Seek(p0, 4))
	if got := s.read(c, 1)[p0]; len(got) != 1 || got[0].Offset != 4 {
		s.Errorf("after a seek: %+v", got)
	}
	c.Unassign(p0)
	s.wantErr(c.Seek(p0, 0), client.ErrNotAssigned)
	s.write(append(numbered(topic, 0, 2), numbered(topic, 1, 2)...)...)
	if got := s.read(c, 2); len(got[p1]) != 2 {
		s.Errorf("after taking a partition away: %+v", got)
	}
	c.Close()
	if _, err := c.Poll(s.ctx); !errors.Is(err, client.ErrClosed) {
		s.Errorf("poll after close: %v", err)
	}
}

func testLatest(s *suite) {
	tp := client.TopicPartition{Topic: s.topic(1, nil)}
	s.write(numbered(tp.Topic, 0, 7)...)
	c := s.consumer(map[client.TopicPartition]int64{tp: client.Latest})
	var got []client.Fetched
	s.await("a new record is read", func() bool {
		// When the end is looked up is up to the client: write until something comes.
		s.write(numbered(tp.Topic, 0, 1)...)
		ctx, cancel := context.WithTimeout(s.ctx, 100*time.Millisecond)
		defer cancel()
		fetched, err := c.Poll(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.Fatal(err)
		}
		got = append(got, fetched...)
		return len(got) > 0
	})
	s.must(got[0].Err)
	if first := got[0].Records[0].Offset; first < 7 {
		s.Errorf("read offset %d, which was there before", first)
	}
}
