package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// fakeLog is a partition in memory whose high watermark the test moves.
type fakeLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end     int64
	hw      int64
	auto    bool          // the high watermark follows the end
	refuse  error         // appends fail
	room    int           // but so many succeed first
	lost    error         // Await fails
	moved   chan struct{} // closed and renewed when something changed
	gate    chan struct{} // Read waits for it, if set
}

func newFakeLog() *fakeLog { return &fakeLog{auto: true, moved: make(chan struct{})} }

func (l *fakeLog) change(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
	if l.auto {
		l.hw = l.end
	}
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *fakeLog) Append(b record.Batch) (int64, error) {
	if err := b.Check(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	refuse := l.refuse
	if refuse != nil && l.room > 0 {
		l.room--
		refuse = nil
	}
	l.mu.Unlock()
	if refuse != nil {
		return 0, refuse
	}
	kept := append(record.Batch{}, b...)
	l.change(func() {
		kept.SetBaseOffset(l.end)
		l.batches = append(l.batches, kept)
		l.end += int64(kept.Count())
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end, nil
}

func (l *fakeLog) Read(offset int64, fn func(record.Batch) error) (int64, error) {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	batches, end := l.batches, l.end
	l.mu.Unlock()
	for _, b := range batches {
		if b.LastOffset() < offset {
			continue
		}
		lent := append(record.Batch{}, b...)
		if err := fn(lent); err != nil {
			return b.BaseOffset(), err
		}
		clear(lent) // it was valid during the call only
	}
	return end, nil
}

func (l *fakeLog) Await(ctx context.Context, offset int64) error {
	for {
		l.mu.Lock()
		hw, lost, moved := l.hw, l.lost, l.moved
		l.mu.Unlock()
		switch {
		case lost != nil:
			return lost
		case hw >= offset:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *fakeLog) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// register is a small Machine: a list of words. A LeaveGroup request stands for "write the member ids", a Heartbeat for "how many are there" (the
// throttle time is the number), a SyncGroup for "park till the next write". After a write to the group "later", Tick writes one more a minute later.
type register struct {
	words  [][]byte
	parked []Reply
	timer  time.Duration
	armed  bool
	ticked atomic.Int32
}

func (r *register) Handle(now time.Duration, token uint64, _ Client, req kmsg.Request) Effects {
	switch q := req.(type) {
	case *kmsg.LeaveGroupRequest:
		response := q.ResponseKind().(*kmsg.LeaveGroupResponse)
		e := Effects{Replies: append(r.parked, Reply{Token: token, Response: response})}
		for _, member := range q.Members {
			e.Records = append(e.Records, Record{Key: []byte("k"), Value: []byte(member.MemberID)})
		}
		if q.Group == "later" {
			r.timer, r.armed = now+time.Minute, true
		}
		return e
	case *kmsg.SyncGroupRequest:
		r.parked = append(r.parked, Reply{Token: token, Response: q.ResponseKind()})
		return Effects{}
	case *kmsg.HeartbeatRequest:
		response := q.ResponseKind().(*kmsg.HeartbeatResponse)
		response.ThrottleMillis = int32(len(r.words))
		return Effects{Replies: []Reply{{Token: token, Response: response}}}
	}
	panic(fmt.Sprintf("BUG: %T", req))
}

func (r *register) Tick(now time.Duration) Effects {
	r.ticked.Add(1)
	if !r.armed || now < r.timer {
		return Effects{}
	}
	return Effects{Records: []Record{{Key: []byte("tick"), Value: []byte("tick")}}}
}

func (r *register) NextTick() (time.Duration, bool) { return r.timer, r.armed }

func (r *register) Cancel(_ time.Duration, token uint64) Effects {
	for i, p := range r.parked {
		if p.Token == token {
			r.parked = append(r.parked[:i:i], r.parked[i+1:]...)
			break
		}
	}
	return Effects{}
}

func (r *register) Apply(record Record, offset int64) error {
	if offset != int64(len(r.words)) {
		return fmt.Errorf("record at offset %d after %d words", offset, len(r.words))
	}
	if string(record.Value) == "poison" {
		return errors.New("poison")
	}
	if string(record.Key) == "tick" {
		r.armed = false
	}
	r.words = append(r.words, record.Value)
	r.parked = nil
	return nil
}

func (r *register) Unload() Effects {
	for _, p := range r.parked {
		p.Response.(*kmsg.SyncGroupResponse).ErrorCode = 16
	}
	return Effects{Replies: r.parked}
}

func write(words ...string) *kmsg.LeaveGroupRequest {
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Version = 5
	for _, word := range words {
		q.Members = append(q.Members, kmsg.LeaveGroupRequestMember{MemberID: word})
	}
	return q
}

func writeLater(word string) *kmsg.LeaveGroupRequest {
	q := write(word)
	q.Group = "later"
	return q
}

func read() *kmsg.HeartbeatRequest   { return kmsg.NewPtrHeartbeatRequest() }
func park() *kmsg.SyncGroupRequest   { return kmsg.NewPtrSyncGroupRequest() }
func words(r kmsg.Response) int32    { return r.(*kmsg.HeartbeatResponse).ThrottleMillis }
func syncCode(r kmsg.Response) int16 { return r.(*kmsg.SyncGroupResponse).ErrorCode }
