package broker

import (
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Epochs with a meaning of their own (KIP-227).
const (
	sessionlessEpoch = -1 // a full fetch outside a session; an id that comes with it is closed
	initialEpoch     = 0  // a full fetch that opens a session; an id that comes with it is closed
)

// evictAfter is how long a session must have been idle before a newcomer may take its slot.
const evictAfter = 2 * time.Minute

// sessions are the incremental fetch sessions of this node, at most limit.
type sessions struct {
	limit int
	now   func() time.Time

	mu struct {
		sync.Mutex
		byID map[int32]*fetchSession
		next int32
	}
}

// fetchSession remembers what a client fetches and what it was last told. Its mutex guards everything but id; it nests inside no other.
type fetchSession struct {
	id       int32
	byID     bool // keyed by topic id: a session cannot change between names and ids
	mu       sync.Mutex
	epoch    int32 // of the next request
	order    []*sessionPart
	parts    map[fetchKey]*sessionPart
	lastUsed time.Time
}

// sessionPart is one partition of a session, with what the client was last told of it.
type sessionPart struct {
	fetchPart
	highWatermark, stable, start int64
	fresh                        bool // tell it whatever it is: just added, or its last answer was an error
}

func newSessions(limit int, now func() time.Time) *sessions {
	s := &sessions{limit: limit, now: now}
	s.mu.byID = make(map[int32]*fetchSession)
	return s
}

// begin applies the session rules to a decoded request.
func (s *sessions) begin(req *kmsg.FetchRequest) (*fetchRequest, *kerr.Error) {
	f := &fetchRequest{
		version: req.Version, minBytes: int(req.MinBytes), maxBytes: int(req.MaxBytes), full: true,
		wait: min(time.Duration(req.MaxWaitMillis)*time.Millisecond, maxFetchWait),
	}
	if req.Version < fetchSessionMin || req.SessionEpoch == sessionlessEpoch || req.SessionEpoch == initialEpoch {
		if req.SessionID != 0 {
			s.close(req.SessionID)
		}
		f.parts = requestedParts(req)
		if req.Version >= fetchSessionMin && req.SessionEpoch == initialEpoch {
			f.session = s.open(req.Version >= fetchByTopicID, f.parts)
		}
		return f, nil
	}
	session := s.find(req.SessionID)
	if session == nil {
		return nil, kerr.FetchSessionIDNotFound
	}
	if session.byID != (req.Version >= fetchByTopicID) {
		return nil, kerr.FetchSessionTopicIDError
	}
	parts, kafka := session.next(req, s.now())
	if kafka != nil {
		return nil, kafka
	}
	f.session, f.parts, f.full = session, parts, false
	return f, nil
}

// requestedParts are the partitions of a full request, in its order.
func requestedParts(req *kmsg.FetchRequest) []fetchPart {
	var parts []fetchPart
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			part := fetchPart{
				key: fetchKey{t.Topic, t.TopicID, p.Partition}, offset: p.FetchOffset, maxBytes: p.PartitionMaxBytes,
				leaderEpoch: -1, lastFetchedEpoch: -1,
			}
			if req.Version >= 9 {
				part.leaderEpoch = p.CurrentLeaderEpoch
			}
			if req.Version >= 12 {
				part.lastFetchedEpoch = p.LastFetchedEpoch
			}
			parts = append(parts, part)
		}
	}
	return parts
}

// open makes a session, or returns nil when every slot is in use: the fetch then stays sessionless.
func (s *sessions) open(byID bool, parts []fetchPart) *fetchSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.mu.byID) >= s.limit && !s.evict(now) {
		return nil
	}
	for s.mu.next++; s.mu.next <= 0 || s.mu.byID[s.mu.next] != nil; s.mu.next++ {
		if s.mu.next < 0 {
			s.mu.next = 0
		}
	}
	session := &fetchSession{id: s.mu.next, byID: byID, epoch: 1, parts: make(map[fetchKey]*sessionPart, len(parts)), lastUsed: now}
	for _, p := range parts {
		session.put(p)
	}
	s.mu.byID[session.id] = session
	return session
}

// evict frees the slot of the session that has been idle longest, if it was idle long enough.
func (s *sessions) evict(now time.Time) bool {
	var oldest *fetchSession
	var since time.Time
	for _, session := range s.mu.byID {
		session.mu.Lock()
		used := session.lastUsed
		session.mu.Unlock()
		if oldest == nil || used.Before(since) {
			oldest, since = session, used
		}
	}
	if oldest == nil || now.Sub(since) < evictAfter {
		return false
	}
	delete(s.mu.byID, oldest.id)
	return true
}

func (s *sessions) find(id int32) *fetchSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.byID[id]
}

func (s *sessions) close(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.byID, id)
}

// next checks the epoch of an incremental request, merges its changes and returns everything the session fetches now.
func (fs *fetchSession) next(req *kmsg.FetchRequest, now time.Time) ([]fetchPart, *kerr.Error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if req.SessionEpoch != fs.epoch {
		return nil, kerr.InvalidFetchSessionEpoch
	}
	if fs.epoch == math.MaxInt32 {
		fs.epoch = 0
	}
	fs.epoch++
	fs.lastUsed = now
	for _, p := range requestedParts(req) {
		fs.put(p)
	}
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, index := range t.Partitions {
			fs.forget(fetchKey{t.Topic, t.TopicID, index})
		}
	}
	parts := make([]fetchPart, len(fs.order))
	for i, p := range fs.order {
		parts[i] = p.fetchPart
	}
	return parts, nil
}

func (fs *fetchSession) put(p fetchPart) {
	if known := fs.parts[p.key]; known != nil {
		known.fetchPart = p
		return
	}
	added := &sessionPart{fetchPart: p, fresh: true}
	fs.parts[p.key] = added
	fs.order = append(fs.order, added)
}

func (fs *fetchSession) forget(key fetchKey) {
	gone := fs.parts[key]
	if gone == nil {
		return
	}
	delete(fs.parts, key)
	for i, p := range fs.order {
		if p == gone {
			fs.order = append(fs.order[:i], fs.order[i+1:]...)
			return
		}
	}
}

// finish notes what the client is told, and from an incremental reply drops what did not change. A partition that sent records goes to the end
// of the order, so that a busy one cannot starve the others.
func (fs *fetchSession) finish(answers []fetched, full bool) []fetched {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	kept := answers[:0]
	for _, a := range answers {
		p := fs.parts[a.part.key]
		if p == nil { // forgotten meanwhile
			a.region.Release()
			continue
		}
		sent := a.region.Size() > 0
		changed := p.fresh || a.code != 0 || a.divergeEpoch >= 0 || sent ||
			a.highWatermark != p.highWatermark || a.stable != p.stable || a.start != p.start
		p.fresh = a.code != 0
		p.highWatermark, p.stable, p.start = a.highWatermark, a.stable, a.start
		switch {
		case full || changed:
			kept = append(kept, a)
		default:
			a.region.Release()
		}
		if sent {
			fs.moveToEnd(p)
		}
	}
	return kept
}

func (fs *fetchSession) moveToEnd(p *sessionPart) {
	for i, q := range fs.order {
		if q == p {
			copy(fs.order[i:], fs.order[i+1:])
			fs.order[len(fs.order)-1] = p
			return
		}
	}
}
