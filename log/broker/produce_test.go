package broker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// KAFKA-18659: clients look for Produce v0 in the ranges, and never send it.
func TestProduceV0ToV2AdvertisedAndRefused(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for version := int16(0); version <= 2; version++ {
		resp := ask[*kmsg.ProduceResponse](c, produceTo(version, "t", noTopicID, 1, plain(t, "a")))
		want(t, "an old produce", resp.Topics[0].Partitions[0].ErrorCode, kerr.UnsupportedVersion)
	}
	ranges := ask[*kmsg.ApiVersionsResponse](c, versioned(kmsg.NewPtrApiVersionsRequest(), 0)).ApiKeys
	if ranges[0].ApiKey != 0 || ranges[0].MinVersion != 0 || ranges[0].MaxVersion != 13 {
		t.Errorf("Produce is advertised as %+v", ranges[0])
	}
	if end := c.end("t"); end != 0 {
		t.Errorf("something was written: the log ends at %d", end)
	}
	c.send(produceTo(2, "t", noTopicID, 0, plain(t, "a")))
	c.gone()
}

// refused is what Produce must not write, and with which code it says so.
func TestProduceRefusesWithoutWriting(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.topic("small", 1, map[string]string{"max.message.bytes": "200"})
	r.topic("keyed", 1, map[string]string{"cleanup.policy": "compact"})
	c := r.dial()
	changed := func(fn func(record.Batch)) []byte {
		b := plain(t, "a", "b")
		fn(b)
		return b
	}
	keyless := record.NewBuilder(record.BuilderConfig{})
	keyless.Add(1000, nil, []byte("v"))
	noKey, err := keyless.Build()
	r.must(err)
	producer := &record.Producer{ID: 7}
	for _, tc := range []struct {
		name, topic string
		records     []byte
		version     int16
		code        *kerr.Error
	}{
		{"two batches", "t", append(bytes.Clone(plain(t, "a")), plain(t, "b")...), 12, kerr.InvalidRecord},
		{"no records", "t", []byte{}, 12, kerr.CorruptMessage},
		{"null records", "t", nil, 12, kerr.CorruptMessage},
		{"half a batch", "t", plain(t, "a")[:65], 12, kerr.CorruptMessage},
		{"magic 1", "t", changed(func(b record.Batch) { b[16] = 1 }), 12, kerr.CorruptMessage},
		{"a flipped bit", "t", changed(func(b record.Batch) { b[len(b)-1] ^= 1 }), 12, kerr.CorruptMessage},
		{"a control batch", "t", batchOf(t, record.BuilderConfig{Control: true, Producer: producer}, "a"), 12, kerr.InvalidRecord},
		{"a transactional batch", "t", batchOf(t, record.BuilderConfig{Transactional: true, Producer: producer}, "a"), 12, kerr.InvalidTxnState},
		{"zstd below v7", "t", batchOf(t, record.BuilderConfig{Codec: record.Zstd}, "a"), 6, kerr.UnsupportedCompressionType},
		{"too large", "small", plain(t, strings.Repeat("x", 300)), 12, kerr.MessageTooLarge},
		{"a null key in a compacted topic", "keyed", noKey, 12, kerr.InvalidRecord},
		{"an unknown topic", "nobody", plain(t, "a"), 12, kerr.UnknownTopicOrPartition},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp := ask[*kmsg.ProduceResponse](c, produceTo(tc.version, tc.topic, noTopicID, -1, tc.records))
			p := resp.Topics[0].Partitions[0]
			want(t, tc.name, p.ErrorCode, tc.code)
			if p.BaseOffset != -1 {
				t.Errorf("base offset %d, want -1", p.BaseOffset)
			}
			if tc.version >= 8 && (p.ErrorMessage == nil || *p.ErrorMessage == "") {
				t.Error("no message says why (KIP-467)")
			}
			if p.CurrentLeader.LeaderID != -1 || len(resp.Brokers) > 0 {
				t.Errorf("a leader is hinted at: %+v, %+v", p.CurrentLeader, resp.Brokers)
			}
		})
	}
	for _, topic := range []string{"t", "small", "keyed"} {
		if end := c.end(topic); end != 0 {
			t.Errorf("%s: something was written: it ends at %d", topic, end)
		}
	}
}

func TestProduceRefusesTransactionalID(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	c := r.dial()
	name := "txn"
	for _, version := range []int16{3, 11, 13} {
		req := produceTo(version, "t", id, -1, plain(t, "a"))
		req.TransactionID = &name
		want(t, "a transactional id", ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0].ErrorCode, kerr.InvalidTxnState)
	}
	if end := c.end("t"); end != 0 {
		t.Errorf("something was written: the log ends at %d", end)
	}
}

func TestProduceAcks(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for _, acks := range []int16{2, -2, 127} {
		want(t, "acks", ask[*kmsg.ProduceResponse](c, produceTo(12, "t", noTopicID, acks, plain(t, "a"))).Topics[0].Partitions[0].ErrorCode, kerr.InvalidRequiredAcks)
	}
	if end := c.end("t"); end != 0 {
		t.Fatalf("something was written: the log ends at %d", end)
	}
	for i, acks := range []int16{1, -1} {
		p := ask[*kmsg.ProduceResponse](c, produceTo(12, "t", noTopicID, acks, plain(t, "a"))).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.BaseOffset != int64(i) || p.LogStartOffset != 0 || p.LogAppendTime != -1 {
			t.Errorf("acks=%d: %+v", acks, p)
		}
	}
}

func TestProduceAcksZeroIsSilentAndClosesOnError(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for range 3 {
		c.send(produceTo(12, "t", noTopicID, 0, plain(t, "a")))
	}
	c.silent()
	await(t, "the records are committed", func() bool { return c.end("t") == 3 })
	for _, bad := range []*kmsg.ProduceRequest{
		produceTo(12, "nobody", noTopicID, 0, plain(t, "a")), produceTo(12, "t", noTopicID, 0, plain(t, "a")[:65]),
	} {
		c := r.dial()
		c.send(bad)
		c.gone()
	}
}

// KIP-516: an id that is gone must not fall back to the name.
func TestProduceStaleTopicIDAfterRecreation(t *testing.T) {
	r := newRig(t, nil)
	old := r.topic("t", 1, nil)
	c := r.dial()
	want(t, "produce by id", ask[*kmsg.ProduceResponse](c, produceTo(13, "", old, -1, plain(t, "a"))).Topics[0].Partitions[0].ErrorCode, nil)
	r.deleteTopic(old)
	now := r.topic("t", 1, nil)
	p := ask[*kmsg.ProduceResponse](c, produceTo(13, "t", old, -1, plain(t, "b"))).Topics[0].Partitions[0]
	want(t, "a stale id", p.ErrorCode, kerr.UnknownTopicID)
	if end := c.end("t"); end != 0 {
		t.Errorf("the new topic was written to: it ends at %d", end)
	}
	resp := ask[*kmsg.ProduceResponse](c, produceTo(13, "", now, -1, plain(t, "c")))
	want(t, "the new id", resp.Topics[0].Partitions[0].ErrorCode, nil)
	if resp.Topics[0].TopicID != now {
		t.Errorf("the reply names topic %v, want %v", resp.Topics[0].TopicID, now)
	}
}

func TestProduceDuplicateGetsItsFirstOffset(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for i := range int32(6) {
		b := batchOf(t, record.BuilderConfig{Producer: &record.Producer{ID: 9, Sequence: i * 2}}, "a", "b")
		if base := c.mustProduce("t", b); base != int64(i)*2 {
			t.Fatalf("batch %d went to offset %d", i, base)
		}
	}
	again := batchOf(t, record.BuilderConfig{Producer: &record.Producer{ID: 9, Sequence: 4}}, "a", "b")
	if base := c.mustProduce("t", again); base != 4 {
		t.Errorf("the duplicate was answered with offset %d, want that of the first, 4", base)
	}
	gap := batchOf(t, record.BuilderConfig{Producer: &record.Producer{ID: 9, Sequence: 20}}, "a")
	want(t, "a gap", c.produce("t", gap).ErrorCode, kerr.OutOfOrderSequenceNumber)
	c.mustProduce("t", batchOf(t, record.BuilderConfig{Producer: &record.Producer{ID: 9, Epoch: 1}}, "a"))
	// The epoch is looked at before the sequence.
	want(t, "an old epoch", c.produce("t", gap).ErrorCode, kerr.InvalidProducerEpoch)
	if end := c.end("t"); end != 13 {
		t.Errorf("the log ends at %d, want 13", end)
	}
}

func TestProduceLogAppendTime(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	c := r.dial()
	before := r.broker.now().UnixMilli()
	p := c.produce("t", plain(t, "a", "b"))
	after := r.broker.now().UnixMilli()
	if p.ErrorCode != 0 || p.LogAppendTime < before || p.LogAppendTime > after {
		t.Fatalf("answered %+v, the time was %d to %d", p, before, after)
	}
	batch := record.Batch(c.fetchOne("t", 0).RecordBatches)
	if err := batch.Check(); err != nil {
		t.Fatalf("the stored batch: %v", err)
	}
	for rec, err := range batch.Records(1 << 20) {
		if err != nil || rec.Timestamp != p.LogAppendTime {
			t.Errorf("a record of %d, %v; want %d", rec.Timestamp, err, p.LogAppendTime)
		}
	}
}

func TestProduceToInternalTopicRefused(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	c.coordinator("g")
	want(t, "produce to the offsets topic", c.produce(offsetsTopic, plain(t, "a")).ErrorCode, kerr.InvalidTopicException)
}

// The batches of one connection are acked in the order they came, whatever waits for what.
func TestProducePipelined(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	req := produceTo(12, "t", noTopicID, -1, plain(t, "a"))
	const n = 50
	go func() {
		f := kmsg.NewRequestFormatter()
		for i := range int32(n) {
			if _, err := c.Write(f.AppendRequest(nil, req, i)); err != nil {
				return
			}
		}
	}()
	for i := range int32(n) {
		resp := c.receive(i, req).(*kmsg.ProduceResponse)
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("reply %d: %+v", i, p)
		}
	}
}

// A count that the bytes cannot hold is hostile: the connection ends.
func TestProduceHostileCountCloses(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, produceTo(3, "t", noTopicID, 1, plain(t, "a")), 1)
	at := bytes.Index(frame, []byte{0, 0, 0, 1, 0, 1, 't'})
	binary.BigEndian.PutUint32(frame[at:], 1<<30)
	c.write(frame)
	c.gone()
}
