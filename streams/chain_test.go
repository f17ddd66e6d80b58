package streams_test

import (
	"context"
	"testing"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

type passOn struct {
	ctx *streams.Context[string, string]
}

func (p *passOn) Init(ctx *streams.Context[string, string]) error { p.ctx = ctx; return nil }
func (p *passOn) Process(r streams.Record[string, string]) error  { return p.ctx.Forward(r) }
func (p *passOn) Close() error                                    { return nil }

// TestEveryVerbInOneChain guards against the instantiation cycle: a method of Stream or Table whose result type grows with
// its receiver's compiles alone, and fails as soon as the types lead back to one another. It uses every verb once.
func TestEveryVerbInOneChain(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		id := func(s string) string { return s }
		keyed := func(_ context.Context, _, v string) (string, error) { return v, nil }
		window := streams.Within(ms(1000))
		other := from(b, "other")
		global := streams.GlobalTableFrom(b, "global", serde.String, serde.String)

		first := from(b, "in").
			Filter(func(_, v string) bool { return v != "" }).
			FilterNot(func(_, v string) bool { return v == "no" }).
			TryFilter(func(context.Context, string, string) (bool, error) { return true, nil }).
			Map(func(k, v string) (string, string) { return k, v }, serde.String).
			TryMap(func(_ context.Context, k, v string) (string, string, error) { return k, v, nil }, serde.String).
			MapValues(id).
			MapValuesWithKey(func(_, v string) string { return v }).
			TryMapValues(keyed).
			FlatMap(func(k, v string, yield func(string, string)) { yield(k, v) }, serde.String).
			FlatMapValues(func(v string) []string { return []string{v} }).
			TryFlatMapValues(func(_ context.Context, _, v string) ([]string, error) { return []string{v}, nil }).
			SelectKey(func(k, _ string) string { return k }, serde.String).
			TrySelectKey(func(_ context.Context, k, _ string) (string, error) { return k, nil }, serde.String).
			Peek(func(string, string) {}).
			Process(func() streams.Processor[string, string, string, string] { return new(passOn) }, serde.String, serde.String).
			Repartition(streams.As("again")).
			Split().Branch("a", func(_, v string) bool { return v != "" }).Default("rest")
		merged := first["a"].Merge(first["rest"]).
			LeftJoin(other, func(l string, _ *string) string { return l }, window).
			OuterJoin(other, func(l, _ *string) string { return deref(l) }, window).
			JoinGlobal(global, func(k, _ string) string { return k }, func(l, _ string) string { return l }).
			LeftJoinGlobal(global, func(k, _ string) string { return k }, func(l string, _ *string) string { return l })
		merged.ForEach(func(string, string) {})
		merged.TryForEach(func(context.Context, string, string) error { return nil })
		merged.ToChosen(func(_, v string) string { return v }, serde.String, serde.String)

		table := merged.ToTable().
			Filter(func(_, v string) bool { return v != "" }).
			FilterNot(func(_, v string) bool { return v == "no" }).
			MapValues(id).
			MapValuesWithKey(func(_, v string) string { return v }).
			TryMapValues(keyed)
		counts := table.GroupBy(func(k, v string) (string, string) { return k, v }, serde.String).Count()
		sums := table.GroupBy(func(k, v string) (string, string) { return k, v }, serde.String).Reduce(plus, plus)
		lists := sums.GroupBy(func(k, v string) (string, string) { return k, v }, serde.String).
			Aggregate(func() []string { return nil },
				func(_, v string, a []string) []string { return append(a, v) },
				func(_, _ string, a []string) []string { return a[1:] })
		joined := lists.
			Join(counts, func(l []string, _ int64) []string { return l }).
			LeftJoin(counts, func(l []string, _ *int64) []string { return l }).
			OuterJoin(counts, func(l *[]string, _ *int64) []string {
				if l == nil {
					return nil
				}
				return *l
			}).
			ToStream().
			FlatMapValues(func(l []string) []string { return l }).
			JoinTable(table, func(l, _ string) string { return l }).
			LeftJoinTable(table, func(l string, _ *string) string { return l }).
			Join(other, func(l, _ string) string { return l }, window)

		tumbling := joined.GroupByKey().Window(streams.Tumbling(ms(1000)))
		tumbling.Count()
		tumbling.Reduce(plus)
		windowed := tumbling.
			Aggregate(func() []string { return nil }, func(_, v string, a []string) []string { return append(a, v) }).
			Filter(func(streams.Windowed[string], []string) bool { return true }).
			MapValues(func(l []string) string { return l[0] }).
			ToStream().
			Filter(func(streams.Windowed[string], string) bool { return true }).
			MapValues(id).
			Peek(func(streams.Windowed[string], string) {})
		windowed.ForEach(func(streams.Windowed[string], string) {})
		windowed.To("windows", serde.String, serde.String)
		session := windowed.Map(func(w streams.Windowed[string], v string) (string, string) { return w.Key, v }, serde.String).
			GroupBy(func(k, _ string) string { return k }, serde.String).
			SessionWindow(streams.Session(ms(1000)))
		session.Count()
		session.Reduce(plus)
		session.Aggregate(func() string { return "" }, func(_, v, a string) string { return a + v }, func(_, a, b string) string { return a + b }).
			Suppress(streams.UntilWindowCloses()).
			ToStream().
			SelectKey(func(w streams.Windowed[string], _ string) string { return w.Key }, serde.String).
			GroupByKey().
			Aggregate(func() string { return "" }, func(_, v, a string) string { return a + v }).
			ToStream().
			GroupByKey().
			TryAggregate(func() string { return "" }, func(_ context.Context, _, v, a string) (string, error) { return a + v, nil }).
			ToStream().
			GroupByKey().Reduce(plus).
			ToStream().
			GroupByKey().Count().
			ToStream().
			MapValues(decimal).
			To("out", serde.String, serde.String)
	})
	s.pipe("global", "k:g@1")
	s.pipe("other", "k:o@1")
	s.pipe("in", "k:v@2")
	s.pipe("other", "k:o@9000")
	if got := s.pipe("in", "k:v@9001"); got == "" {
		t.Error("nothing came through")
	}
}
