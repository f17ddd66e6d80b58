package partition

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/log/disk"
)

func TestPace(t *testing.T) {
	start := time.UnixMilli(testNow)
	tests := []struct {
		name    string
		appends int           // before each pass
		bytes   int64         // of each append
		every   time.Duration // between passes
		want    time.Duration // hold after ten passes, asked at the time of the last one with one append waiting
	}{
		{"one client that waits for each ack", 1, 1 << 10, 200 * time.Microsecond, 0},
		{"two of them", 2, 1 << 10, 400 * time.Microsecond, 0},
		{"rare", 1, 1 << 10, time.Second, 0},
		{"a burst in a pass", pacedAppends, 1 << 10, time.Millisecond, passPeriod},
		{"single appends, faster than a client can wait for", 1, 1 << 10, 50 * time.Microsecond, passPeriod},
		{"large appends", pacedAppends, holdBytes, time.Millisecond, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p pace
			now := start
			for range 40 {
				now = now.Add(test.every)
				for range test.appends {
					p.add(test.bytes)
				}
				p.begin(now)
			}
			p.add(test.bytes)
			if got := p.hold(now); got != test.want {
				t.Errorf("the next pass is held for %v, want %v", got, test.want)
			}
			if got := p.hold(now.Add(passPeriod)); got != 0 {
				t.Errorf("it is held for %v after a period", got)
			}
		})
	}
}

// TestPacedPasses appends one record every 50 µs: each is durable within a period, and passes begin no more than once a period.
func TestPacedPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marksSyncs atomic.Int64
		fsys := disk.NewFaulty(disk.NewMemory(), func(o disk.Op) error {
			if o.Kind == disk.OpSync && o.Name == marksFile {
				marksSyncs.Add(1)
			}
			return nil
		})
		d := mustOpen(t, testConfig(fsys, Fsync))
		if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, testID(0))
		mustAppend(t, l, plain(t, "alone"))
		synctest.Wait()
		if got := l.Durable(); got != 1 {
			t.Fatalf("a record that comes alone is not synced at once: durable %d", got)
		}
		before := d.flusher.passes.Load()
		marksSyncs.Store(0)
		const every, count = 50 * time.Microsecond, 2000
		appended := make(map[int64]time.Time)
		worst, known := time.Duration(0), l.Durable()
		for i := range count {
			a := mustAppend(t, l, plain(t, fmt.Sprint(i)))
			appended[a.Base] = time.Now()
			time.Sleep(every) // virtual
			synctest.Wait()
			for now := l.Durable(); known < now; known++ {
				worst = max(worst, time.Since(appended[known]))
			}
		}
		passes := d.flusher.passes.Load() - before
		if most := int64(count*every/passPeriod) + pacedRate + 2; passes > most {
			t.Errorf("%d passes in %v, want at most %d", passes, count*every, most)
		}
		if got := marksSyncs.Load(); got < passes-1 {
			t.Errorf("marks were synced %d times in %d passes: each pass syncs those of the pass before", got, passes)
		}
		if worst > passPeriod+every {
			t.Errorf("a record waited %v for its sync, want at most %v", worst, passPeriod)
		}
		time.Sleep(passPeriod + marksDelay) // virtual
		synctest.Wait()
		if l.Durable() != l.End() || d.marks.dirty() {
			t.Errorf("after the last append: durable %d of %d, marks unsynced: %v", l.Durable(), l.End(), d.marks.dirty())
		}
		d.Kill()
	})
}

// TestHeldPassEndsEarly: enough bytes end the wait.
func TestHeldPassEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustOpen(t, testConfig(disk.NewMemory(), Fsync))
		if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, d, testID(0))
		for range 2 * pacedRate { // no virtual time passes: the next pass is paced
			mustAppend(t, l, plain(t, "small"))
			synctest.Wait()
		}
		if l.Durable() == l.End() {
			t.Fatal("the pass is not held")
		}
		mustAppend(t, l, plain(t, string(make([]byte, holdBytes))))
		synctest.Wait()
		if l.Durable() != l.End() {
			t.Errorf("%d bytes wait: durable %d of %d", holdBytes, l.Durable(), l.End())
		}
		d.Kill()
	})
}
