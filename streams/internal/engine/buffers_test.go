package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// The buffers of outer joins and of Suppress are restored from changelogs, which anybody can write to.

func outerJoin(b *streams.Builder) {
	left := streams.From(b, "left", serde.String, serde.String)
	right := streams.From(b, "right", serde.String, serde.String)
	left.OuterJoin(right, func(l, r *string) string {
		if l == nil {
			return "right " + *r
		}
		return "left " + *l
	}, streams.Within(10*time.Millisecond), streams.Stored("j")).To("out", serde.String, serde.String)
}

const outerJoinBuffer = "j-outer-shared-join-store"

func unmatched(at uint64, side byte, key string, values ...string) (k, v []byte) {
	k = append(append(binary.BigEndian.AppendUint64(nil, at), side), key...)
	for _, value := range values {
		v = append(binary.AppendUvarint(v, uint64(len(value))), value...)
	}
	return k, v
}

// TestUnmatchedLayout holds the buffer's bytes to the drawing at its codec.
func TestUnmatchedLayout(t *testing.T) {
	var out sent
	task := newTask(t, outerJoin, &out, nil)
	add(t, task, "left", 3, "k", "v")
	add(t, task, "left", 3, "k", "ww")
	if err := task.Flush(); err != nil {
		t.Fatal(err)
	}
	key, value := unmatched(3, 1, "k", "v", "ww")
	for _, r := range out.records {
		if r.Topic == "app-"+outerJoinBuffer+"-changelog" {
			if string(r.Key) != string(key) || string(r.Value) != string(value) {
				t.Errorf("got %x %x, want %x %x", r.Key, r.Value, key, value)
			}
			return
		}
	}
	t.Errorf("the buffer was not written: %+v", out.records)
}

func add(t testing.TB, task *engine.Task, topic string, at int64, key, value string) {
	t.Helper()
	if err := addAll(task, topic, at, key, value); err != nil {
		t.Fatal(err)
	}
}

func addAll(task *engine.Task, topic string, at int64, key, value string) error {
	in := engine.Input{Topic: topic, Timestamp: at, Key: []byte(key), Value: []byte(value)}
	if err := task.Add(topic, 0, []engine.Input{in}); err != nil {
		return err
	}
	_, err := task.ProcessAll(1)
	return err
}

// restored is a task whose buffer holds one entry as a changelog might give it; nil if the store refuses it.
func restored(t testing.TB, build func(*streams.Builder), out engine.Collector, store string, key, value []byte) *engine.Task {
	t.Helper()
	b := streams.NewBuilder()
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "app", Collector: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Restore(store, key, value, 0); err != nil {
		return nil
	}
	if err := task.Start(nil); err != nil {
		t.Fatal(err)
	}
	return task
}

// FuzzUnmatched lets a join release whatever its buffer holds: it is emitted, or refused with the node's name, and nothing
// panics.
func FuzzUnmatched(f *testing.F) {
	for _, seed := range []struct {
		at     uint64
		side   byte
		key    string
		values []string
	}{{3, 1, "k", []string{"v"}}, {0, 0, "", []string{"", "w"}}, {1 << 63, 1, "k", nil}, {3, 7, "k", []string{"v"}}} {
		k, v := unmatched(seed.at, seed.side, seed.key, seed.values...)
		f.Add(k, v)
		f.Add(k[:len(k)-1], v)
	}
	f.Add([]byte("short"), []byte("v"))
	f.Add([]byte("12345678L"), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var out sent
		task := restored(t, outerJoin, &out, outerJoinBuffer, key, value)
		if task == nil {
			return
		}
		// The first unmatched record makes the join look into its buffer as soon as time has moved on.
		err := addAll(task, "left", 1, "a", "x")
		for at := int64(1000); err == nil && at <= 3000; at += 1000 {
			err = addAll(task, "left", at, "a", "x")
		}
		checkRefusal(t, err)
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var re *engine.RecordError
	if !errors.As(err, &re) || re.Stage != engine.Decoding {
		t.Errorf("got %v", err)
	}
	if pe, ok := errors.AsType[*engine.PanicError](err); ok {
		t.Errorf("it panics: %v", pe)
	}
}

func suppressed(b *streams.Builder) {
	streams.From(b, "in", serde.String, serde.String).GroupByKey().Window(streams.Tumbling(10*time.Millisecond)).
		Reduce(func(_, v string) string { return v }).
		Suppress(streams.UntilWindowCloses(), streams.As("held")).
		ToStream().SelectKey(func(w streams.Windowed[string], _ string) string { return fmt.Sprint(w) }, serde.String).
		To("out", serde.String, serde.String)
}

const suppressedBuffer = "held-store"

func held(end uint64, key string, start uint64) []byte {
	return binary.BigEndian.AppendUint64(append(binary.BigEndian.AppendUint64(nil, end), key...), start)
}

// TestSuppressLayout holds the buffer's bytes to the drawing at its codec.
func TestSuppressLayout(t *testing.T) {
	var out sent
	task := newTask(t, suppressed, &out, nil)
	add(t, task, "in", 3, "k", "v")
	if err := task.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.records {
		if r.Topic == "app-"+suppressedBuffer+"-changelog" {
			if want := held(10, "k", 0); string(r.Key) != string(want) || string(r.Value) != "v" {
				t.Errorf("got %x %q, want %x", r.Key, r.Value, want)
			}
			return
		}
	}
	t.Errorf("the buffer was not written: %+v", out.records)
}

// FuzzSuppressed lets Suppress release whatever its buffer holds.
func FuzzSuppressed(f *testing.F) {
	f.Add(held(10, "k", 0), []byte("v"))
	f.Add(held(1<<63, "", 5), []byte{})
	f.Add(held(1<<62, "k", 1<<62), []byte("v"))
	f.Add([]byte("short"), []byte("v"))
	f.Add([]byte("fifteen bytes!!"), []byte("v"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var out sent
		task := restored(t, suppressed, &out, suppressedBuffer, key, value)
		if task == nil {
			return
		}
		var err error
		for at := int64(1000); err == nil && at <= 3000; at += 1000 {
			err = addAll(task, "in", at, "a", "x")
		}
		checkRefusal(t, err)
	})
}
