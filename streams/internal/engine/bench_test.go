package engine_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// The benchmarks measure the engine alone, as a thread of Kafka Streams is measured with a mock producer: 500 raw records
// at a time with 11-byte keys and 100-byte values, run until the queue is empty; a commit every 50,000 records; the event
// time moves 1 ms per 64 records; changelog and output records are counted and dropped. cpu-ns/op is the CPU time of the whole
// process per record, which is what Kafka Streams is compared by.
const (
	benchBatch       = 500
	benchCommitEvery = 50_000
	benchPerMilli    = 64
	benchKeys        = 10_000
)

type counter struct{ sent int }

func (c *counter) Send(*engine.Output) error {
	c.sent++
	return nil
}

func runBench(b *testing.B, build func(*streams.Builder)) {
	builder := streams.NewBuilder()
	build(builder)
	topo, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	var out counter
	task, err := engine.NewTask(topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "bench", Collector: &out,
		Now: func() int64 { return 0 },
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := task.Start(nil); err != nil {
		b.Fatal(err)
	}
	f := newFeed(task)
	if topo.Graph().SourceOf("tab") != nil {
		f.fillTable(b)
	}
	f.feed(b, benchCommitEvery)
	if out.sent == 0 {
		b.Fatal("the topology writes nothing")
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	f.feed(b, b.N)
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what the process has used of all cores, user and system, the garbage collector included.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type feed struct {
	task   *engine.Task
	random *rand.Rand
	keys   [][]byte
	values [1024][]byte
	batch  []engine.Input
	offset int64
	since  int
}

func newFeed(task *engine.Task) *feed {
	f := &feed{task: task, random: rand.New(rand.NewPCG(1, 1)), batch: make([]engine.Input, 0, benchBatch)}
	for i := range benchKeys {
		f.keys = append(f.keys, fmt.Appendf(nil, "user-%06d", i))
	}
	for i := range f.values {
		f.values[i] = make([]byte, 100)
		for j := range f.values[i] {
			f.values[i][j] = byte(f.random.Uint32())
		}
	}
	return f
}

func (f *feed) fillTable(b *testing.B) {
	rows := make([]engine.Input, 0, len(f.keys))
	for i, k := range f.keys {
		rows = append(rows, engine.Input{Topic: "tab", Offset: int64(i), Key: k, Value: f.values[i%1024]})
	}
	if err := f.task.Add("tab", 0, rows); err != nil {
		b.Fatal(err)
	}
	f.run(b)
}

func (f *feed) run(b *testing.B) {
	for {
		more, err := f.task.Process()
		if err != nil {
			b.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func (f *feed) feed(b *testing.B, records int) {
	for records > 0 {
		n := min(records, benchBatch)
		records -= n
		f.batch = f.batch[:0]
		for range n {
			f.batch = append(f.batch, engine.Input{
				Topic: "in", Offset: f.offset, Timestamp: 1000 + f.offset/benchPerMilli,
				Key: f.keys[f.random.IntN(benchKeys)], Value: f.values[f.offset&1023],
			})
			f.offset++
		}
		if err := f.task.Add("in", 0, f.batch); err != nil {
			b.Fatal(err)
		}
		f.run(b)
		if f.since += n; f.since >= benchCommitEvery {
			f.since = 0
			if err := f.task.Flush(); err != nil {
				b.Fatal(err)
			}
			f.task.Positions()
		}
	}
}

func in(b *streams.Builder) *streams.Stream[string, []byte] {
	return streams.From(b, "in", serde.String, serde.Bytes)
}

func BenchmarkPassThrough(b *testing.B) {
	runBench(b, func(sb *streams.Builder) { in(sb).To("out", serde.String, serde.Bytes) })
}

func BenchmarkStateless(b *testing.B) {
	runBench(b, func(sb *streams.Builder) {
		in(sb).
			Filter(func(_ string, v []byte) bool { return v[15]%2 == 0 }).
			MapValues(func(v []byte) []byte {
				c := append([]byte(nil), v...)
				c[0]++
				return c
			}).
			Map(func(k string, v []byte) (string, []byte) { return k, v }, serde.String).
			To("out", serde.String, serde.Bytes)
	})
}

func BenchmarkCount(b *testing.B) {
	runBench(b, func(sb *streams.Builder) {
		in(sb).GroupByKey().Count(streams.As("c")).ToStream().To("out", serde.String, serde.Int64)
	})
}

func BenchmarkWindowCount(b *testing.B) {
	runBench(b, func(sb *streams.Builder) {
		in(sb).GroupByKey().Window(streams.Tumbling(10*time.Second).Grace(5*time.Second)).
			Count(streams.As("c"), streams.Retention(time.Minute)).
			ToStream().
			SelectKey(func(w streams.Windowed[string], _ int64) string { return w.Key }, serde.String).
			To("out", serde.String, serde.Int64)
	})
}

func BenchmarkTableJoin(b *testing.B) {
	runBench(b, func(sb *streams.Builder) {
		table := streams.TableFrom(sb, "tab", serde.String, serde.Bytes, streams.As("t"))
		in(sb).JoinTable(table, func(l, _ []byte) []byte { return l }).To("out", serde.String, serde.Bytes)
	})
}
