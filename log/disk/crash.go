package disk

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// ErrCrashed is what every call returns after the point where a test has cut the power.
var ErrCrashed = errors.New("the power is cut")

// Crash returns the disk as a power cut at this moment could leave it; m itself is unchanged, so that one moment can
// be looked at several times.
//
// Each unsynced block, each unsynced size and each unsynced directory entry is kept with a probability of keep percent,
// by itself; what is dropped is as of its last sync, and old entries of a rename or a remove come back. So a rename may
// leave both names or none. Only when a directory is moved both names share one fate, since no file system tells one
// directory apart under two names. With 0 and 100 nothing is left to chance, and rng may be nil. Data whose sync has
// failed is lost in any case. No lock is held on the new disk, and it has the same capacity.
func (m *Memory) Crash(keep int, rng *rand.Rand) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &cut{keep: keep, rng: rng, nodes: map[*node]*node{}, moved: map[*node]bool{}}
	after := newMemory(c.copy(m.mu.root), m.mu.capacity)
	for _, n := range c.nodes {
		for _, b := range n.blocks {
			if b != nil {
				after.mu.used += BlockBytes
			}
		}
	}
	return after
}

// cut is one power cut in progress.
type cut struct {
	keep  int // percent
	rng   *rand.Rand
	nodes map[*node]*node // old → new, so that two names of a file stay two names of one file
	moved map[*node]bool  // the fate of unsynced entries that are directories
}

func (c *cut) coin() bool {
	switch {
	case c.keep <= 0:
		return false
	case c.keep >= 100:
		return true
	}
	return c.rng.IntN(100) < c.keep
}

func (c *cut) copy(n *node) *node {
	if done := c.nodes[n]; done != nil {
		return done
	}
	if !n.isDir() {
		f := c.file(n)
		c.nodes[n] = f
		return f
	}
	d := newDir()
	c.nodes[n] = d
	left := maps.Clone(n.durable)
	for _, name := range slices.Sorted(maps.Keys(n.changed)) { // in order: the same seed gives the same disk
		now, was := n.entries[name], n.durable[name]
		if now == was || !c.entry(now, was) {
			continue
		}
		if now != nil {
			left[name] = now
		} else {
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		child := c.copy(left[name])
		child.names++
		d.entries[name], d.durable[name] = child, child
	}
	return d
}

// entry decides whether the change of an entry is kept.
func (c *cut) entry(now, was *node) bool {
	dir := now
	if dir == nil || !dir.isDir() {
		dir = was
	}
	if dir == nil || !dir.isDir() {
		return c.coin()
	}
	kept, decided := c.moved[dir]
	if !decided {
		kept = c.coin()
		c.moved[dir] = kept
	}
	return kept
}

func (c *cut) file(n *node) *node {
	f := newFile()
	f.size = n.syncedSize
	if n.sizeDirty && c.coin() {
		f.size = n.size
	}
	f.blocks = slices.Clone(n.synced)
	for _, i := range slices.Sorted(maps.Keys(n.dirty)) {
		if !c.coin() {
			continue
		}
		f.grow(i + 1)
		f.blocks[i] = nil
		if b := n.block(i); b != nil {
			kept := *b
			f.blocks[i] = &kept // n may still write to its own
		}
	}
	f.cut()
	f.synced, f.syncedSize = slices.Clone(f.blocks), f.size
	return f
}

// cut drops what lies past the end of the file.
func (n *node) cut() {
	count := int((n.size + BlockBytes - 1) / BlockBytes)
	if count < len(n.blocks) {
		n.blocks = n.blocks[:count]
	}
	tail := n.size % BlockBytes
	if tail == 0 || n.block(count-1) == nil {
		return
	}
	last := *n.blocks[count-1]
	clear(last[tail:])
	n.blocks[count-1] = &last
}

// CrashTest cuts the power after every call of a script that changes something on disk.
type CrashTest struct {
	// Keep lists the percentages of unsynced data to keep; nil means 0, 50 and 100.
	Keep []int
	// Seed decides, with the number of the call, what is kept in between.
	Seed uint64
	// Start makes the disk that the script finds; nil means an empty one.
	Start func() *Memory
	// Run is the script. It stops when calls begin to fail, and returns what must hold on the disk that is left;
	// that is called once for each percentage and gets a disk of its own.
	Run func(fsys FS) (check func(left *Memory) error)
}

// maxCrashPoints bounds a CrashTest: a script that does not end is an error, not a hang.
const maxCrashPoints = 100_000

// Each runs the script with the power cut before its first change, after its first, and so on, till the script runs
// through whole. It returns how many points there were, and the first error, which names the point, the call that was to
// come next, and the percentage.
func (t CrashTest) Each() (points int, err error) {
	for n := range maxCrashPoints {
		whole, err := t.Once(n)
		if err != nil || whole {
			return n + 1, err
		}
	}
	return maxCrashPoints, fmt.Errorf("script still runs after %d changes", maxCrashPoints)
}

// Once runs the script with the power cut after n changes. It tells whether the script ran through without a cut.
func (t CrashTest) Once(n int) (whole bool, err error) {
	m := NewMemory()
	if t.Start != nil {
		m = t.Start()
	}
	crash := CrashAfter(n)
	var first atomic.Pointer[Op] // that was refused
	faulty := NewFaulty(m, func(o Op) error {
		err := crash(o)
		if err != nil {
			first.CompareAndSwap(nil, &o)
		}
		return err
	})
	check := t.Run(faulty)
	whole = faulty.Changes() <= int64(n)
	keeps := t.Keep
	if keeps == nil {
		keeps = []int{0, 50, 100}
	}
	for _, keep := range keeps {
		left := m.Crash(keep, rand.New(rand.NewPCG(t.Seed, uint64(n))))
		if err := check(left); err != nil {
			before := "the end"
			if o := first.Load(); o != nil {
				before = o.String()
			}
			return whole, fmt.Errorf("power cut after change %d (before %s), %d %% kept: %w", n, before, keep, err)
		}
	}
	return whole, nil
}
