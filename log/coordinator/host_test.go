package coordinator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// led is a host that leads partition 0 of one, with its log.
func led(t *testing.T, log *fakeLog, change ...func(*Config)) *Host {
	t.Helper()
	cfg := Config{Topic: "words", Partitions: 1, New: func() Machine { return &register{} }}
	for _, c := range change {
		c(&cfg)
	}
	h := NewHost(cfg)
	h.Elect(0, 1, log)
	synctest.Wait()
	return h
}

// answer is what one Submit returned.
type answer struct {
	response kmsg.Response
	err      error
}

func submit(ctx context.Context, h *Host, req kmsg.Request) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		response, err := h.Submit(ctx, "key", Client{}, req)
		ch <- answer{response, err}
	}()
	return ch
}

// now returns the answer that must be there, pending checks that there is none.
func now(t *testing.T, ch <-chan answer) answer {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-ch:
		return a
	default:
		t.Fatal("no answer yet")
		return answer{}
	}
}

func pending(t *testing.T, ch <-chan answer) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-ch:
		t.Fatalf("answered %v, %v too early", a.response, a.err)
	default:
	}
}

func wantWords(t *testing.T, h *Host, want int32) {
	t.Helper()
	a := now(t, submit(t.Context(), h, read()))
	if a.err != nil || words(a.response) != want {
		t.Fatalf("read %v, %v, want %d words", a.response, a.err, want)
	}
}

// TestNoReplyBeforeTheHighWatermark: neither a write nor a read that saw it is answered before it is committed (M06); one move of the high
// watermark answers all.
func TestNoReplyBeforeTheHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log)
		defer h.Close()
		log.auto = false
		first := submit(t.Context(), h, write("a"))
		pending(t, first)
		seen := submit(t.Context(), h, read())
		pending(t, seen)
		second := submit(t.Context(), h, write("b", "c"))
		pending(t, second)
		log.change(func() { log.hw = 1 })
		if a := now(t, first); a.err != nil {
			t.Fatal(a.err)
		}
		if a := now(t, seen); a.err != nil || words(a.response) != 1 {
			t.Fatalf("read %v, %v", a.response, a.err)
		}
		log.change(func() { log.hw = 2 }) // in the middle of the second batch
		pending(t, second)
		log.change(func() { log.hw = 3 })
		if a := now(t, second); a.err != nil {
			t.Fatal(a.err)
		}
	})
}

// TestFailedAppendChangesNothing: the request gets the error, so does whoever the reply would have released; the state is as before.
func TestFailedAppendChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		machine := &register{}
		h := led(t, log, func(c *Config) { c.New = func() Machine { return machine } })
		defer h.Close()
		now(t, submit(t.Context(), h, write("a")))
		released := submit(t.Context(), h, park())
		pending(t, released)
		full := errors.New("no space")
		log.change(func() { log.refuse = full })
		for _, ch := range []<-chan answer{submit(t.Context(), h, write("b")), released} {
			if a := now(t, ch); !errors.Is(a.err, ErrUnavailable) || !errors.Is(a.err, full) {
				t.Fatalf("got %v, want both ErrUnavailable and the cause", a.err)
			}
		}
		wantWords(t, h, 1)
		if len(machine.parked) != 0 {
			t.Fatal("the machine still has the token that was answered with the error")
		}
		log.change(func() { log.refuse = ErrTooLarge })
		if a := now(t, submit(t.Context(), h, write("b"))); !errors.Is(a.err, ErrTooLarge) || errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("got %v, want ErrTooLarge alone", a.err)
		}
		log.change(func() { log.refuse = nil })
		now(t, submit(t.Context(), h, write("b")))
		wantWords(t, h, 2)
	})
}

// TestLongEffectsAreCut: records go into batches of bounded size, and what was appended before a failure is applied, as a restart would.
func TestLongEffectsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log, func(c *Config) { c.BatchBytes = 100 })
		defer h.Close()
		long := make([]string, 10)
		for i := range long {
			long[i] = fmt.Sprintf("%050d", i)
		}
		now(t, submit(t.Context(), h, write(long...)))
		wantWords(t, h, 10)
		if n := len(log.batches); n != 10 {
			t.Fatalf("%d batches, want 10", n)
		}
		log.change(func() { log.refuse, log.room = errors.New("no space"), 3 })
		if a := now(t, submit(t.Context(), h, write(long...))); !errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("got %v", a.err)
		}
		wantWords(t, h, 13)
	})
}

// TestRestartEqual: what one host wrote another one loads, and requests are refused till it is done.
func TestRestartEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log)
		for i := range 100 {
			now(t, submit(t.Context(), h, write(fmt.Sprint(i))))
		}
		h.Close()
		if a := now(t, submit(t.Context(), h, read())); !errors.Is(a.err, ErrNotCoordinator) {
			t.Fatalf("after Close: %v", a.err)
		}
		log.gate = make(chan struct{})
		machine := &register{}
		h = led(t, log, func(c *Config) { c.New = func() Machine { return machine } })
		defer h.Close()
		if a := now(t, submit(t.Context(), h, read())); !errors.Is(a.err, ErrLoading) {
			t.Fatalf("while loading: %v (M19)", a.err)
		}
		if served := h.Served(); len(served) != 0 {
			t.Fatalf("serves %v while loading", served)
		}
		close(log.gate)
		synctest.Wait()
		wantWords(t, h, 100)
		for i, word := range machine.words {
			if string(word) != fmt.Sprint(i) {
				t.Fatalf("word %d was loaded as %q", i, word)
			}
		}
		if served := h.Served(); len(served) != 1 {
			t.Fatalf("serves %v", served)
		}
		machine = &register{}
		h.Elect(0, 1, newFakeLog()) // the same epoch again: nothing happens
		wantWords(t, h, 100)
		h.Elect(0, 2, log)
		synctest.Wait()
		wantWords(t, h, 100)
	})
}

// TestDamagedLogIsNotServed: a record that cannot be applied stops the partition, while loading and live.
func TestDamagedLogIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log)
		defer h.Close()
		waiting := submit(t.Context(), h, park())
		pending(t, waiting)
		if a := now(t, submit(t.Context(), h, write("poison"))); !errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("got %v", a.err)
		}
		if a := now(t, waiting); !errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("parked request got %v", a.err)
		}
		h.Elect(0, 2, log)
		synctest.Wait()
		if a := now(t, submit(t.Context(), h, read())); !errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("after loading poison: %v", a.err)
		}
	})
}

// TestCancelOnConnectionDeath: a parked request ends with its context, and the machine forgets it.
func TestCancelOnConnectionDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &register{}
		log := newFakeLog()
		h := led(t, log, func(c *Config) { c.New = func() Machine { return machine } })
		defer h.Close()
		gone := errors.New("connection reset")
		ctx, cancel := context.WithCancelCause(t.Context())
		parked := submit(ctx, h, park())
		pending(t, parked)
		cancel(gone)
		if a := now(t, parked); !errors.Is(a.err, gone) {
			t.Fatalf("got %v", a.err)
		}
		if len(machine.parked) != 0 {
			t.Fatal("the machine still has the token")
		}
		// The wait for the high watermark ends, too.
		log.auto = false
		ctx, cancel = context.WithCancelCause(t.Context())
		written := submit(ctx, h, write("a"))
		pending(t, written)
		cancel(gone)
		if a := now(t, written); !errors.Is(a.err, gone) {
			t.Fatalf("got %v", a.err)
		}
	})
}

// TestResignReleases: who is parked gets the machine's last answer, who waits for the high watermark ErrNotCoordinator.
func TestResignReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log)
		defer h.Close()
		log.auto = false
		written := submit(t.Context(), h, write("a"))
		pending(t, written)
		parked := submit(t.Context(), h, park())
		pending(t, parked)
		h.Resign(0)
		if a := now(t, parked); a.err != nil || syncCode(a.response) != 16 {
			t.Fatalf("parked: %v, %v", a.response, a.err)
		}
		if a := now(t, written); !errors.Is(a.err, ErrNotCoordinator) {
			t.Fatalf("written: %v", a.err)
		}
	})
}

// TestResignWhileLoading: the load ends, and its machine serves nobody.
func TestResignWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		now(t, func() <-chan answer {
			h := led(t, log)
			defer h.Close()
			return submit(t.Context(), h, read())
		}())
		log.gate = make(chan struct{})
		h := led(t, log)
		defer h.Close()
		resigned := make(chan struct{})
		go func() { h.Resign(0); close(resigned) }()
		synctest.Wait()
		close(log.gate)
		<-resigned
		if a := now(t, submit(t.Context(), h, read())); !errors.Is(a.err, ErrNotCoordinator) {
			t.Fatalf("got %v", a.err)
		}
	})
}

// TestLostLog: a log that cannot commit any more is the coordinator's failure, not an answer.
func TestLostLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		h := led(t, log)
		defer h.Close()
		log.auto = false
		written := submit(t.Context(), h, write("a"))
		pending(t, written)
		log.change(func() { log.lost = errors.New("fsync failed") })
		if a := now(t, written); !errors.Is(a.err, ErrUnavailable) {
			t.Fatalf("got %v", a.err)
		}
	})
}
