package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyCompares(t *testing.T) {
	acks := []ackedRecord{{0, 0}, {1, 1}, {2, 2}}
	for name, c := range map[string]struct {
		found []ackedRecord
		want  verifyReport
	}{
		"all":                   {[]ackedRecord{{0, 0}, {1, 1}, {2, 2}, {3, 3}}, verifyReport{Found: 4}},
		"lost":                  {[]ackedRecord{{0, 0}, {2, 2}}, verifyReport{Found: 2, Missing: 1}},
		"lost tail":             {[]ackedRecord{{0, 0}}, verifyReport{Found: 1, Missing: 2}},
		"moved":                 {[]ackedRecord{{0, 0}, {1, 1}, {3, 2}}, verifyReport{Found: 3, Misplaced: 1}},
		"twice":                 {[]ackedRecord{{0, 0}, {1, 1}, {2, 2}, {3, 1}}, verifyReport{Found: 4, Duplicates: 1}},
		"disordered":            {[]ackedRecord{{0, 0}, {1, 2}, {2, 1}}, verifyReport{Found: 3, Misplaced: 2, Disorder: 1}},
		"another at its offset": {[]ackedRecord{{0, 0}, {1, 7}, {2, 2}}, verifyReport{Found: 3, Missing: 1, Disorder: 1}},
		"none":                  {nil, verifyReport{Missing: 3}},
	} {
		var got verifyReport
		got.compare(0, slices.Clone(acks), c.found)
		if n := int64(len(got.Findings)); n != got.bad() {
			t.Errorf("%s: %d findings, %d counted", name, n, got.bad())
		}
		got.Findings = nil
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzReadAcks(f *testing.F) {
	const head = ackLogMagic + " run 3f2a91c0 topic kill-test partitions 3\n"
	for _, seed := range []string{"", head, head + "0 0 0\n2 17 4\n", head + "0 0 0\n1 2", head + "3 0 0\n", head + "0 0\n", head + "0 0 0 0\n", "# something else\n", head + "-1 -1 -1\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		acks, err := readAcks(strings.NewReader(text))
		if err != nil {
			if exitCode(err) != ExitUsage {
				t.Fatalf("%v is no usage error", err)
			}
			return
		}
		var total int64
		for p, list := range acks.records {
			if p < 0 || p >= acks.partitions {
				t.Fatalf("partition %d of %d", p, acks.partitions)
			}
			total += int64(len(list))
		}
		if total != acks.total || total > int64(strings.Count(text, "\n")) {
			t.Fatalf("%d acks, %d counted, %q", total, acks.total, text)
		}
	})
}

func TestReadAcksDropsATornLine(t *testing.T) {
	acks, err := readAcks(strings.NewReader(ackLogMagic + " run r topic t partitions 1\n0 5 5\n0 6"))
	if err != nil || acks.total != 1 || acks.run != "r" || acks.topic != "t" {
		t.Errorf("%+v, %v", acks, err)
	}
}

func TestSequenceInAValue(t *testing.T) {
	value := append(appendSequence(nil, "3f2a91c0", 1234567), "padding 99"...)
	if n, ok := parseSequence(value, "3f2a91c0"); n != 1234567 || !ok {
		t.Errorf("%d %v", n, ok)
	}
	for _, other := range []string{"", "3f2a91c0", "3f2a91c0 12", "3f2a91c0 x ", "3f2a91c0 -1 ", "ffffffff 1 "} {
		if n, ok := parseSequence([]byte(other), "3f2a91c0"); ok {
			t.Errorf("%q is %d", other, n)
		}
	}
}

func TestMeterPrintsALineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		for i := range 100 {
			m.add(1<<20, time.Duration(i+1)*time.Millisecond)
		}
		var lines []string
		m.run(ctx, time.Now(), func(line string) { lines = append(lines, line) })
		want := []string{
			"   1.0 s           100 records/s     100.0 MiB/s   p50 50 ms  p99 99 ms  max 100 ms",
			"   2.0 s             0 records/s       0.0 MiB/s",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Error(diff)
		}
		m.add(1<<20, time.Hour) // beyond the histogram: it counts as its largest
		r, err := stopwatch{start: time.Now().Add(-time.Second)}.report(m, benchReport{})
		if err != nil || r.Records != 101 || r.Latency.Max < float64(maxLatency.Milliseconds())*0.99 || r.Latency.P50 < 50 || r.Latency.P50 > 52 {
			t.Errorf("%+v %+v %v", r, r.Latency, err)
		}
		if diff := cmp.Diff([]float64{100, 0}, r.Series); diff != "" {
			t.Error(diff)
		}
	})
}

// A record is due when it is due: two writers share a rate, and one that comes late is told the time that has passed.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a, b := pacer{start: start, index: 0, step: 2, rate: 100}, pacer{start: start, index: 1, step: 2, rate: 100}
		var due []time.Duration
		for range 2 {
			for _, p := range []*pacer{&a, &b} {
				at, ok := p.next(t.Context())
				if !ok || at.After(time.Now()) {
					t.Errorf("due %v at %v", at.Sub(start), time.Since(start))
				}
				due = append(due, at.Sub(start).Round(time.Millisecond))
			}
		}
		want := []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond}
		if diff := cmp.Diff(want, due); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Second)
		if at, _ := a.next(t.Context()); at.Sub(start).Round(time.Millisecond) != 40*time.Millisecond {
			t.Errorf("late, and due after %v", at.Sub(start))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := (&pacer{start: start.Add(time.Hour), rate: 1, step: 1}).next(ended); ok {
			t.Error("it waits although its context has ended")
		}
	})
}

func TestParseStat(t *testing.T) {
	const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 0 0"
	if cpu, err := parseStat(stat); cpu != 3*time.Second || err != nil {
		t.Errorf("%v %v", cpu, err)
	}
	for _, bad := range []string{"", "1 (a) S", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 1", "1 (a) S 1 2 3 4 5 6 7 8 9 10 1 x"} {
		if cpu, err := parseStat(bad); err == nil {
			t.Errorf("%q: %v", bad, cpu)
		}
	}
}

func TestReportOnATerminal(t *testing.T) {
	var out strings.Builder
	a := &app{env: Env{Stdout: &out, Terminal: true, Width: 60}, output: outputTable}
	r := benchReport{Bench: "produce", Topic: "t", Partitions: 1, Settings: "s", Records: 3000, Seconds: 3, Rate: 1000, Series: []float64{500, 1500, 1000}}
	if err := a.printReport(r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3,000 in 3.00 s", "thousand records/s over the run", "1.5 ┤", "0.0 ┤"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 61 {
			t.Errorf("%d columns on a terminal of 60: %q", n, line)
		}
	}
}

func TestMillis(t *testing.T) {
	for ms, want := range map[float64]string{0.4567: "0.46 ms", 12.3: "12 ms", 1500: "1.50 s"} {
		if got := millis(ms); got != want {
			t.Errorf("%v: %s, want %s", ms, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 123456: "123,456"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := fmt.Sprintln(plural(1, "topic"), plural(2, "topic"), plural(0, "topic")); got != "1 topic 2 topics 0 topics\n" {
		t.Error(got)
	}
}
