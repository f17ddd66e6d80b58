package node

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/disk"
)

// crashFS crashes after a number of changes, once it is armed.
type crashFS struct {
	hook atomic.Pointer[disk.Hook]
}

func (c *crashFS) ask(o disk.Op) error {
	if hook := c.hook.Load(); hook != nil {
		return (*hook)(o)
	}
	return nil
}

func (c *crashFS) arm(changes int) (crashed func() bool) {
	var hit atomic.Bool
	after := disk.CrashAfter(changes)
	hook := disk.Hook(func(o disk.Op) error {
		err := after(o)
		if err != nil {
			hit.Store(true)
		}
		return err
	})
	c.hook.Store(&hook)
	return hit.Load
}

// TestCrashWhileATopicIsMade cuts the power after every change of the disk that the making of a topic takes. The metadata has the topic; the next start
// must make what is missing, and a later one must find it.
func TestCrashWhileATopicIsMade(t *testing.T) {
	for n, more := 0, true; more; n++ {
		keeps := []int{0}
		if n%4 == 0 {
			keeps = append(keeps, 50)
		}
		for _, keep := range keeps {
			cfg := testConfig(t)
			cfg.Logger = nil // it has much to say
			m, crash := disk.NewMemory(), &crashFS{}
			cfg.FS = disk.NewFaulty(m, crash.ask)
			node := start(t, cfg)
			dial(t, node).mustCreate("before")
			dial(t, node).mustProduce("before", "a")
			crashed := crash.arm(n)
			code := dial(t, node).create("t")
			more = crashed()
			if more == (code == 0) {
				t.Errorf("crash after %d changes: %v, and the answer is %v", n, more, kerr.ErrorForCode(code))
			}
			m = m.Crash(keep, rand.New(rand.NewPCG(uint64(n), 1)))
			kill(t, node)
			for range 2 {
				cfg.FS = m
				node = start(t, cfg)
				c := dial(t, node)
				if _, code := c.produce("t", nil, []byte("x")); code != 0 {
					t.Fatalf("crash after %d changes, %d %% kept: the topic is not served: %v", n, keep, kerr.ErrorForCode(code))
				}
				if got := c.values("before", 0); len(got) != 1 {
					t.Fatalf("crash after %d changes, %d %% kept: the other topic holds %q", n, keep, got)
				}
				m = m.Crash(keep, rand.New(rand.NewPCG(uint64(n), 2)))
				kill(t, node)
			}
			cfg.FS = m
			node = start(t, cfg)
			if got := dial(t, node).values("t", 0); len(got) != 2 {
				t.Fatalf("crash after %d changes, %d %% kept: the topic holds %q", n, keep, got)
			}
			kill(t, node)
		}
	}
}

// TestCrashWhileATopicIsDeleted: it stays deleted, and its name can be used again for a topic that is empty.
func TestCrashWhileATopicIsDeleted(t *testing.T) {
	for n, more := 0, true; more; n++ {
		cfg := testConfig(t)
		cfg.Logger = nil
		m, crash := disk.NewMemory(), &crashFS{}
		cfg.FS = disk.NewFaulty(m, crash.ask)
		node := start(t, cfg)
		c := dial(t, node)
		c.mustCreate("t")
		c.mustCreate("other")
		c.coordinate("g")
		c.mustProduce("t", "old")
		c.mustProduce("other", "kept")
		if code := c.commit("g", "t", 1); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		crashed := crash.arm(n)
		c.deleteTopic("t")
		more = crashed()
		m = m.Crash(0, nil)
		kill(t, node)
		cfg.FS = m
		node = start(t, cfg)
		c = dial(t, node)
		c.coordinate("g")
		if _, code := c.produce("t", nil, []byte("x")); code != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("crash after %d changes: produce to the deleted topic: %v", n, kerr.ErrorForCode(code))
		}
		c.mustCreate("t")
		if got := c.values("t", 0); len(got) != 0 {
			t.Errorf("crash after %d changes: the new topic holds %q", n, got)
		}
		if got := c.committed("g", "t"); got != -1 {
			t.Errorf("crash after %d changes: the new topic has the committed offset %d of the old one", n, got)
		}
		if got := c.values("other", 0); len(got) != 1 {
			t.Errorf("crash after %d changes: the other topic holds %q", n, got)
		}
		kill(t, node)
	}
}

// TestTopicIsMadeAnewUnderLoad deletes and makes a topic while clients write to it, read it and commit: what was written to one incarnation never shows in
// another, and nobody hangs.
func TestTopicIsMadeAnewUnderLoad(t *testing.T) {
	n := start(t, testConfig(t))
	admin := dial(t, n)
	admin.mustCreate("t")
	admin.coordinate("g")
	var generation atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	run := func(step func(c *conn)) {
		c := dial(t, n)
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					step(c)
				}
			}
		})
	}
	for range 3 {
		run(func(c *conn) {
			before := generation.Load()
			_, code := c.produce("t", nil, []byte(string(rune('a'+before))))
			switch kerr.ErrorForCode(code) {
			case nil, kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition:
			default:
				t.Errorf("produce: %v", kerr.ErrorForCode(code))
			}
		})
	}
	run(func(c *conn) { ask[*kmsg.FetchResponse](c, 12, fetchRequest("t", 0, time.Minute)) })
	run(func(c *conn) { ask[*kmsg.FetchResponse](c, 12, fetchRequest("t", 1<<40, time.Minute)) })
	run(func(c *conn) { c.commit("g", "t", 1) })
	for round := range int64(20) {
		await(t, "something is written", func() bool {
			p := ask[*kmsg.FetchResponse](admin, 12, fetchRequest("t", 0, 0)).Topics[0].Partitions[0]
			return p.HighWatermark > 0
		})
		for _, value := range admin.values("t", 0) {
			// A producer that read the generation before it rose may write to the new topic: one behind is right, what is older is not.
			if age := round - int64(strings.IndexByte("abcdefghijklmnopqrstuvwxyz", value[0])); age < 0 || age > 1 {
				t.Errorf("round %d: a record of round %d", round, round-age)
			}
		}
		generation.Add(1)
		if code := admin.deleteTopic("t"); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		admin.mustCreate("t")
	}
	close(stop)
	clients.Wait()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
