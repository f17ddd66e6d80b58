package replica

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"uuid"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
)

// patience bounds every wait: only a hanging test meets it.
const patience = 20 * time.Second

func lead(t *testing.T, fsys disk.FS) *Leader {
	t.Helper()
	d, err := partition.OpenDirectory(partition.DirectoryConfig{FS: fsys, ReserveBytes: -1, PreallocateStep: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	id := partition.ID{Topic: uuid.New()}
	if err := d.Create(partition.Spec{ID: id, Name: "t"}); err != nil {
		t.Fatal(err)
	}
	log, err := d.Log(id)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Lead(log, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func appendOne(t *testing.T, l *Leader) int64 {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	b.Add(time.Now().UnixMilli(), nil, []byte("v"))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Append(batch)
	if err != nil {
		t.Fatal(err)
	}
	return a.Next
}

// wait blocks until cond holds, and wakes up for the watcher only.
func wait(t *testing.T, w *Watcher, cond func() bool) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !cond() {
		select {
		case <-w.C:
		case <-timeout.C:
			t.Error("the watcher does not fire")
			return
		}
	}
}

// TestNoWakeUpIsLost: many wait for the end of their own batch while all of them append.
func TestNoWakeUpIsLost(t *testing.T) {
	l := lead(t, disk.NewMemory())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w := NewWatcher()
			defer l.Unwatch(w)
			for range 100 {
				next := appendOne(t, l)
				l.Watch(w, next)
				wait(t, w, func() bool { return l.HighWatermark() >= next })
			}
		})
	}
	all.Wait()
	if hw := l.HighWatermark(); hw != 800 {
		t.Errorf("the high watermark is %d", hw)
	}
}

// TestWatcherFires: for a start that moves, a leader that stops, a disk that fails; and at once if that was before.
func TestWatcherFires(t *testing.T) {
	var broken atomic.Bool
	fsys := disk.NewFaulty(disk.NewMemory(), func(o disk.Op) error {
		if broken.Load() && o.Kind == disk.OpSync && strings.HasSuffix(o.Name, "0.log") {
			return syscall.EIO
		}
		return nil
	})
	l := lead(t, fsys)
	w := NewWatcher()
	l.Watch(w, 1)
	next := appendOne(t, l)
	wait(t, w, func() bool { return l.HighWatermark() >= next })

	l.Watch(w, 1000)
	if _, err := l.Log().DeleteBefore(1); err != nil {
		t.Fatal(err)
	}
	wait(t, w, func() bool { return l.Log().Start() == 1 })

	l.Watch(w, 1000)
	broken.Store(true)
	appendOne(t, l)
	wait(t, w, func() bool { return l.Log().Err() != nil })
	if hw := l.HighWatermark(); hw != 1 {
		t.Errorf("after the failed sync the high watermark is %d", hw)
	}
	late := NewWatcher()
	l.Watch(late, 1000)
	select {
	case <-late.C:
	case <-time.After(patience):
		t.Error("who comes after the failure is not told")
	}
	l.Stop(ErrNotLeader)
	wait(t, w, func() bool { return l.Err() != nil })
	if _, err := l.Append(nil); !errors.Is(err, ErrNotLeader) {
		t.Errorf("append after the stop: %v", err)
	}
	l.Unwatch(w)
	l.Unwatch(late)
	if n := len(l.mu.watchers); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}
