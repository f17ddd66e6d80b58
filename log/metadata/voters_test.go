package metadata

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// network connects transports in memory.
type network struct {
	mu         sync.Mutex
	transports map[raft.ServerAddress]*raft.InmemTransport
}

func (n *network) join(self raft.ServerAddress) (raft.Transport, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, t := raft.NewInmemTransportWithTimeout(self, time.Second)
	for address, peer := range n.transports {
		t.Connect(address, peer)
		peer.Disconnect(self)
		peer.Connect(self, t)
	}
	n.transports[self] = t
	return t, nil
}

// openVoters opens all of them at once: none is ready before a majority is there.
func openVoters(t *testing.T, configs []Config) []*Quorum {
	t.Helper()
	quorums := make([]*Quorum, len(configs))
	var all sync.WaitGroup
	for i, cfg := range configs {
		all.Go(func() {
			q, err := Open(cfg)
			if err != nil {
				t.Error(err)
				return
			}
			quorums[i] = q
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, q := range quorums {
			q.Kill()
		}
	})
	return quorums
}

// leaderOf is the voter that leads, once there is one.
func leaderOf(t *testing.T, quorums []*Quorum) *Quorum {
	t.Helper()
	var leader *Quorum
	eventually(t, "a leader", func() bool {
		for _, q := range quorums {
			if q != nil && q.raft.State() == raft.Leader && q.Image().Controller() == q.cfg.NodeID && q.Image().controllerTerm == q.raft.CurrentTerm() {
				leader = q
				return true
			}
		}
		return false
	})
	return leader
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-end.C:
			t.Fatalf("no %s", what)
		}
	}
}

func sameImages(t *testing.T, quorums []*Quorum, want *Image) {
	t.Helper()
	eventually(t, "agreement", func() bool {
		for _, q := range quorums {
			if !bytes.Equal(encodeImage(q.Image()), encodeImage(want)) {
				return false
			}
		}
		return true
	})
}

func TestThreeVoters(t *testing.T) {
	n := &network{transports: make(map[raft.ServerAddress]*raft.InmemTransport)}
	voters := []Voter{{NodeID: 1}, {NodeID: 2}, {NodeID: 3}}
	configs := make([]Config, len(voters))
	for i, v := range voters {
		configs[i] = Config{
			Dir: t.TempDir(), NodeID: v.NodeID, Voters: voters, Transport: n.join,
			Timing: Timing{Heartbeat: 150 * time.Millisecond, Election: 150 * time.Millisecond, Lease: 100 * time.Millisecond},
		}
	}
	quorums := openVoters(t, configs)
	leader := leaderOf(t, quorums)
	for id := range int32(3) {
		if _, err := leader.RegisterBroker(t.Context(), Registration{NodeID: id + 1, Incarnation: newID()}); err != nil {
			t.Fatal(err)
		}
	}
	made := create(t, leader, TopicSpec{Name: "copied", Partitions: 6, ReplicationFactor: 3})[0]
	leads := make(map[int32]int)
	for _, p := range made.Partitions {
		leads[p.Leader]++
		if len(p.Replicas) != 3 || len(p.ISR) != 3 {
			t.Errorf("partition %+v", p)
		}
	}
	if len(leads) != 3 || leads[1] != 2 {
		t.Errorf("leaders %v: want two partitions each", leads)
	}
	sameImages(t, quorums, leader.Image())

	for i, q := range quorums {
		if q != leader {
			if _, err := q.AllocateProducerIDs(t.Context(), 1); !errors.Is(err, ErrNotController) {
				t.Errorf("proposal to a follower: %v", err)
			}
			continue
		}
		q.Kill() // the leader dies, the other two go on
		quorums[i] = nil
	}
	second := leaderOf(t, quorums)
	create(t, second, TopicSpec{Name: "later", Partitions: 1, ReplicationFactor: 1})
	for i, q := range quorums {
		if q == nil {
			back, err := Open(configs[i])
			if err != nil {
				t.Fatal(err)
			}
			quorums[i] = back
		}
	}
	sameImages(t, quorums, leaderOf(t, quorums).Image())
	if _, ok := quorums[0].Image().Topic("later"); !ok {
		t.Error("the topic of the second leader is missing")
	}
}

// TestVotersOverTCP is two voters on real sockets.
func TestVotersOverTCP(t *testing.T) {
	voters := []Voter{{NodeID: 1, Address: freeAddress(t)}, {NodeID: 2, Address: freeAddress(t)}}
	var configs []Config
	for _, v := range voters {
		configs = append(configs, Config{
			Dir: t.TempDir(), NodeID: v.NodeID, Voters: voters, ListenAddress: v.Address,
			Timing: Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, Lease: 150 * time.Millisecond},
		})
	}
	quorums := openVoters(t, configs)
	leader := leaderOf(t, quorums)
	register(t, leader, 1, false)
	create(t, leader, topic("t", 1))
	sameImages(t, quorums, leader.Image())
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
