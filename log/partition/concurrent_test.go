package partition

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// TestAppendReadAndMaintainTogether runs writers, readers, retention and deletion beside each other on the real disk.
func TestAppendReadAndMaintainTogether(t *testing.T) {
	const writers, batches = 3, 150
	for _, mode := range []Durability{Fsync, Replicated} {
		fsys, err := disk.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(fsys, mode)
		cfg.OpenFiles, cfg.RetentionInterval, cfg.FlushInterval = 2, time.Millisecond, 2*time.Millisecond
		d := mustOpen(t, cfg)
		topic := Config{SegmentBytes: 6000, RetentionBytes: 20_000, IndexIntervalBytes: 500}
		specs := []Spec{{ID: testID(0), Name: "a", Config: topic}, {ID: testID(1), Name: "b", Config: topic}, {ID: testID(2), Name: "c", Config: topic}}
		if err := d.Create(specs...); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for p := range 2 {
			l := mustLog(t, d, testID(p))
			moved := make(chan struct{}, 1)
			l.SetProgress(func() {
				select {
				case moved <- struct{}{}:
				default:
				}
			})
			for w := range writers {
				wg.Go(func() { write(t, l, int64(w+1), batches) })
			}
			wg.Go(func() { follow(t, l, moved, writers*batches) })
		}
		wg.Go(func() {
			l := mustLog(t, d, testID(2))
			for n := range 20 {
				if _, err := l.Append(AppendRequest{Batch: plain(t, fmt.Sprint(n))}); err != nil {
					t.Error(err)
				}
			}
			if err := d.Delete(testID(2)); err != nil {
				t.Error(err)
			}
			if _, err := l.Append(AppendRequest{Batch: plain(t, "late")}); !errors.Is(err, ErrDeleted) {
				t.Error(err)
			}
		})
		wg.Wait()
		d.cleanUp() // the janitor need not have had its turn
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = reopen(t, cfg, specs[:2]...)
		for p := range 2 {
			if l := mustLog(t, d, testID(p)); l.End() != writers*batches || l.Start() == 0 {
				t.Errorf("%v: [%d, %d)", mode, l.Start(), l.End())
			}
		}
	}
}

func write(t *testing.T, l *Log, producer int64, batches int32) {
	for n := range batches {
		b := idempotent(t, producer, 0, n, strings.Repeat("v", int(n)))
		if l.End() == 0 && n > 0 {
			t.Error("the end went back")
		}
		if _, err := l.Append(AppendRequest{Batch: b}); err != nil {
			t.Errorf("producer %d, batch %d: %v", producer, n, err)
			return
		}
	}
}

// follow reads to the end as a consumer does, and over what retention took.
func follow(t *testing.T, l *Log, moved <-chan struct{}, end int64) {
	timeout := time.NewTimer(testTimeout)
	defer timeout.Stop()
	for at := int64(0); at < end; {
		r, err := l.Read(at, l.Watermark(), 3000, true)
		if outside, ok := errors.AsType[*RangeError](err); ok && at < outside.Start {
			at = outside.Start
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		if r.Size() == 0 {
			select {
			case <-moved:
			case <-timeout.C:
				t.Errorf("nothing to read at %d: watermark %d, end %d", at, l.Watermark(), l.End())
				return
			}
			continue
		}
		b := make([]byte, r.Size())
		if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Error(err)
		}
		r.Release()
		for len(b) > 0 {
			first, rest, err := record.Split(b)
			if err == nil {
				err = first.CheckStored()
			}
			if err != nil || first.NextOffset() <= at {
				t.Errorf("at %d: %v", at, err)
				return
			}
			at, b = first.NextOffset(), rest
		}
	}
}
