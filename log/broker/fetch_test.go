package broker

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// long is a MaxWait that no test may need to the end.
const long = 2 * patience

// at is one partition of a fetch.
type at struct {
	topic            string
	id               uuid.UUID
	partition        int32
	offset           int64
	max              int32 // 0: 1 MiB
	epoch            int32 // 0: -1
	lastFetchedEpoch int32 // 0: -1; else one more than the epoch
}

// fetchOf is a sessionless fetch that answers at once.
func fetchOf(version int16, parts ...at) *kmsg.FetchRequest {
	req := versioned(kmsg.NewPtrFetchRequest(), version)
	req.ReplicaID, req.SessionEpoch, req.MinBytes, req.MaxBytes = -1, sessionlessEpoch, 1, 1<<20
	for _, p := range parts {
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = p.topic, p.id
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.partition, p.offset, p.max
		if p.max == 0 {
			part.PartitionMaxBytes = 1 << 20
		}
		part.CurrentLeaderEpoch, part.LastFetchedEpoch = -1, p.lastFetchedEpoch-1
		if p.epoch != 0 {
			part.CurrentLeaderEpoch = p.epoch
		}
		t.Partitions = append(t.Partitions, part)
		req.Topics = append(req.Topics, t)
	}
	return req
}

// waiting makes a fetch park.
func waiting(req *kmsg.FetchRequest, wait time.Duration, minBytes int32) *kmsg.FetchRequest {
	req.MaxWaitMillis, req.MinBytes = int32(wait.Milliseconds()), minBytes
	return req
}

func (c *conn) fetch(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	c.t.Helper()
	return ask[*kmsg.FetchResponse](c, req)
}

// fetchOne reads partition 0 of a topic at once.
func (c *conn) fetchOne(topic string, offset int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	return c.fetch(fetchOf(12, at{topic: topic, offset: offset})).Topics[0].Partitions[0]
}

// offsets are the base offsets of the batches in a reply.
func offsets(t *testing.T, records []byte) []int64 {
	t.Helper()
	var all []int64
	for len(records) > 0 {
		batch, rest, err := record.Split(records)
		if err != nil {
			t.Fatalf("a batch is not whole: %v", err)
		}
		if err := batch.Check(); err != nil {
			t.Fatal(err)
		}
		all, records = append(all, batch.BaseOffset()), rest
	}
	return all
}

func TestFetchReturnsTheBatchThatContainsTheOffset(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	c := r.dial()
	c.mustProduce("t", plain(t, "a", "b", "c"))
	c.mustProduce("t", plain(t, "d"))
	for version := int16(4); version <= 18; version++ {
		resp := c.fetch(fetchOf(version, at{topic: "t", id: id, offset: 1}))
		p := resp.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.HighWatermark != 4 || p.LastStableOffset != 4 || version >= 5 && p.LogStartOffset != 0 || p.AbortedTransactions != nil {
			t.Errorf("v%d: %+v", version, p)
		}
		if got := offsets(t, p.RecordBatches); len(got) != 2 || got[0] != 0 || got[1] != 3 {
			t.Errorf("v%d: batches at %v, want 0 and 3", version, got)
		}
		if version >= 13 && resp.Topics[0].TopicID != id || version < 13 && resp.Topics[0].Topic != "t" {
			t.Errorf("v%d: the reply is for %q %v", version, resp.Topics[0].Topic, resp.Topics[0].TopicID)
		}
	}
}

func TestFetchOutOfRangeAnswersAtOnce(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for range 4 {
		c.mustProduce("t", plain(t, "a"))
	}
	r.deleteBefore("t", 2)
	for _, offset := range []int64{-1, 0, 1, 5, 1 << 40} {
		p := c.fetch(waiting(fetchOf(12, at{topic: "t", offset: offset}), long, 1)).Topics[0].Partitions[0]
		want(t, "out of range", p.ErrorCode, kerr.OffsetOutOfRange)
		if len(p.RecordBatches) > 0 || p.LogStartOffset != 2 || p.HighWatermark != 4 {
			t.Errorf("offset %d: %+v", offset, p)
		}
	}
	want(t, "the log start", c.fetchOne("t", 2).ErrorCode, nil)
	want(t, "the log end", c.fetchOne("t", 4).ErrorCode, nil)
}

func TestFetchAtTheEndWakesByAppend(t *testing.T) { synctest.Test(t, testFetchAtTheEndWakesByAppend) }

func testFetchAtTheEndWakesByAppend(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.topic("u", 1, nil)
	c, producer := r.dial(), r.dial()
	req := waiting(fetchOf(12, at{topic: "t"}, at{topic: "u"}), long, 1)
	id := c.send(req)
	synctest.Wait()
	producer.mustProduce("u", plain(t, "a"))
	resp := c.receive(id, req).(*kmsg.FetchResponse)
	if got := offsets(t, resp.Topics[1].Partitions[0].RecordBatches); len(got) != 1 || resp.Topics[1].Partitions[0].HighWatermark != 1 {
		t.Errorf("woken with %+v", resp.Topics[1])
	}
}

func TestFetchMinBytesAndMaxWait(t *testing.T) { synctest.Test(t, testFetchMinBytesAndMaxWait) }

func testFetchMinBytesAndMaxWait(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c, producer := r.dial(), r.dial()
	batch := plain(t, strings.Repeat("x", 100))
	producer.mustProduce("t", batch)
	req := waiting(fetchOf(12, at{topic: "t"}), long, int32(2*len(batch)))
	id := c.send(req)
	synctest.Wait()
	producer.mustProduce("t", batch)
	if got := offsets(t, c.receive(id, req).(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches); len(got) != 2 {
		t.Errorf("woken with batches at %v, want two", got)
	}
	// Too little data: it is sent when the wait is over.
	const wait = 50 * time.Millisecond
	began := time.Now()
	resp := c.fetch(waiting(fetchOf(12, at{topic: "t"}), wait, 1<<20))
	if took := time.Since(began); took < wait {
		t.Errorf("answered after %v, before MaxWait", took)
	}
	if got := offsets(t, resp.Topics[0].Partitions[0].RecordBatches); len(got) != 2 {
		t.Errorf("after MaxWait: batches at %v, want two", got)
	}
}

// KIP-74: the limits are soft for the first batch only, and partitions are served in the order of the request.
func TestFetchFirstBatchIsWholeThenTheLimitsHold(t *testing.T) {
	r := newRig(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		r.topic(name, 1, nil)
	}
	c := r.dial()
	big := plain(t, strings.Repeat("x", 5000))
	for _, name := range []string{"a", "b"} {
		c.mustProduce(name, big)
		c.mustProduce(name, big)
	}
	// Nothing in c: the first partition that has something is b.
	req := fetchOf(12, at{topic: "c", max: 100}, at{topic: "b", max: 100}, at{topic: "a", max: 100})
	for _, maxBytes := range []int32{0, 1, 100, 1 << 20} {
		req.MaxBytes = maxBytes
		resp := c.fetch(req)
		var got []string
		for _, topic := range resp.Topics {
			got = append(got, topic.Topic)
		}
		if strings.Join(got, "") != "cba" {
			t.Fatalf("answered in the order %v", got)
		}
		for i, batches := range []int{0, 1, 0} {
			if got := offsets(t, resp.Topics[i].Partitions[0].RecordBatches); len(got) != batches {
				t.Errorf("MaxBytes %d: %d batches of %s, want %d", maxBytes, len(got), resp.Topics[i].Topic, batches)
			}
		}
	}
	// Enough for both of the first and one of the second.
	req = fetchOf(12, at{topic: "a"}, at{topic: "b"})
	req.MaxBytes = int32(3*len(big) + 10)
	resp := c.fetch(req)
	if a, b := len(offsets(t, resp.Topics[0].Partitions[0].RecordBatches)), len(offsets(t, resp.Topics[1].Partitions[0].RecordBatches)); a != 2 || b != 1 {
		t.Errorf("%d and %d batches, want 2 and 1", a, b)
	}
}

func TestFetchErrorInOnePartitionAnswersAtOnce(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	resp := c.fetch(waiting(fetchOf(12, at{topic: "t"}, at{topic: "nobody"}, at{topic: "t", partition: 9}), long, 1))
	want(t, "the healthy one", resp.Topics[0].Partitions[0].ErrorCode, nil)
	want(t, "the unknown one", resp.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	want(t, "the partition", resp.Topics[2].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

func TestFetchZstdBelowV10(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	c.mustProduce("t", plain(t, "a"))
	c.mustProduce("t", batchOf(t, record.BuilderConfig{Codec: record.Zstd}, "b"))
	for _, version := range []int16{4, 9} {
		p := c.fetch(waiting(fetchOf(version, at{topic: "t"}), long, 1)).Topics[0].Partitions[0]
		want(t, "zstd for an old reader", p.ErrorCode, kerr.UnsupportedCompressionType)
		if len(p.RecordBatches) > 0 {
			t.Error("records come with the error")
		}
	}
	if got := offsets(t, c.fetch(fetchOf(10, at{topic: "t"})).Topics[0].Partitions[0].RecordBatches); len(got) != 2 {
		t.Errorf("v10: batches at %v, want two", got)
	}
}

// The stored batch is the one that was sent, but for offset and epoch.
func TestFetchReturnsTheBytesThatWereProduced(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		sent := bytes.Clone(batchOf(t, record.BuilderConfig{Codec: codec}, "a", "b"))
		base := c.mustProduce("t", bytes.Clone(sent))
		got := record.Batch(c.fetchOne("t", base).RecordBatches)
		got.SetBaseOffset(0)
		got.SetLeaderEpoch(record.Batch(sent).LeaderEpoch())
		if !bytes.Equal(got, sent) {
			t.Errorf("%v: sent %x, got %x", codec, sent, got)
		}
	}
}

func TestFetchEpochFencing(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.dial().mustProduce("t", plain(t, "a"))
	r.kill()
	r.start() // an unclean start: the epoch rises
	c := r.dial()
	now := r.epoch("t")
	if now < 1 {
		t.Fatalf("the leader epoch is %d after an unclean start", now)
	}
	for _, version := range []int16{9, 12} {
		fetch := func(epoch int32) int16 {
			req := waiting(fetchOf(version, at{topic: "t"}), 0, 1)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			return c.fetch(req).Topics[0].Partitions[0].ErrorCode
		}
		want(t, "an older epoch", fetch(now-1), kerr.FencedLeaderEpoch)
		want(t, "a newer epoch", fetch(now+1), kerr.UnknownLeaderEpoch)
		want(t, "the epoch", fetch(now), nil)
		want(t, "none", fetch(-1), nil)
	}
}

func TestFetchDivergingEpoch(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	first := r.epoch("t")
	c.mustProduce("t", plain(t, "a", "b"))
	r.kill()
	r.start()
	c = r.dial()
	second := r.epoch("t")
	c.mustProduce("t", plain(t, "c", "d"))
	// At offset 3 nobody can have fetched a record of the first epoch: it ended at 2.
	p := c.fetch(waiting(fetchOf(12, at{topic: "t", offset: 3, lastFetchedEpoch: first + 1}), long, 1)).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || p.DivergingEpoch.Epoch != first || p.DivergingEpoch.EndOffset != 2 || len(p.RecordBatches) > 0 {
		t.Errorf("answered %+v, want a divergence at epoch %d, offset 2", p, first)
	}
	p = c.fetch(fetchOf(12, at{topic: "t", offset: 3, lastFetchedEpoch: second + 1})).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || p.DivergingEpoch.EndOffset != -1 || len(p.RecordBatches) == 0 {
		t.Errorf("without a divergence: %+v", p)
	}
	// An epoch that this log never had: Kafka cannot say where it ended.
	p = c.fetch(waiting(fetchOf(12, at{topic: "t", offset: 3, lastFetchedEpoch: second + 5}), long, 1)).Topics[0].Partitions[0]
	want(t, "an epoch of the future", p.ErrorCode, kerr.OffsetOutOfRange)
	// Below the log start there is nothing to compare.
	r.deleteBefore("t", 4)
	p = c.fetch(fetchOf(12, at{topic: "t", offset: 3, lastFetchedEpoch: first + 1})).Topics[0].Partitions[0]
	want(t, "below the log start", p.ErrorCode, kerr.OffsetOutOfRange)
}

func TestFetchWakesOnTopicDeletion(t *testing.T) { synctest.Test(t, testFetchWakesOnTopicDeletion) }

func testFetchWakesOnTopicDeletion(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	byName, byID := r.dial(), r.dial()
	names, ids := waiting(fetchOf(12, at{topic: "t"}), long, 1), waiting(fetchOf(18, at{id: id}), long, 1)
	a, b := byName.send(names), byID.send(ids)
	synctest.Wait()
	r.deleteTopic(id)
	for _, got := range []int16{
		byName.receive(a, names).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode,
		byID.receive(b, ids).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode,
	} {
		if e := kerr.TypedErrorForCode(got); e != kerr.UnknownTopicOrPartition && e != kerr.UnknownTopicID && e != kerr.NotLeaderForPartition {
			t.Errorf("woken with %v", e)
		}
	}
	want(t, "and again", byID.fetch(ids).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
}

// A parked fetch whose offset falls below the log start is out of range at once, not at the end of its wait.
func TestFetchWakesWhenTheLogStartPassesItsOffset(t *testing.T) {
	synctest.Test(t, testFetchWakesWhenTheLogStartPassesItsOffset)
}

func testFetchWakesWhenTheLogStartPassesItsOffset(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c, other := r.dial(), r.dial()
	for range 3 {
		other.mustProduce("t", plain(t, "a"))
	}
	req := waiting(fetchOf(12, at{topic: "t"}), long, 1<<20)
	id := c.send(req)
	synctest.Wait()
	r.deleteBefore("t", 2)
	want(t, "a fetch below the new log start", c.receive(id, req).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode, kerr.OffsetOutOfRange)
}

// A stop of the node answers what is parked.
func TestFetchEndsWithTheBroker(t *testing.T) { synctest.Test(t, testFetchEndsWithTheBroker) }

func testFetchEndsWithTheBroker(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	req := waiting(fetchOf(12, at{topic: "t"}), long, 1)
	id := c.send(req)
	synctest.Wait()
	r.broker.leaders.stop()
	want(t, "a fetch at the end", c.receive(id, req).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode, kerr.NotLeaderForPartition)
}
