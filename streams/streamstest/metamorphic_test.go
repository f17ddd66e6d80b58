package streamstest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// seeds is how many random topologies each metamorphic check tries.
const seeds = 150

// union is an aggregator that does not mind repetition: the set of the values' letters, sorted.
func union(a, v string) string {
	all := strings.Split(a+v, "")
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "")
}

// build makes the random topology of a seed. decorated gives every step a name and puts a Peek behind it. repeatable leaves out
// functions whose result depends on how often they see a record.
type build struct {
	seed                  uint64
	decorated, repeatable bool
}

func (c build) topology(t *testing.T) *streams.Topology {
	t.Helper()
	b, r, named := streams.NewBuilder(), rand.New(rand.NewPCG(c.seed, 1)), 0
	name := func() []streams.Option {
		if named++; !c.decorated {
			return nil
		}
		return []streams.Option{streams.As(fmt.Sprintf("step-%d", named))}
	}
	step := func(s *streams.Stream[string, string]) *streams.Stream[string, string] {
		if c.decorated {
			return s.Peek(func(_, _ string) {})
		}
		return s
	}
	s := step(texts(b, "left"))
	joined, merged := false, false // a topic may be read once only
	for range r.IntN(4) {
		switch r.IntN(6) {
		case 0:
			s = s.Filter(func(_, v string) bool { return v[0] != 'c' }, name()...)
		case 1:
			s = s.MapValues(strings.ToLower, name()...)
		case 2:
			s = s.SelectKey(func(k, v string) string { return k + v[:1] }, serde.String, name()...)
		case 3:
			s = s.FlatMapValues(func(v string) []string { return []string{v, v[:1]} }, name()...)
		case 4:
			if merged || c.repeatable { // two inputs may come in another order the second time
				continue
			}
			merged = true
			s = s.Merge(texts(b, "more"), name()...)
		case 5:
			if joined || c.repeatable { // what the table holds is another matter the second time
				continue
			}
			joined = true
			s = s.LeftJoinTable(streams.TableFrom(b, "right", serde.String, serde.String), func(l string, r *string) string { return l + show(r)[:1] }, name()...)
		}
		s = step(s)
	}
	c.finish(b, r, s, name)
	topo, err := b.Build()
	if err != nil {
		t.Fatalf("seed %d: %v", c.seed, err)
	}
	return topo
}

// finish ends the topology with one of the stateful verbs, or none.
func (c build) finish(b *streams.Builder, r *rand.Rand, s *streams.Stream[string, string], name func() []streams.Option) {
	add := func(_, v, a string) string { return a + "+" + v }
	if c.repeatable {
		add = func(_, v, a string) string { return union(a, v) }
	}
	merge := func(k, a, b string) string { return add(k, b, a) }
	keep := append(name(), streams.Retention(ms(40)))
	var w *streams.WindowedTable[string, string]
	verbs := 6
	if c.repeatable {
		verbs = 5 // half of a record's sliding windows hide the other half
	}
	switch r.IntN(verbs) {
	case 0:
		out(s)
		return
	case 1:
		out(s.GroupByKey(name()...).Aggregate(empty, add, name()...).ToStream())
		return
	case 2:
		w = s.GroupByKey(name()...).Window(streams.Tumbling(ms(10)).Grace(ms(5))).Aggregate(empty, add, keep...)
	case 3:
		w = s.GroupByKey(name()...).Window(streams.Hopping(ms(10), ms(4)).Grace(ms(5))).Aggregate(empty, add, keep...)
	case 4:
		w = s.GroupByKey(name()...).SessionWindow(streams.Session(ms(6)).Grace(ms(5))).Aggregate(empty, add, merge, keep...)
	case 5:
		w = s.GroupByKey(name()...).Window(streams.Sliding(ms(10)).Grace(ms(5))).Aggregate(empty, add, keep...)
	}
	if r.IntN(2) == 0 {
		w = w.Suppress(streams.UntilWindowCloses(), name()...)
	}
	windowsOut(w)
}

// inputs are random records, mostly in order, some late, with jumps.
func inputs(seed uint64, n int) []engine.Input {
	r := rand.New(rand.NewPCG(seed, 2))
	var list []engine.Input
	offsets := make(map[string]int64)
	now := int64(20)
	for range n {
		now += r.Int64N(5)
		if r.IntN(25) == 0 {
			now += 60
		}
		topic := []string{"left", "left", "left", "more", "right"}[r.IntN(5)]
		list = append(list, engine.Input{
			Topic: topic, Offset: offsets[topic], Timestamp: max(0, now-r.Int64N(12)),
			Key: []byte{"xyz"[r.IntN(3)]}, Value: []byte{"abcdE"[r.IntN(5)], "pq"[r.IntN(2)]},
		})
		offsets[topic]++
	}
	return list
}

// rig runs a topology as the runtime does, on logs that lose what a crash loses.
type rig struct {
	t         *testing.T
	topo      *streams.Topology
	task      *engine.Task
	logs      map[string][]engine.Input
	given     map[string]int
	committed []engine.Position
	left      int // changelog records that still get into the log before the crash; -1: all
}

func newRig(t *testing.T, topo *streams.Topology) *rig {
	g := &rig{t: t, topo: topo, logs: make(map[string][]engine.Input), left: -1}
	g.start()
	return g
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// start makes the task from what the logs hold and what is committed.
func (g *rig) start() {
	g.t.Helper()
	var err error
	g.task, err = engine.NewTask(g.topo.Program(), engine.TaskConfig{
		ID: engine.TaskID{Subtopology: engine.WholeTopology}, ApplicationID: "app", Collector: g, Now: func() int64 { return 0 },
	})
	g.must(err)
	g.must(g.task.Expect(g.committed))
	for topic, store := range g.task.Changelogs() {
		for _, r := range g.logs[topic] {
			g.must(g.task.Restore(store, r.Key, r.Value, r.Timestamp))
		}
	}
	g.must(g.task.Start(g.committed))
	g.given = make(map[string]int)
	for _, p := range g.committed {
		g.given[p.Topic] = int(p.Offset)
	}
}

func (g *rig) Send(o *engine.Output) error {
	if strings.HasSuffix(o.Topic, "-changelog") {
		if g.left == 0 {
			return nil
		}
		g.left--
	}
	g.append(engine.Input{Topic: o.Topic, Timestamp: o.Timestamp, Key: slices.Clone(o.Key), Value: slices.Clone(o.Value)})
	return nil
}

func (g *rig) append(in engine.Input) {
	in.Offset = int64(len(g.logs[in.Topic]))
	g.logs[in.Topic] = append(g.logs[in.Topic], in)
}

// run works off everything, limit records at a time.
func (g *rig) run(limit int) {
	g.t.Helper()
	for {
		for _, topic := range g.task.Topics() {
			if fresh := g.logs[topic][g.given[topic]:]; len(fresh) > 0 {
				g.must(g.task.Add(topic, 0, fresh))
				g.given[topic] += len(fresh)
			}
		}
		n, err := g.task.ProcessAll(limit)
		g.must(err)
		if n == 0 {
			return
		}
	}
}

func (g *rig) commit() {
	g.t.Helper()
	g.must(g.task.Flush())
	g.committed = g.task.Positions()
}

// crash ends the task in the middle of a commit: its outputs are in the log, and so are the first changelog records.
func (g *rig) crash(flushed int) {
	g.t.Helper()
	g.left = flushed
	g.must(g.task.Flush())
	g.left = -1
	g.start()
}

func (g *rig) outputs() []string {
	var all []string
	for _, r := range g.logs["out"] {
		all = append(all, fmt.Sprintf("%s:%s@%d", r.Key, r.Value, r.Timestamp))
	}
	return all
}

// last is the last output of each key.
func (g *rig) last() map[string]string {
	last := make(map[string]string)
	for _, r := range g.logs["out"] {
		last[string(r.Key)] = string(r.Value)
	}
	return last
}

// forEachSeed runs a check on random topologies.
func forEachSeed(t *testing.T, check func(t *testing.T, seed uint64, in []engine.Input)) {
	for seed := range uint64(seeds) {
		check(t, seed, inputs(seed, 80))
	}
}

// play feeds a topology record by record; between is called after each.
func play(t *testing.T, topo *streams.Topology, in []engine.Input, between func(*rig)) *rig {
	t.Helper()
	g := newRig(t, topo)
	for _, r := range in {
		g.append(r)
		g.run(1)
		between(g)
	}
	g.run(1)
	return g
}

func nothing(*rig) {}

// TestNamesAndPeeksChangeNothing: a topology whose steps are named and peeked at gives what it gave before.
func TestNamesAndPeeksChangeNothing(t *testing.T) {
	forEachSeed(t, func(t *testing.T, seed uint64, in []engine.Input) {
		plain := play(t, build{seed: seed}.topology(t), in, nothing)
		named := play(t, build{seed: seed, decorated: true}.topology(t), in, nothing)
		if !slices.Equal(plain.outputs(), named.outputs()) {
			t.Errorf("seed %d:\nplain %v\nnamed %v", seed, plain.outputs(), named.outputs())
		}
	})
}

// TestCommitsAndCrashesChangeNothing: with commits anywhere, and crashes right after some of them, the outputs stay the same.
func TestCommitsAndCrashesChangeNothing(t *testing.T) {
	forEachSeed(t, func(t *testing.T, seed uint64, in []engine.Input) {
		topo, r := build{seed: seed}.topology(t), rand.New(rand.NewPCG(seed, 3))
		plain := play(t, topo, in, nothing)
		crashed := play(t, topo, in, func(g *rig) {
			if r.IntN(3) == 0 {
				g.commit()
				if r.IntN(2) == 0 {
					g.crash(0)
				}
			}
		})
		if !slices.Equal(plain.outputs(), crashed.outputs()) {
			t.Errorf("seed %d:\nplain   %v\ncrashed %v", seed, plain.outputs(), crashed.outputs())
		}
	})
}

// TestBatchesChangeNothing: what was queued gives the same outputs however many records are processed at a time.
func TestBatchesChangeNothing(t *testing.T) {
	forEachSeed(t, func(t *testing.T, seed uint64, in []engine.Input) {
		topo := build{seed: seed}.topology(t)
		var want []string
		for _, limit := range []int{1, 7, 1000} {
			g := newRig(t, topo)
			for _, r := range in {
				g.append(r)
			}
			// Repartitioned records are fed back between batches: their order among themselves must not depend on it.
			g.run(limit)
			if got := g.outputs(); want == nil {
				want = got
			} else if len(g.task.Topics()) == 1 && !slices.Equal(got, want) {
				t.Errorf("seed %d, %d at a time:\nwant %v\ngot  %v", seed, limit, want, got)
			}
		}
	})
}

// TestCrashInACommitLosesNothing: the task dies anywhere, also with any part of its changelogs written. When functions do not mind
// repetition, each key ends with the value it would have had without crashes. (There may be keys more: a session that was merged
// can stay behind in the buffer of suppressed results, when its tombstone was lost and the merged one was not.)
func TestCrashInACommitLosesNothing(t *testing.T) {
	crashes := 0
	forEachSeed(t, func(t *testing.T, seed uint64, in []engine.Input) {
		topo, r := build{seed: seed, repeatable: true}.topology(t), rand.New(rand.NewPCG(seed, 4))
		plain := play(t, topo, in, nothing)
		crashed := play(t, topo, in, func(g *rig) {
			switch r.IntN(9) {
			case 0, 1:
				g.commit()
			case 2:
				crashes++
				g.crash(r.IntN(6))
			}
		})
		got := crashed.last()
		for key, want := range plain.last() {
			if got[key] != want {
				t.Errorf("seed %d: %s is %q, want %q\n%s", seed, key, got[key], want, topo.Describe())
			}
		}
	})
	if crashes == 0 {
		t.Error("no crash")
	}
}

// TestFinalResultsEqualABatch: the final count of each window is that of all records that were not late, computed at once.
func TestFinalResultsEqualABatch(t *testing.T) {
	b := streams.NewBuilder()
	texts(b, "left").GroupByKey().Window(streams.Tumbling(ms(10)).Grace(ms(5))).Count().Suppress(streams.UntilWindowCloses()).
		ToStream().SelectKey(func(w streams.Windowed[string], _ int64) string { return windowName(w, "") }, serde.String).
		MapValues(func(n int64) string { return fmt.Sprint(n) }).To("out", serde.String, serde.String)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(seeds) {
		g := newRig(t, topo)
		want, time := make(map[string]string), int64(-1)
		counts := make(map[string]int)
		for _, r := range inputs(seed, 200) {
			if r.Topic != "left" {
				continue
			}
			g.append(r)
			time = max(time, r.Timestamp)
			start := r.Timestamp / 10 * 10
			if start+10+5 > time {
				counts[fmt.Sprintf("%s@%d/%d", r.Key, start, start+10)]++
			}
		}
		g.append(engine.Input{Topic: "left", Timestamp: time + 1000, Key: []byte("end"), Value: []byte("x")})
		for name, n := range counts {
			want[name] = fmt.Sprint(n)
		}
		g.run(1000)
		if got := g.last(); !maps.Equal(got, want) || len(g.logs["out"]) != len(want) {
			t.Errorf("seed %d:\nwant %v\ngot  %v", seed, want, g.outputs())
		}
	}
}
