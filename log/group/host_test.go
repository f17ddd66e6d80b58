package group

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/record"
)

// memoryLog is a partition that commits at once.
type memoryLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end     int64
}

func (l *memoryLog) Append(b record.Batch) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := append(record.Batch{}, b...)
	kept.SetBaseOffset(l.end)
	l.batches = append(l.batches, kept)
	l.end += int64(kept.Count())
	return l.end, nil
}

func (l *memoryLog) Read(_ int64, fn func(record.Batch) error) (int64, error) {
	for _, b := range l.batches {
		if err := fn(b); err != nil {
			return 0, err
		}
	}
	return l.end, nil
}

func (l *memoryLog) Await(context.Context, int64) error { return nil }

func hosted(log coordinator.Log) *coordinator.Host {
	ids := 0
	newID := func(prefix string) string { ids++; return fmt.Sprintf("%s-%d", prefix, ids) }
	h := coordinator.NewHost(coordinator.Config{Partitions: 1, New: func() coordinator.Machine { return New(Config{NewMemberID: newID}) }})
	h.Elect(0, 1, log)
	synctest.Wait()
	return h
}

// TestHosted: on a real host, in virtual time, a member whose process died is out after its session, whether it was parked or not; the group and
// its offsets survive a restart.
func TestHosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{}
		h := hosted(log)
		do := func(req kmsg.Request) kmsg.Response {
			t.Helper()
			response, err := h.Submit(t.Context(), "g", Client{ID: "a"}, req)
			if err != nil {
				t.Fatal(err)
			}
			return response
		}
		beat := func(id string, generation int32) int16 {
			q := kmsg.NewPtrHeartbeatRequest()
			q.Group, q.MemberID, q.Generation = "g", id, generation
			return do(q).(*kmsg.HeartbeatResponse).ErrorCode
		}
		do(joinAs(3, ""))
		do(syncAs("a-1", 1, "a-1=p0"))
		do(commitAs("a-1", 1, 5))

		ctx, die := context.WithCancel(t.Context())
		dead := make(chan error)
		go func() {
			_, err := h.Submit(ctx, "g", Client{ID: "b"}, joinAs(3, ""))
			dead <- err
		}()
		synctest.Wait()
		die()
		if err := <-dead; err == nil {
			t.Fatal("a join without a connection was answered")
		}
		if code := beat("a-1", 1); code != rebalanceInProgress {
			t.Fatalf("heartbeat: %s", codeNames[code])
		}
		begin := time.Now()
		rejoined := do(joinAs(9, "a-1")).(*kmsg.JoinGroupResponse) // waits for the dead member's session
		if took := time.Since(begin); took != 10*time.Second || rejoined.Generation != 2 || len(rejoined.Members) != 1 {
			t.Fatalf("joined after %v: %+v", took, rejoined)
		}
		do(syncAs("a-1", 2, "a-1=p0"))
		h.Close()

		h = hosted(log)
		defer h.Close()
		if code := beat("a-1", 2); code != noError {
			t.Fatalf("heartbeat after the restart: %s", codeNames[code])
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if code := beat("a-1", 2); code != unknownMemberID {
			t.Fatalf("heartbeat after the session: %s", codeNames[code])
		}
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Version, fetch.Group = 5, "g"
		if got := do(fetch).(*kmsg.OffsetFetchResponse).Topics[0].Partitions[0].Offset; got != 5 {
			t.Fatalf("offset %d, want 5", got)
		}
	})
}

// BenchmarkCommit is one committed offset through host and machine, without a disk.
func BenchmarkCommit(b *testing.B) {
	log := &memoryLog{}
	h := coordinator.NewHost(coordinator.Config{Partitions: 1, New: func() coordinator.Machine {
		return New(Config{NewMemberID: func(prefix string) string { return prefix }})
	}})
	defer h.Close()
	h.Elect(0, 1, log)
	for len(h.Served()) == 0 {
		runtime.Gosched()
	}
	req := commitAs("", -1, 5)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Submit(b.Context(), "g", Client{}, req); err != nil {
			b.Fatal(err)
		}
		log.batches = log.batches[:0]
	}
}
