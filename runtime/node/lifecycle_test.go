package node

import (
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/disk"
)

// closeLimit is how long a clean stop may take.
const closeLimit = 5 * time.Second

// TestCloseWithParkedRequests: fetches and joins that wait do not hold up a stop, and no goroutine outlives it.
func TestCloseWithParkedRequests(t *testing.T) {
	before := runtime.NumGoroutine()
	cfg := testConfig(t)
	cfg.KafkaListen, cfg.HTTPListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.InitialRebalanceDelay = time.Minute
	n := start(t, cfg)
	c := dial(t, n)
	c.mustCreate("t")
	c.coordinate("g")
	for range 20 {
		dial(t, n).send(12, fetchRequest("t", 0, time.Minute))
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType = "g", "consumer"
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 30_000, 60_000
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
		dial(t, n).send(3, join)
	}
	tcp, err := net.Dial("tcp", n.KafkaAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	await(t, "everything is parked", func() bool {
		s := n.server.Stats()
		return s.Requests[1] == 20 && s.Requests[11] == 20
	})
	began := time.Now()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > closeLimit {
		t.Errorf("close took %v", took)
	}
	await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestCloseTwice: whoever calls Close waits until it is done, and gets the same answer.
func TestCloseTwice(t *testing.T) {
	n := start(t, testConfig(t))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if _, err := n.Dial(t.Context(), "", ""); err == nil {
				t.Error("Close returned, and the node still takes connections")
			}
		})
	}
	wg.Wait()
}

// TestKill: what was acked, or committed, or made, is there after a kill, and again after a clean stop.
func TestKill(t *testing.T) {
	cfg := testConfig(t)
	n := start(t, cfg)
	cluster := n.ClusterID()
	dial(t, n).mustCreate("t")
	var want []string
	for round, end := range []func(){
		func() { kill(t, n) }, func() { kill(t, n) },
		func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		},
		func() { kill(t, n) },
	} {
		c := dial(t, n)
		c.coordinate("g")
		for _, value := range []string{"a", "b"} {
			if offset := c.mustProduce("t", value); offset != int64(len(want)) {
				t.Fatalf("round %d: offset %d, want %d", round, offset, len(want))
			}
			want = append(want, value)
		}
		if code := c.commit("g", "t", int64(len(want))); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		end()
		n = start(t, cfg)
		c = dial(t, n)
		c.coordinate("g")
		if got := c.values("t", 0); !slices.Equal(got, want) {
			t.Fatalf("round %d: the topic holds %q, want %q", round, got, want)
		}
		if got := c.committed("g", "t"); got != int64(len(want)) {
			t.Errorf("round %d: the committed offset is %d, want %d", round, got, len(want))
		}
		if n.ClusterID() != cluster {
			t.Errorf("the cluster is %s, it was %s", n.ClusterID(), cluster)
		}
	}
}

// TestPortIsTaken: the start fails, gives back what it has taken, and leaves an unclean stop unclean: the next start begins a new leader epoch.
func TestPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := testConfig(t)
	n := start(t, cfg)
	c := dial(t, n)
	c.mustCreate("t")
	c.mustProduce("t", "a")
	kill(t, n)
	before := runtime.NumGoroutine()
	for _, listen := range []func(*Config){
		func(c *Config) { c.KafkaListen = taken.Addr().String() },
		func(c *Config) { c.KafkaListen, c.HTTPListen = "127.0.0.1:0", taken.Addr().String() },
	} {
		failing := cfg
		listen(&failing)
		if n, err := Start(t.Context(), failing); !errors.Is(err, syscall.EADDRINUSE) {
			if err == nil {
				n.Close()
			}
			t.Fatalf("the start on a taken port: %v", err)
		}
	}
	await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	free := cfg
	free.KafkaListen, free.NextFreePort = taken.Addr().String(), true
	n = start(t, free)
	if n.KafkaAddr() == taken.Addr().String() {
		t.Error("two listeners on one port")
	}
	topic, ok := n.quorum.Image().Topic("t")
	if !ok || topic.Partitions[0].LeaderEpoch != 1 {
		t.Errorf("after an unclean stop the topic is %+v", topic)
	}
	if got := dial(t, n).values("t", 0); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the topic holds %q", got)
	}
}

// TestDirectoryIsLocked: a second node on a directory is refused with the holder's pid, and the first one does not notice.
func TestDirectoryIsLocked(t *testing.T) {
	cfg := testConfig(t)
	n := start(t, cfg)
	c := dial(t, n)
	c.mustCreate("t")
	for range 3 {
		second, err := Start(t.Context(), cfg)
		if err == nil {
			second.Close()
		}
		if locked, ok := errors.AsType[*disk.LockedError](err); !ok || locked.PID != syscall.Getpid() {
			t.Fatalf("the second start: %v", err)
		}
	}
	c.mustProduce("t", "a")
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if got := dial(t, start(t, cfg)).values("t", 0); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the topic holds %q", got)
	}
}
