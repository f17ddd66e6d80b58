package streams_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// words pipes "key:value" records into the topic "in", a second apart, and prints what comes out of "out".
func words(b *streams.Builder, records ...string) {
	d := run(b)
	in := d.Input("in", serde.String, serde.String)
	for i, r := range records {
		k, v, _ := strings.Cut(r, ":")
		in.Pipe(k, v, time.Unix(int64(i), 0))
	}
	show(d)
}

func show(d *streamstest.Driver) {
	for _, r := range d.Output("out", serde.String, serde.Nullable(serde.String)).All() {
		if r.ValueNull {
			fmt.Println(r.Key, "deleted")
			continue
		}
		fmt.Println(r.Key, *r.Value)
	}
}

func ExampleStream_Filter() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		Filter(func(_, v string) bool { return v != "" }).
		FilterNot(func(k, _ string) bool { return strings.HasPrefix(k, "test-") }).
		To("out", serde.String, serde.String)
	words(b, "a:1", "a:", "test-a:1")
	// Output: a 1
}

func ExampleStream_TryMapValues() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		TryMapValues(func(_ context.Context, _, v string) (int, error) { return strconv.Atoi(v) },
			streams.OnError(streams.DeadLetter("broken"))).
		MapValues(func(n int) string { return strconv.Itoa(n + 1) }).
		To("out", serde.String, serde.String)
	words(b, "a:1", "a:one", "a:2")
	// Output:
	// a 2
	// a 3
}

func ExampleStream_Map() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		Map(func(k, v string) (string, string) { return v, k }, serde.String).
		To("out", serde.String, serde.String)
	words(b, "a:1")
	// Output: 1 a
}

func ExampleStream_FlatMap() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		FlatMap(func(k, v string, yield func(string, string)) {
			for _, friend := range strings.Fields(v) {
				yield(friend, k)
			}
		}, serde.String).
		To("out", serde.String, serde.String)
	words(b, "ann:bob eve")
	// Output:
	// bob ann
	// eve ann
}

func ExampleStream_Split() {
	b := streams.NewBuilder()
	branches := streams.From(b, "in", serde.String, serde.String).
		Split().
		Branch("long", func(_, v string) bool { return len(v) > 3 }).
		Default("short")
	branches["long"].MapValues(strings.ToUpper).
		Merge(branches["short"]).
		Peek(func(k, v string) { fmt.Println("saw", k, v) }).
		To("out", serde.String, serde.String)
	words(b, "a:tiny", "b:big")
	// Output:
	// saw a TINY
	// saw b big
	// a TINY
	// b big
}

func ExampleStream_Print() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).Print(os.Stdout, streams.As("in"))
	words(b, "a:1")
	// Output: [in]: a, 1
}

func ExampleStream_ForEach() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).ForEach(func(k, v string) { fmt.Println(k, "is", v) })
	words(b, "a:1")
	// Output: a is 1
}

func ExampleStream_ToChosen() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		ToChosen(func(k, _ string) string {
			if k == "private" {
				return "" // drops the record
			}
			return "out"
		}, serde.String, serde.String)
	words(b, "private:1", "public:2")
	// Output: public 2
}

func ExamplePartitioner() {
	b := streams.NewBuilder()
	urgentFirst := streams.Partitioner(func(_, v string, partitions int32) int32 {
		if v == "urgent" {
			return 0
		}
		return -1 // by the key, as usual
	})
	streams.From(b, "in", serde.String, serde.String).To("out", serde.String, serde.String, urgentFirst)
	d := run(b)
	d.SetPartitions("out", 4)
	d.Input("in", serde.String, serde.String).Pipe("a", "urgent", time.Unix(0, 0))
	fmt.Println(d.Output("out", serde.String, serde.String).All()[0].Partition)
	// Output: 0
}

func ExampleStream_Repartition() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		SelectKey(func(_, v string) string { return v }, serde.String).
		Repartition(streams.As("by-value"), streams.Partitions(12)).
		To("out", serde.String, serde.String)
	words(b, "a:1")
	// Output: 1 1
}

func ExampleEventTime() {
	type reading struct{ At int64 } // seconds
	b := streams.NewBuilder()
	streams.From(b, "readings", serde.String, serde.JSON[reading](),
		streams.ReadFrom(streams.Back(24*time.Hour)),
		streams.EventTime(streams.TimeOf(func(_ string, r reading, _ streams.Origin) (time.Time, error) {
			return time.Unix(r.At, 0), nil
		}))).
		To("out", serde.String, serde.JSON[reading]())
	d := run(b)
	d.Input("readings", serde.String, serde.JSON[reading]()).Pipe("a", reading{At: 60}, time.Unix(999, 0))
	fmt.Println(d.Output("out", serde.String, serde.JSON[reading]()).All()[0].Time)
	// Output: 1970-01-01 00:01:00 +0000 UTC
}
