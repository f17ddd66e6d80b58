package coordinator

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTimer: Tick comes when the machine wants it, in virtual time, and again a second after its append failed.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		machine := &register{}
		h := led(t, log, func(c *Config) { c.New = func() Machine { return machine } })
		defer h.Close()
		now(t, submit(t.Context(), h, writeLater("a")))
		time.Sleep(time.Minute - time.Millisecond)
		wantWords(t, h, 1)
		log.change(func() { log.refuse = errors.New("no space") })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := machine.ticked.Load(); n > 35 {
			t.Fatalf("%d ticks while appends fail", n)
		}
		log.change(func() { log.refuse = nil })
		time.Sleep(2 * time.Second)
		wantWords(t, h, 2)
		ticked := machine.ticked.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if machine.ticked.Load() != ticked {
			t.Fatal("ticks without need")
		}
	})
}

// TestEach reaches every partition that is served, and others do not hide an error.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHost(Config{Topic: "words", Partitions: 3, New: func() Machine { return &register{} }})
		defer h.Close()
		logs := []*fakeLog{newFakeLog(), newFakeLog()}
		h.Elect(0, 1, logs[0])
		h.Elect(2, 1, logs[1])
		synctest.Wait()
		one := func(int32, Machine, time.Duration) Effects { return Effects{Records: []Record{{Key: []byte("k")}}} }
		if err := h.Each(one); err != nil {
			t.Fatal(err)
		}
		logs[0].change(func() { logs[0].refuse = errors.New("no space") })
		if err := h.Each(one); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if logs[0].size() != 1 || logs[1].size() != 2 {
			t.Fatalf("ends are %d and %d", logs[0].size(), logs[1].size())
		}
		if _, err := h.SubmitTo(t.Context(), 1, Client{}, read()); !errors.Is(err, ErrNotCoordinator) {
			t.Fatalf("got %v", err)
		}
		if _, err := h.SubmitTo(t.Context(), 3, Client{}, read()); !errors.Is(err, ErrNotCoordinator) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestPartitionFor knows what Java's String.hashCode says.
func TestPartitionFor(t *testing.T) {
	h := NewHost(Config{New: func() Machine { return &register{} }})
	defer h.Close()
	for key, hash := range map[string]int32{"": 0, "a": 97, "my-group": -1906497762, "polygenelubricants": -2147483648, "Grüße😀": 2093215770} {
		if got, want := h.PartitionFor(key), (hash&0x7fffffff)%50; got != want {
			t.Errorf("PartitionFor(%q) = %d, want %d", key, got, want)
		}
	}
}

// TestManyAtOnce: requests, resignations and elections from many goroutines; what was acknowledged is in the log in the end.
func TestManyAtOnce(t *testing.T) {
	log := newFakeLog()
	h := NewHost(Config{Topic: "words", Partitions: 1, New: func() Machine { return &register{} }})
	h.Elect(0, 1, log)
	var writers sync.WaitGroup
	var mu sync.Mutex
	acked := int64(0)
	for range 8 {
		writers.Go(func() {
			for range 200 {
				_, err := h.Submit(t.Context(), "key", Client{}, write("x"))
				if err == nil {
					mu.Lock()
					acked++
					mu.Unlock()
				} else if !errors.Is(err, ErrLoading) && !errors.Is(err, ErrNotCoordinator) {
					t.Error(err)
				}
			}
		})
	}
	for epoch := range int32(20) {
		h.Elect(0, epoch+2, log)
	}
	writers.Wait()
	h.Close()
	if log.size() < acked {
		t.Fatalf("%d acknowledged, %d in the log", acked, log.size())
	}
}
