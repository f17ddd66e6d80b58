package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestPipeCarriesBytes(t *testing.T) {
	l := Pipe()
	defer l.Close()
	a, err := l.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 3<<20)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), r.IntN(200_000)+1)
			if _, err := a.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
		a.Close()
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, errPipeBroken) {
		t.Errorf("write to a closed end: %v", err)
	}
	b.Close()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestPipeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe()
		written := make(chan int, 1)
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		go func() {
			n, err := a.Write(make([]byte, PipeBufferBytes+1))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			written <- n
		}()
		if n := <-written; n != PipeBufferBytes {
			t.Errorf("%d bytes went in", n)
		}
		if n, _ := io.ReadFull(b, make([]byte, PipeBufferBytes)); n != PipeBufferBytes {
			t.Errorf("%d bytes came out", n)
		}
		a.Close()
		b.Close()
	})
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe()
		defer a.Close()
		defer b.Close()
		start := time.Now()
		b.SetReadDeadline(start.Add(time.Hour))
		b.SetReadDeadline(start.Add(time.Minute)) // the earlier one counts
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		var timeout net.Error
		if _, err := b.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a deadline that passed stays passed: %v", err)
		}
		b.SetReadDeadline(time.Time{})
		done := make(chan error, 1)
		go func() { _, err := b.Read(make([]byte, 1)); done <- err }()
		synctest.Wait()
		b.SetDeadline(time.Now().Add(-time.Second)) // wakes the reader
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		b.SetDeadline(time.Time{})
		a.Write([]byte("x"))
		if n, err := b.Read(make([]byte, 9)); n != 1 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestPipeHalfClose(t *testing.T) {
	a, b := newPipe()
	a.Write([]byte("last words"))
	a.CloseWrite()
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	b.Write([]byte("answer"))
	b.Close()
	if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestPipeListenerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Pipe()
		never, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range pipeBacklog - 1 {
			l.Dial(context.Background())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := l.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial into a full backlog: %v", err)
		}
		l.Close()
		l.Close()
		if _, err := never.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("dialed and never accepted: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
		if _, err := l.Dial(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial: %v", err)
		}
	})
}
