package broker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// inSession puts a fetch into a session: (0, 0) opens one.
func inSession(req *kmsg.FetchRequest, id, epoch int32) *kmsg.FetchRequest {
	req.SessionID, req.SessionEpoch = id, epoch
	return req
}

// told is what a fetch reply says of each partition: topic or error, and how many batches.
func told(t *testing.T, resp *kmsg.FetchResponse) string {
	t.Helper()
	var all []string
	for _, topic := range resp.Topics {
		name := topic.Topic
		if name == "" {
			name = "id"
		}
		for _, p := range topic.Partitions {
			one := fmt.Sprintf("%s-%d:%d", name, p.Partition, len(offsets(t, p.RecordBatches)))
			if p.ErrorCode != 0 {
				one = fmt.Sprintf("%s-%d:%s", name, p.Partition, kerr.TypedErrorForCode(p.ErrorCode).Message)
			}
			all = append(all, one)
		}
	}
	return strings.Join(all, " ")
}

func (c *conn) wantTold(what string, req *kmsg.FetchRequest, wanted string) *kmsg.FetchResponse {
	c.t.Helper()
	resp := c.fetch(req)
	if resp.ErrorCode != 0 {
		c.t.Fatalf("%s: %v", what, kerr.ErrorForCode(resp.ErrorCode))
	}
	if got := told(c.t, resp); got != wanted {
		c.t.Errorf("%s: told %q, want %q", what, got, wanted)
	}
	return resp
}

func TestSessionIncrementalReplies(t *testing.T) {
	r := newRig(t, nil)
	for _, name := range []string{"a", "b"} {
		r.topic(name, 1, nil)
	}
	c, producer := r.dial(), r.dial()
	producer.mustProduce("a", plain(t, "1"))
	producer.mustProduce("a", plain(t, "2"))

	id := c.wantTold("the first, full one", inSession(fetchOf(12, at{topic: "a"}, at{topic: "b"}), 0, 0), "a-0:2 b-0:0").SessionID
	if id <= 0 {
		t.Fatalf("session %d", id)
	}
	epoch := int32(0)
	next := func(parts ...at) *kmsg.FetchRequest {
		epoch++
		return inSession(fetchOf(12, parts...), id, epoch)
	}
	c.wantTold("the position did not move: the records again", next(), "a-0:2")
	c.wantTold("nothing new", next(at{topic: "a", offset: 2}), "")

	producer.mustProduce("b", plain(t, "1"))
	c.wantTold("records in b", next(), "b-0:1")
	// a reads past its own high watermark in b: only the mark changed.
	producer.mustProduce("b", plain(t, "2"))
	resp := c.wantTold("only a high watermark", next(at{topic: "b", offset: 2}), "b-0:0")
	if p := resp.Topics[0].Partitions[0]; p.HighWatermark != 2 {
		t.Errorf("high watermark %d, want 2", p.HighWatermark)
	}
	r.deleteBefore("a", 1)
	resp = c.wantTold("only a log start", next(), "a-0:0")
	if p := resp.Topics[0].Partitions[0]; p.LogStartOffset != 1 {
		t.Errorf("log start %d, want 1", p.LogStartOffset)
	}
	c.wantTold("nothing new again", next(), "")

	// An error is told every time, and after it everything again.
	c.wantTold("out of range", next(at{topic: "a", offset: 9}), "a-0:OFFSET_OUT_OF_RANGE")
	c.wantTold("out of range again", next(), "a-0:OFFSET_OUT_OF_RANGE")
	c.wantTold("after an error, with nothing new", next(at{topic: "a", offset: 2}), "a-0:0")
	c.wantTold("and then quiet", next(), "")

	forget := next()
	f := kmsg.NewFetchRequestForgottenTopic()
	f.Topic, f.Partitions = "b", []int32{0}
	forget.ForgottenTopics = append(forget.ForgottenTopics, f)
	producer.mustProduce("b", plain(t, "3"))
	c.wantTold("b is forgotten", forget, "")
	c.wantTold("b comes again", next(at{topic: "b", offset: 2}), "b-0:1")
}

func TestSessionErrors(t *testing.T) {
	r := newRig(t, nil)
	topic := r.topic("a", 1, nil)
	c := r.dial()
	open := func(version int16) int32 {
		return c.wantTold("open", inSession(fetchOf(version, at{topic: "a", id: topic}), 0, 0), map[bool]string{true: "id-0:0", false: "a-0:0"}[version >= 13]).SessionID
	}
	failed := func(what string, req *kmsg.FetchRequest, wanted *kerr.Error) {
		t.Helper()
		resp := c.fetch(waiting(req, long, 1))
		want(t, what, resp.ErrorCode, wanted)
		if len(resp.Topics) > 0 || resp.SessionID != 0 {
			t.Errorf("%s: more than an error: %+v", what, resp)
		}
	}
	failed("an unknown id", inSession(fetchOf(12), 4711, 1), kerr.FetchSessionIDNotFound)
	id := open(12)
	failed("an epoch too high", inSession(fetchOf(12), id, 2), kerr.InvalidFetchSessionEpoch)
	c.wantTold("the epoch that is due", inSession(fetchOf(12), id, 1), "")
	failed("an epoch again", inSession(fetchOf(12), id, 1), kerr.InvalidFetchSessionEpoch)
	failed("from names to ids", inSession(fetchOf(13), id, 2), kerr.FetchSessionTopicIDError)

	// Epoch 0 with an id replaces the session; -1 with an id closes it and is answered outside of any.
	second := c.wantTold("replace", inSession(fetchOf(12, at{topic: "a"}), id, 0), "a-0:0").SessionID
	if second == id || second == 0 {
		t.Errorf("the new session is %d, the old one was %d", second, id)
	}
	failed("the replaced one", inSession(fetchOf(12), id, 2), kerr.FetchSessionIDNotFound)
	if got := c.wantTold("close", inSession(fetchOf(12, at{topic: "a"}), second, -1), "a-0:0").SessionID; got != 0 {
		t.Errorf("a sessionless reply names session %d", got)
	}
	failed("the closed one", inSession(fetchOf(12), second, 1), kerr.FetchSessionIDNotFound)
	if got := c.fetch(inSession(fetchOf(6, at{topic: "a"}), 0, 0)); len(got.Topics) != 1 {
		t.Errorf("v6 knows no sessions: %+v", got)
	}
}

// An id that stops resolving is told every time, and never falls back to a topic of the same name.
func TestSessionTopicIDThatStopsResolving(t *testing.T) {
	r := newRig(t, nil)
	old := r.topic("a", 1, nil)
	c := r.dial()
	id := c.wantTold("open", inSession(fetchOf(18, at{id: old}), 0, 0), "id-0:0").SessionID
	r.deleteTopic(old)
	r.topic("a", 1, nil)
	r.dial().mustProduce("a", plain(t, "1"))
	for epoch := int32(1); epoch < 4; epoch++ {
		c.wantTold("a stale id", waiting(inSession(fetchOf(18), id, epoch), long, 1), "id-0:UNKNOWN_TOPIC_ID")
	}
}

// A busy partition must not starve those behind it when the limit is reached by it alone.
func TestSessionServesEveryPartitionInTurn(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	parts := []at{{topic: "a", max: 100}, {topic: "b", max: 100}, {topic: "c", max: 100}}
	for _, p := range parts {
		r.topic(p.topic, 1, nil)
		for range 3 {
			c.mustProduce(p.topic, plain(t, strings.Repeat("x", 500)))
		}
	}
	req := inSession(fetchOf(12, parts...), 0, 0)
	req.MaxBytes = 100
	resp := c.fetch(req)
	seen := map[string]bool{}
	for epoch := int32(1); epoch <= 3; epoch++ {
		for _, topic := range resp.Topics {
			if len(topic.Partitions[0].RecordBatches) > 0 {
				seen[topic.Topic] = true
			}
		}
		req := inSession(fetchOf(12), resp.SessionID, epoch)
		req.MaxBytes = 100
		resp = c.fetch(req)
	}
	if len(seen) != 3 {
		t.Errorf("served %v of three partitions in three replies", seen)
	}
}

func TestSessionEviction(t *testing.T) { synctest.Test(t, testSessionEviction) }

func testSessionEviction(t *testing.T) {
	r := newRig(t, nil, func(c *Config) { c.MaxFetchSessions = 2 })
	r.topic("a", 1, nil)
	c := r.dial()
	open := func() int32 { return c.fetch(inSession(fetchOf(12, at{topic: "a"}), 0, 0)).SessionID }
	first := open()
	time.Sleep(time.Second)
	second := open()
	if got := open(); got != 0 {
		t.Errorf("a third session, %d, of two: nobody was idle for long", got)
	}
	time.Sleep(evictAfter)
	third := open()
	if third == 0 {
		t.Fatal("an idle session was not evicted")
	}
	want(t, "the one that was idle longest", c.fetch(inSession(fetchOf(12), first, 1)).ErrorCode, kerr.FetchSessionIDNotFound)
	want(t, "the other", c.fetch(inSession(fetchOf(12), second, 1)).ErrorCode, nil)
	want(t, "the new one", c.fetch(inSession(fetchOf(12), third, 1)).ErrorCode, nil)
}

func TestSessionEpochWraps(t *testing.T) {
	r := newRig(t, nil)
	r.topic("a", 1, nil)
	c := r.dial()
	id := c.fetch(inSession(fetchOf(12, at{topic: "a"}), 0, 0)).SessionID
	r.broker.sessions.find(id).epoch = 1<<31 - 1
	c.wantTold("the last epoch", inSession(fetchOf(12), id, 1<<31-1), "")
	c.wantTold("1 follows", inSession(fetchOf(12), id, 1), "")
}

func TestSessionParkedWakesWithOnlyWhatIsNew(t *testing.T) { synctest.Test(t, testSessionParked) }

func testSessionParked(t *testing.T) {
	r := newRig(t, nil)
	r.topic("a", 1, nil)
	r.topic("b", 1, nil)
	c, producer := r.dial(), r.dial()
	id := c.fetch(inSession(fetchOf(12, at{topic: "a"}, at{topic: "b"}), 0, 0)).SessionID
	req := waiting(inSession(fetchOf(12), id, 1), long, 1)
	sent := c.send(req)
	synctest.Wait()
	producer.mustProduce("b", plain(t, "1"))
	if got := told(t, c.receive(sent, req).(*kmsg.FetchResponse)); got != "b-0:1" {
		t.Errorf("told %q", got)
	}
	c.wantTold("an empty wait", waiting(inSession(fetchOf(12, at{topic: "b", offset: 1}), id, 2), time.Second, 1), "")
}
