package broker

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// powerCut is a kill after which nothing of the log directory is left that was not synced.
func (r *rig) powerCut() {
	r.t.Helper()
	r.kill()
	r.fs = r.fs.Crash(0, nil)
}

// What a client was told survives whatever ends the node: topics with their ids, records, committed offsets.
func TestRestartKeepsTopicsRecordsAndOffsets(t *testing.T) {
	for name, end := range map[string]func(*rig){"Close": (*rig).stop, "Kill": (*rig).kill, "PowerCut": (*rig).powerCut} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			id := r.topic("t", 3, nil)
			gone := r.topic("gone", 1, nil)
			c := r.dial()
			c.coordinator("g")
			for round := range int64(3) {
				if base := c.mustProduce("t", plain(t, fmt.Sprint(round))); base != round {
					t.Fatalf("round %d went to offset %d", round, base)
				}
				c.commit("g", "t", id, round+1)
				if round == 1 {
					r.deleteTopic(gone)
				}
				end(r)
				r.start()
				c = r.dial()
				if got := c.committed("g", "t"); got != round+1 {
					t.Errorf("round %d: the committed offset is %d, want %d", round, got, round+1)
				}
				m := ask[*kmsg.MetadataResponse](c, metadataFor(13, "t")).Topics[0]
				if m.TopicID != id || len(m.Partitions) != 3 {
					t.Fatalf("round %d: %+v", round, m)
				}
				for offset := int64(0); offset <= round; {
					batch, _, err := record.Split(c.fetchOne("t", offset).RecordBatches) // a reply may end with a segment
					r.must(err)
					if r.must(batch.Check()); batch.BaseOffset() != offset {
						t.Fatalf("round %d: a batch at %d, want %d", round, batch.BaseOffset(), offset)
					}
					offset = batch.NextOffset()
				}
				if end := c.end("t"); end != round+1 {
					t.Errorf("round %d: the log ends at %d", round, end)
				}
			}
			if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(0))); got != offsetsTopic+" t" {
				t.Errorf("there are %q", got)
			}
		})
	}
}

// The leader epoch rises at an unclean start only, and new records carry it.
func TestRestartBumpsTheEpochWhenUnclean(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	epochs := []int32{r.epoch("t")}
	for _, end := range []func(){r.stop, r.kill, r.stop, r.kill} {
		r.dial().mustProduce("t", plain(t, "a"))
		end()
		r.start()
		epochs = append(epochs, r.epoch("t"))
	}
	if fmt.Sprint(epochs) != "[0 0 1 1 2]" {
		t.Errorf("the epochs were %v", epochs)
	}
	c := r.dial()
	c.mustProduce("t", plain(t, "a"))
	if got := record.Batch(c.fetchOne("t", 4).RecordBatches).LeaderEpoch(); got != 2 {
		t.Errorf("the new batch carries epoch %d, want 2", got)
	}
	if m := ask[*kmsg.MetadataResponse](c, metadataFor(13, "t")).Topics[0]; m.Partitions[0].LeaderEpoch != 2 {
		t.Errorf("metadata says %+v", m.Partitions[0])
	}
}

// A duplicate is known as one after a power cut, too.
func TestRestartKeepsProducerState(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	batch := func(sequence int32) record.Batch {
		return batchOf(t, record.BuilderConfig{Producer: &record.Producer{ID: 3, Sequence: sequence}}, "a", "b")
	}
	c := r.dial()
	c.mustProduce("t", batch(0))
	c.mustProduce("t", batch(2))
	r.powerCut()
	r.start()
	c = r.dial()
	if base := c.mustProduce("t", batch(2)); base != 2 {
		t.Errorf("the duplicate was answered with offset %d, want 2", base)
	}
	if base := c.mustProduce("t", batch(4)); base != 4 {
		t.Errorf("the next batch went to offset %d, want 4", base)
	}
}

// What a stop finds parked is answered or cut off, and nothing is left behind.
func TestStopWithParkedRequests(t *testing.T) { synctest.Test(t, testStopWithParked) }

func testStopWithParked(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	c.coordinator("g")
	for range 3 {
		r.dial().send(waiting(fetchOf(12, at{topic: "t"}), long, 1))
	}
	join := versioned(kmsg.NewPtrJoinGroupRequest(), 3)
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "g", 10_000, 60_000, "consumer"
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	join.Protocols = append(join.Protocols, p)
	c.committed("g", "t")
	first := ask[*kmsg.JoinGroupResponse](c, join)
	want(t, "the first join", first.ErrorCode, nil)
	r.dial().send(join) // waits for the first member to come again
	synctest.Wait()
	r.stop()
	r.start()
	if got := r.dial().end("t"); got != 0 {
		t.Errorf("the log ends at %d", got)
	}
}
