package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

const header = "case\trecords\tarm\truns\tCPU s\tapplication\tbroker\tCPU µs/output\twall s\tapplication peak MiB\tbroker MiB\t"

// group is the runs that belong in one row.
type group struct {
	kind    string
	records int
	arm     string
}

// row is the median of each figure.
type row struct {
	outputs                    int64
	app, broker, wall          float64 // seconds
	appMiB, brokerMiB          float64
	total, lowTotal, highTotal float64 // seconds: app + broker
}

// table prints the medians of a file of outcomes, and what they are of the first arm's. Where a case was run with two sizes of
// input, the difference of the two says what a record costs without the start of the process and most of its warm-up. It fails
// if two runs with the same input gave different results.
func table(args []string) error {
	if len(args) != 1 {
		return errors.New(usage)
	}
	runs, arms, err := readOutcomes(args[0])
	if err != nil {
		return err
	}
	rows := make(map[group]row)
	var order []group
	for g, outcomes := range runs {
		rows[g] = rowOf(outcomes)
		order = append(order, g)
	}
	slices.SortFunc(order, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.records, b.records), slices.Index(arms, a.arm)-slices.Index(arms, b.arm))
	})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, header)
	for i, g := range order {
		r := rows[g]
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%.2f (%.2f–%.2f)\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", g.kind, g.records, g.arm, len(runs[g]),
			r.total, r.lowTotal, r.highTotal, r.app, r.broker, r.total*1e6/float64(r.outputs), r.wall, r.appMiB, r.brokerMiB)
		base, ok := rows[group{g.kind, g.records, arms[0]}]
		if g.arm == arms[0] || !ok {
			continue
		}
		fmt.Fprintf(w, "\t\tratio\t\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", r.total/base.total, r.app/base.app, r.broker/base.broker,
			r.total/base.total, r.wall/base.wall, r.appMiB/base.appMiB, r.brokerMiB/base.brokerMiB)
		if i+1 == len(order) || order[i+1].kind != g.kind {
			writeMarginal(w, g.kind, arms, order, rows)
		}
	}
	return w.Flush()
}

// writeMarginal writes what the records between the smallest and the largest input of a case have cost.
func writeMarginal(w io.Writer, kind string, arms []string, order []group, rows map[group]row) {
	var base float64
	for _, arm := range arms {
		var of []row
		for _, g := range order {
			if g.kind == kind && g.arm == arm {
				of = append(of, rows[g])
			}
		}
		if len(of) < 2 {
			continue
		}
		small, large := of[0], of[len(of)-1]
		cpu := (large.total - small.total) * 1e6 / float64(large.outputs-small.outputs)
		fmt.Fprintf(w, "%s\tdifference\t%s\t\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\t\t\n", kind, arm, large.total-small.total,
			large.app-small.app, large.broker-small.broker, cpu, large.wall-small.wall)
		if base == 0 {
			base = cpu
			continue
		}
		fmt.Fprintf(w, "\t\tratio\t\t\t\t\t%.2f\t\t\t\t\n", cpu/base)
	}
}

// readOutcomes returns the runs, and the arms in order of appearance.
func readOutcomes(path string) (runs map[group][]outcome, arms []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	runs = make(map[group][]outcome)
	digests := make(map[group]string)
	for lines := json.NewDecoder(bufio.NewReader(f)); lines.More(); {
		var o outcome
		if err := lines.Decode(&o); err != nil {
			return nil, nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		same := group{o.Case, o.Records, ""}
		if d, seen := digests[same]; seen && d != o.Digest {
			return nil, nil, fmt.Errorf("results of %s with %d records differ: %s and %s", o.Case, o.Records, d, o.Digest)
		}
		digests[same] = o.Digest
		g := group{o.Case, o.Records, o.Arm}
		runs[g] = append(runs[g], o)
		if !slices.Contains(arms, o.Arm) {
			arms = append(arms, o.Arm)
		}
	}
	return runs, arms, nil
}

func rowOf(runs []outcome) row {
	of := func(f func(outcome) float64) []float64 {
		values := make([]float64, len(runs))
		for i, o := range runs {
			values[i] = f(o)
		}
		slices.Sort(values)
		return values
	}
	median := func(f func(outcome) float64) float64 { return of(f)[len(runs)/2] }
	totals := of(func(o outcome) float64 { return o.AppCPU + o.BrokerCPU })
	return row{
		outputs: runs[0].Outputs,
		app:     median(func(o outcome) float64 { return o.AppCPU }),
		broker:  median(func(o outcome) float64 { return o.BrokerCPU }),
		wall:    median(func(o outcome) float64 { return o.Wall }),
		appMiB:  median(func(o outcome) float64 { return float64(o.AppPeakMiB) }), brokerMiB: median(func(o outcome) float64 { return float64(o.BrokerMiB) }),
		total: totals[len(totals)/2], lowTotal: totals[0], highTotal: totals[len(totals)-1],
	}
}
