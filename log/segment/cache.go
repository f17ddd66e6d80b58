package segment

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/log/disk"
)

// handle is an open log file with a count of who holds it, and, for a sealed segment, its indexes once somebody needed them.
type handle struct {
	file    disk.File
	refs    atomic.Int32 // the file is closed when this reaches 0; never raised from 0
	indexes atomic.Pointer[indexes]
	loading sync.Mutex // over loading the indexes
}

// indexes are the two indexes of a sealed segment. Read-only.
type indexes struct {
	offsets []IndexEntry
	times   []TimeEntry
	found   bool // there was a file, whatever was in it
}

func newHandle(f disk.File) *handle {
	h := &handle{file: f}
	h.refs.Store(1)
	return h
}

// retain takes a reference unless the file is closed already.
func (h *handle) retain() bool {
	for {
		n := h.refs.Load()
		if n == 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back. The error of closing a file that was only read tells nothing; written ones are synced before.
func (h *handle) release() {
	n := h.refs.Add(-1)
	if n < 0 {
		panic("BUG: a segment file was released twice")
	}
	if n == 0 {
		_ = h.file.Close()
	}
}

// Cache keeps the files of sealed segments open between reads, the least recently used ones up to a bound. Segments of a whole log directory share
// one. Safe for concurrent use; no lock is held while a file is opened.
type Cache struct {
	limit int
	mu    struct {
		sync.Mutex
		open map[*Segment]*list.Element
		used list.List // of cached, most recently used first
	}
}

type cached struct {
	segment *Segment
	handle  *handle
}

// NewCache returns a cache of at most limit files (at least one).
func NewCache(limit int) *Cache {
	c := &Cache{limit: max(limit, 1)}
	c.mu.open = make(map[*Segment]*list.Element)
	return c
}

// Len is the number of files the cache holds open.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.open)
}

// get returns the open file of a segment with a reference for the caller.
func (c *Cache) get(s *Segment) (*handle, error) {
	if h := c.lookup(s); h != nil {
		return h, nil
	}
	f, err := s.cfg.FS.Open(s.path(LogSuffix), disk.ReadOnly)
	if err != nil {
		return nil, err
	}
	h := newHandle(f)
	h.refs.Add(1) // one for the cache, one for the caller
	c.put(s, h)
	return h, nil
}

func (c *Cache) lookup(s *Segment) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.open[s]
	if e == nil {
		return nil
	}
	c.mu.used.MoveToFront(e)
	h := e.Value.(cached).handle
	if !h.retain() {
		panic("BUG: the cache holds a closed file")
	}
	return h
}

// put gives a reference to the cache, in the place of an older one. It takes none for a segment that is gone.
func (c *Cache) put(s *Segment, h *handle) {
	var drop []*handle
	c.mu.Lock()
	if e := c.mu.open[s]; e != nil {
		drop = append(drop, c.evict(e)) // its indexes may be from before the last appends
	}
	if s.gone {
		drop = append(drop, h)
	} else {
		c.mu.open[s] = c.mu.used.PushFront(cached{segment: s, handle: h})
		for len(c.mu.open) > c.limit {
			drop = append(drop, c.evict(c.mu.used.Back()))
		}
	}
	c.mu.Unlock()
	for _, h := range drop {
		h.release()
	}
}

// drop closes what is open of a segment (for the cache: readers keep theirs) and keeps it from being cached again.
func (c *Cache) drop(s *Segment) {
	c.mu.Lock()
	s.gone = true
	var h *handle
	if e := c.mu.open[s]; e != nil {
		h = c.evict(e)
	}
	c.mu.Unlock()
	if h != nil {
		h.release()
	}
}

// evict is called with mu held; the caller releases what it returns.
func (c *Cache) evict(e *list.Element) *handle {
	v := c.mu.used.Remove(e).(cached)
	delete(c.mu.open, v.segment)
	return v.handle
}
