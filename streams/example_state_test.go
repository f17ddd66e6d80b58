package streams_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

func ExampleGrouped_Reduce() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		Reduce(func(sum, v string) string { return sum + "+" + v }, streams.As("sums")).
		ToStream().
		To("out", serde.String, serde.String)
	words(b, "a:1", "a:2", "b:3")
	// Output:
	// a 1
	// a 1+2
	// b 3
}

func ExampleGrouped_Aggregate() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		Aggregate(
			func() []string { return nil },
			func(_, v string, last []string) []string { return append(last, v)[max(0, len(last)-1):] },
			streams.As("last-two")).
		MapValues(func(last []string) string { return strings.Join(last, " ") }).
		ToStream().
		To("out", serde.String, serde.String)
	words(b, "a:1", "a:2", "a:3")
	// Output:
	// a 1
	// a 1 2
	// a 2 3
}

func ExampleTable_GroupBy() {
	b := streams.NewBuilder()
	streams.TableFrom(b, "in", serde.String, serde.String). // user → city
								GroupBy(func(user, city string) (string, string) { return city, user }, serde.String).
								Count(streams.As("people")).
								MapValues(decimal).
								ToStream().
								To("out", serde.String, serde.String)
	words(b, "ann:Rome", "bob:Rome", "ann:Oslo")
	// Output:
	// Rome 1
	// Rome 2
	// Rome 1
	// Oslo 1
}

func ExampleTable_Filter() {
	b := streams.NewBuilder()
	streams.TableFrom(b, "in", serde.String, serde.String).
		Filter(func(_, v string) bool { return v != "off" }, streams.Stored("on")).
		ToStream().
		To("out", serde.String, serde.String)
	words(b, "a:1", "b:off", "a:off")
	// Output:
	// a 1
	// a deleted
}

func ExampleTable_LeftJoin() {
	b := streams.NewBuilder()
	names := streams.TableFrom(b, "names", serde.String, serde.String)
	streams.TableFrom(b, "in", serde.String, serde.String).
		LeftJoin(names, func(city string, name *string) string {
			if name == nil {
				return "somebody in " + city
			}
			return *name + " in " + city
		}).
		ToStream().
		To("out", serde.String, serde.String)
	d := run(b)
	d.Input("in", serde.String, serde.String).Pipe("1", "Rome", time.Unix(1, 0))
	d.Input("names", serde.String, serde.String).Pipe("1", "Ann", time.Unix(2, 0))
	show(d)
	// Output:
	// 1 somebody in Rome
	// 1 Ann in Rome
}

func ExampleStream_ToTable() {
	b := streams.NewBuilder()
	limits := streams.From(b, "limits", serde.String, serde.String).
		MapValues(strings.TrimSpace).
		ToTable(streams.As("limits-now"))
	streams.From(b, "in", serde.String, serde.String).
		JoinTableWithKey(limits, func(k, v, limit string) string { return k + ": " + v + " of " + limit }).
		To("out", serde.String, serde.String)
	d := run(b)
	d.Input("limits", serde.String, serde.String).Pipe("a", " 10 ", time.Unix(1, 0))
	d.Input("in", serde.String, serde.String).Pipe("a", "7", time.Unix(2, 0))
	show(d)
	// Output: a a: 7 of 10
}

func ExampleStream_JoinGlobal() {
	b := streams.NewBuilder()
	countries := streams.GlobalTableFrom(b, "countries", serde.String, serde.String)
	streams.From(b, "in", serde.String, serde.String).
		LeftJoinGlobal(countries,
			func(_, v string) string { return v[:2] }, // any key will do: the table is whole everywhere
			func(v string, country *string) string {
				if country == nil {
					return v + " from afar"
				}
				return v + " from " + *country
			}).
		To("out", serde.String, serde.String)
	d := run(b)
	d.Input("countries", serde.String, serde.String).Pipe("de", "Germany", time.Unix(1, 0))
	in := d.Input("in", serde.String, serde.String)
	in.Pipe("1", "de-7", time.Unix(2, 0))
	in.Pipe("2", "xx-8", time.Unix(3, 0))
	show(d)
	// Output:
	// 1 de-7 from Germany
	// 2 xx-8 from afar
}

func ExampleStream_JoinWithKey() {
	b := streams.NewBuilder()
	clicks := streams.From(b, "clicks", serde.String, serde.String)
	streams.From(b, "in", serde.String, serde.String).
		JoinWithKey(clicks, func(user, ad, click string) string { return user + " saw " + ad + ", clicked " + click },
			streams.Within(time.Minute).Grace(10*time.Second), streams.As("views"), streams.Stored("views")).
		To("out", serde.String, serde.String)
	d := run(b)
	d.Input("in", serde.String, serde.String).Pipe("ann", "bike", time.Unix(0, 0))
	d.Input("clicks", serde.String, serde.String).Pipe("ann", "buy", time.Unix(30, 0))
	d.Input("clicks", serde.String, serde.String).Pipe("ann", "again", time.Unix(90, 0))
	show(d)
	// Output: ann ann saw bike, clicked buy
}

func ExampleGrouped_Window() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		Window(streams.Hopping(4*time.Second, 2*time.Second)).
		Count(streams.As("per-window")).
		ToStream().
		Map(func(k streams.Windowed[string], n int64) (string, string) {
			return k.Key, fmt.Sprintf("%d in the 4 s from %d", n, k.Window.Start().Unix())
		}, serde.String).
		To("out", serde.String, serde.String)
	words(b, "a:0", "a:1", "a:2")
	// Output:
	// a 1 in the 4 s from 0
	// a 2 in the 4 s from 0
	// a 3 in the 4 s from 0
	// a 1 in the 4 s from 2
}

func ExampleGrouped_SessionWindow() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		SessionWindow(streams.Session(5*time.Second)).
		Reduce(func(sum, v string) string { return sum + v }).
		Suppress(streams.UntilWindowCloses()).
		ToStream().
		SelectKey(func(k streams.Windowed[string], _ string) string {
			return fmt.Sprintf("%s %d to %d:", k.Key, k.Window.Start().Unix(), k.Window.End().Unix())
		}, serde.String).
		To("out", serde.String, serde.String)
	d := run(b)
	in := d.Input("in", serde.String, serde.String)
	for _, at := range []int64{0, 3, 20, 40} {
		in.Pipe("a", "x", time.Unix(at, 0))
	}
	show(d)
	// Output:
	// a 0 to 3: xx
	// a 20 to 20: x
}

// distinct forwards a value when it differs from the key's last one.
type distinct struct {
	ctx  *streams.Context[string, string]
	last *streams.KeyValue[string, string]
}

func (p *distinct) Init(ctx *streams.Context[string, string]) (err error) {
	p.ctx = ctx
	p.last, err = ctx.KeyValue[string, string]("last")
	return err
}

func (p *distinct) Process(r streams.Record[string, string]) error {
	last, ok, err := p.last.Get(r.Key)
	if err != nil || ok && last == r.Value {
		return err
	}
	if err := p.last.Put(r.Key, r.Value); err != nil {
		return err
	}
	return p.ctx.Forward(r)
}

func (p *distinct) Close() error { return nil }

func ExampleStream_ProcessValues() {
	b := streams.NewBuilder()
	b.AddStore(streams.KeyValueStore("last", serde.String, serde.String))
	streams.From(b, "in", serde.String, serde.String).
		ProcessValues(func() streams.Processor[string, string, string, string] { return new(distinct) }, serde.String,
			streams.Uses("last")).
		To("out", serde.String, serde.String)
	words(b, "a:1", "a:1", "a:2", "b:2")
	// Output:
	// a 1
	// a 2
	// b 2
}

// sorter forwards to one of the nodes below, and each minute what it has seen to another.
type sorter struct {
	ctx  *streams.Context[string, string]
	seen *streams.KeyValue[string, int64]
}

func (p *sorter) Init(ctx *streams.Context[string, string]) (err error) {
	p.ctx = ctx
	if p.seen, err = ctx.KeyValue[string, int64]("seen"); err != nil {
		return err
	}
	_, err = ctx.Schedule(time.Minute, streams.WallClock, p.report)
	return err
}

func (p *sorter) Process(r streams.Record[string, string]) error {
	n, _, err := p.seen.Get(r.Key)
	if err != nil {
		return err
	}
	if err := p.seen.Put(r.Key, n+1); err != nil {
		return err
	}
	return p.ctx.ForwardTo("records", r)
}

func (p *sorter) report(at time.Time) error {
	scan := p.seen.Scan()
	for k, n := range scan.All() {
		if err := p.ctx.ForwardTo("reports", streams.Record[string, string]{Key: k, Value: decimal(n) + " times", Time: at}); err != nil {
			return err
		}
	}
	return scan.Err()
}

func (p *sorter) Close() error { return nil }

func ExampleStream_Process() {
	b := streams.NewBuilder()
	b.AddStore(streams.KeyValueStore("seen", serde.String, serde.Int64))
	sorted := streams.From(b, "in", serde.String, serde.String).
		Process(func() streams.Processor[string, string, string, string] { return new(sorter) }, serde.String, serde.String,
			streams.Uses("seen"))
	sorted.To("out", serde.String, serde.String, streams.As("records"))
	sorted.To("reports", serde.String, serde.String, streams.As("reports"))
	d := run(b)
	in := d.Input("in", serde.String, serde.String)
	in.Pipe("b", "1", time.Unix(1, 0))
	in.Pipe("a", "2", time.Unix(2, 0))
	in.Pipe("a", "3", time.Unix(3, 0))
	d.Advance(time.Minute)
	show(d)
	for _, r := range d.Output("reports", serde.String, serde.String).All() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// b 1
	// a 2
	// a 3
	// a 2 times
	// b 1 times
}

func ExampleWindowedStream_To() {
	b := streams.NewBuilder()
	streams.From(b, "in", serde.String, serde.String).
		GroupByKey().
		Window(streams.Tumbling(time.Minute).Grace(time.Second)).
		Count(streams.As("per-minute"), streams.Retention(time.Hour)).
		ToStream().
		To("out", serde.String, serde.Int64)
	d := run(b)
	d.Input("in", serde.String, serde.String).Pipe("a", "1", time.Unix(61, 0))
	for _, r := range d.Output("out", serde.Bytes, serde.Int64).All() {
		fmt.Printf("%q %d\n", r.Key, r.Value) // the key, and the window's start in ms
	}
	// Output: "a\x00\x00\x00\x00\x00\x00\xea`" 1
}
