package node

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
)

// TestFullDisk: a full disk refuses produce, and nothing else: reads, commits and deletes go on. When there is space again the node needs nobody's help.
func TestFullDisk(t *testing.T) {
	for _, mode := range []partition.Durability{partition.Fsync, partition.Replicated} {
		t.Run(mode.String(), func(t *testing.T) {
			cfg := testConfig(t)
			m := disk.NewMemory()
			m.SetCapacity(64 << 20)
			cfg.FS, cfg.Durability = m, mode
			n := start(t, cfg)
			c := dial(t, n)
			for _, topic := range []string{"t", "u", "deleted"} {
				c.mustCreate(topic)
			}
			c.coordinate("g")
			acked := fillUp(t, c)
			if offset, code := c.produce("u", nil, []byte("small")); code != kerr.KafkaStorageError.Code {
				t.Errorf("a small record to another topic: offset %d, %v", offset, kerr.ErrorForCode(code))
			}
			if got := c.values("t", 0); len(got) != acked {
				t.Errorf("%d records can be read, %d were acked", len(got), acked)
			}
			for i := range int64(50) {
				if code := c.commit("g", "t", i+1); code != 0 {
					t.Fatalf("commit %d: %v", i, kerr.ErrorForCode(code))
				}
			}
			if got := c.committed("g", "t"); got != 50 {
				t.Errorf("the committed offset is %d", got)
			}
			if code := c.deleteTopic("deleted"); code != 0 {
				t.Errorf("delete a topic: %v", kerr.ErrorForCode(code))
			}
			if low, code := c.deleteRecords("t", 3); low != 3 || code != 0 {
				t.Errorf("delete records: start %d, %v", low, kerr.ErrorForCode(code))
			}
			if err := n.Err(); err != nil {
				t.Fatalf("the node failed: %v", err)
			}

			m.SetCapacity(256 << 20)
			await(t, "produce goes on", func() bool { _, code := c.produce("t", nil, []byte("again")); return code == 0 })
			if got := c.values("t", 3); len(got) != acked-3+1 || got[len(got)-1] != "again" {
				t.Errorf("%d records can be read", len(got))
			}
			c.mustCreate("new")
			c.mustProduce("new", "a")
			kill(t, n)
			n = start(t, cfg)
			c = dial(t, n)
			c.coordinate("g")
			if got := c.values("t", 3); len(got) != acked-3+1 {
				t.Errorf("after a kill %d records can be read", len(got))
			}
			if got := c.committed("g", "t"); got != 50 {
				t.Errorf("after a kill the committed offset is %d", got)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// fillUp produces until the disk is full and returns how many records were acked.
func fillUp(t *testing.T, c *conn) (acked int) {
	t.Helper()
	for value := bytes.Repeat([]byte("x"), 500_000); ; acked++ {
		offset, code := c.produce("t", nil, value)
		if code == kerr.KafkaStorageError.Code && acked > 10 {
			return acked
		}
		if code != 0 || offset != int64(acked) || acked > 1000 {
			t.Fatalf("record %d: offset %d, %v", acked, offset, kerr.ErrorForCode(code))
		}
	}
}

func (c *conn) deleteTopic(name string) int16 {
	c.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{name}
	return ask[*kmsg.DeleteTopicsResponse](c, 5, req).Topics[0].ErrorCode
}

func (c *conn) deleteRecords(topic string, before int64) (low int64, code int16) {
	c.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: before}}}}
	p := ask[*kmsg.DeleteRecordsResponse](c, 2, req).Topics[0].Partitions[0]
	return p.LowWatermark, p.ErrorCode
}

// TestCloseOnAFullDisk: a stop is clean, or says why not, and the next start finds everything that was acked.
func TestCloseOnAFullDisk(t *testing.T) {
	cfg := testConfig(t)
	m := disk.NewMemory()
	m.SetCapacity(48 << 20)
	cfg.FS = m
	n := start(t, cfg)
	c := dial(t, n)
	c.mustCreate("t")
	acked := fillUp(t, c)
	if err := n.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	n = start(t, cfg)
	if got := dial(t, n).values("t", 0); len(got) != acked {
		t.Errorf("%d records can be read, %d were acked", len(got), acked)
	}
}

// TestFirstFailedSyncIsFinal: after one failed sync of a log nothing is acked, of any partition, though later syncs succeed; what was acked before can be
// read and survives a power cut; the node says that it failed.
func TestFirstFailedSyncIsFinal(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTPListen = "127.0.0.1:0"
	m := disk.NewMemory()
	var broken atomic.Bool
	cfg.FS = disk.NewFaulty(m, func(o disk.Op) error {
		if o.Kind == disk.OpSync && strings.HasSuffix(o.Name, "0.log") && broken.CompareAndSwap(true, false) {
			return syscall.EIO // the next one succeeds
		}
		return nil
	})
	n := start(t, cfg)
	c := dial(t, n)
	c.mustCreate("t")
	c.mustCreate("other")
	c.coordinate("g")
	c.mustProduce("t", "good")
	c.mustProduce("other", "good")
	if code := c.commit("g", "t", 1); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	broken.Store(true)
	for i := range 5 {
		for _, topic := range []string{"t", "other"} {
			if offset, code := c.produce(topic, nil, []byte("lost")); code != kerr.KafkaStorageError.Code || offset != -1 {
				t.Errorf("produce %d to %s: offset %d, %v", i, topic, offset, kerr.ErrorForCode(code))
			}
		}
		if code := c.commit("g", "t", 9); code != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("commit %d: %v", i, kerr.ErrorForCode(code))
		}
	}
	select {
	case <-n.Failed():
	case <-time.After(patience):
		t.Fatal("the node does not say that it failed")
	}
	if err := n.Err(); !errors.Is(err, syscall.EIO) || !errors.Is(err, partition.ErrDirectoryFailed) {
		t.Errorf("the node failed with %v", err)
	}
	resp, err := http.Get("http://" + n.HTTPAddr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("health is %s", resp.Status)
	}
	began := time.Now()
	if err := n.Close(); !errors.Is(err, partition.ErrDirectoryFailed) {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(began); took > closeLimit {
		t.Errorf("close took %v", took)
	}

	cfg.FS = m.Crash(0, nil)
	n = start(t, cfg)
	c = dial(t, n)
	c.coordinate("g")
	for _, topic := range []string{"t", "other"} {
		if got := c.values(topic, 0); !slices.Equal(got, []string{"good"}) {
			t.Errorf("%s holds %q", topic, got)
		}
	}
	if got := c.committed("g", "t"); got != 1 {
		t.Errorf("the committed offset is %d", got)
	}
}

// TestPowerCut: in mode fsync what was acked is there after a cut that takes everything unsynced, under the same offsets, and producers are known.
func TestPowerCut(t *testing.T) {
	cfg := testConfig(t)
	m := disk.NewMemory()
	cfg.FS = m
	var want []string
	producer := record.Producer{ID: 7}
	for round := range 4 {
		n := start(t, cfg)
		c := dial(t, n)
		if round == 0 {
			c.mustCreate("t")
		}
		c.coordinate("g")
		if got := c.values("t", 0); !slices.Equal(got, want) {
			t.Fatalf("round %d: the topic holds %q, want %q", round, got, want)
		}
		if got := c.committed("g", "t"); got != int64(len(want)) && (got != -1 || round > 0) {
			t.Fatalf("round %d: the committed offset is %d, want %d", round, got, len(want))
		}
		if round > 0 { // the last batch once more: its answer was lost
			again := producer
			again.Sequence--
			if offset, code := c.produce("t", &again, []byte(want[len(want)-1])); code != 0 || offset != int64(len(want)-1) {
				t.Errorf("round %d: the duplicate got offset %d, %v", round, offset, kerr.ErrorForCode(code))
			}
		}
		for i := range 10 {
			value := fmt.Sprintf("%d-%d", round, i)
			if offset, code := c.produce("t", &producer, []byte(value)); code != 0 || offset != int64(len(want)) {
				t.Fatalf("round %d: offset %d, %v", round, offset, kerr.ErrorForCode(code))
			}
			producer.Sequence++
			want = append(want, value)
		}
		if code := c.commit("g", "t", int64(len(want))); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		m = m.Crash(0, nil)
		kill(t, n)
		cfg.FS = m
	}
}
