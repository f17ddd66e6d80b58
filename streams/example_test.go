package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// run is what a test does with t; an example has none.
func run(b *streams.Builder) *streamstest.Driver {
	topo, err := b.Build()
	if err != nil {
		panic(err)
	}
	return streamstest.New(new(testing.B), topo)
}

func Example_wordCount() {
	b := streams.NewBuilder()
	streams.From(b, "lines", serde.String, serde.String).
		FlatMapValues(strings.Fields).
		GroupBy(func(_, word string) string { return word }, serde.String).
		Count(streams.As("counts")).
		ToStream().
		To("word-counts", serde.String, serde.Int64)

	d := run(b)
	d.Input("lines", serde.String, serde.String).Pipe("", "to be or not to be", time.UnixMilli(0))
	for _, r := range d.Output("word-counts", serde.String, serde.Int64).All() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// to 1
	// be 1
	// or 1
	// not 1
	// to 2
	// be 2
}

type order struct {
	Customer string
	Cents    int64
}

func Example_revenuePerMinute() {
	b := streams.NewBuilder()
	streams.From(b, "orders", serde.String, serde.JSON[order]()).
		GroupByKey().
		Window(streams.Tumbling(time.Minute).Grace(10*time.Second)).
		Aggregate(
			func() int64 { return 0 },
			func(_ string, o order, sum int64) int64 { return sum + o.Cents },
			streams.As("revenue"),
		).
		Suppress(streams.UntilWindowCloses()).
		ToStream().
		SelectKey(func(w streams.Windowed[string], _ int64) string {
			return w.Key + " " + w.Window.Start().Format(time.TimeOnly)
		}, serde.String).
		To("revenue-per-minute", serde.String, serde.Int64)

	d := run(b)
	in := d.Input("orders", serde.String, serde.JSON[order]())
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	in.Pipe("de", order{Cents: 995}, at)
	in.Pipe("de", order{Cents: 105}, at.Add(59*time.Second))
	in.Pipe("de", order{Cents: 300}, at.Add(65*time.Second))
	in.Pipe("de", order{Cents: 100}, at.Add(58*time.Second)) // late, but within the grace
	in.Pipe("de", order{Cents: 1}, at.Add(70*time.Second))
	for _, r := range d.Output("revenue-per-minute", serde.String, serde.Int64).All() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// de 12:00:00 1200
}

func Example_enrich() {
	b := streams.NewBuilder()
	customers := streams.TableFrom(b, "customers", serde.String, serde.String)
	streams.From(b, "orders", serde.String, serde.JSON[order]()).
		SelectKey(func(_ string, o order) string { return o.Customer }, serde.String).
		LeftJoinTable(customers, func(o order, tier *string) string {
			if tier == nil {
				return fmt.Sprintf("%d unknown", o.Cents)
			}
			return fmt.Sprintf("%d %s", o.Cents, *tier)
		}).
		To("orders-enriched", serde.String, serde.String)

	d := run(b)
	d.Input("customers", serde.String, serde.String).Pipe("ann", "gold", time.UnixMilli(1))
	orders := d.Input("orders", serde.String, serde.JSON[order]())
	orders.Pipe("1", order{"ann", 995}, time.UnixMilli(2))
	orders.Pipe("2", order{"bob", 500}, time.UnixMilli(3))
	for _, r := range d.Output("orders-enriched", serde.String, serde.String).All() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// ann 995 gold
	// bob 500 unknown
}

func ExampleStream_Join() {
	b := streams.NewBuilder()
	orders := streams.From(b, "orders", serde.String, serde.String)
	payments := streams.From(b, "payments", serde.String, serde.String)
	orders.LeftJoin(payments, func(order string, payment *string) string {
		if payment == nil {
			return order + " was not paid in time"
		}
		return order + " was paid by " + *payment
	}, streams.Between(0, time.Minute)).
		To("states", serde.String, serde.String)

	d := run(b)
	in, pay := d.Input("orders", serde.String, serde.String), d.Input("payments", serde.String, serde.String)
	in.Pipe("1", "bike", time.Unix(0, 0))
	in.Pipe("2", "boat", time.Unix(10, 0))
	pay.Pipe("1", "card", time.Unix(20, 0))
	in.Pipe("3", "book", time.Unix(80, 0))
	for _, r := range d.Output("states", serde.String, serde.String).All() {
		fmt.Println(r.Value)
	}
	// Output:
	// bike was paid by card
	// boat was not paid in time
}
