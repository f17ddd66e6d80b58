package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"
)

const (
	plotHeight   = 7
	maxPlotWidth = 72
	plotMargin   = 14 // columns of the axis
)

// benchReport is the result of a bench. Times of records are in ms.
type benchReport struct {
	Bench      string         `json:"bench"`
	Topic      string         `json:"topic"`
	Partitions int            `json:"partitions"`
	Settings   string         `json:"settings"`
	Records    int64          `json:"records"`
	Failed     int64          `json:"failed"`
	Bytes      int64          `json:"bytes"`
	Seconds    float64        `json:"seconds"`
	Rate       float64        `json:"records_per_second"`
	MiB        float64        `json:"mib_per_second"`
	Latency    *latencyReport `json:"latency_ms,omitempty"`
	ClientCPU  float64        `json:"client_cpu_seconds"`
	BrokerCPU  *float64       `json:"broker_cpu_seconds,omitempty"`
	MiBPerCPU  *float64       `json:"mib_per_broker_cpu_second,omitempty"`
	Series     []float64      `json:"records_per_second_series,omitempty"`
}

type latencyReport struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// stopwatch measures time and CPU of one run.
type stopwatch struct {
	start          time.Time
	client, broker time.Duration // CPU used before the run
	pid            int
}

// startWatch begins a run. pid 0: the broker's CPU is not measured.
func startWatch(pid int) (stopwatch, error) {
	w := stopwatch{pid: pid}
	if pid > 0 {
		var err error
		if w.broker, err = processCPU(pid); err != nil {
			return w, environmentError(err, "--pid is the process id of the broker, on this machine")
		}
	}
	w.client, w.start = ownCPU(), time.Now()
	return w, nil
}

// report ends a run.
func (w stopwatch) report(m *meter, r benchReport) (benchReport, error) {
	r.Seconds = time.Since(w.start).Seconds()
	r.ClientCPU = (ownCPU() - w.client).Seconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fold()
	r.Records, r.Failed, r.Bytes, r.Series = m.records, m.failed, m.bytes, m.series
	r.Rate = float64(m.records) / r.Seconds
	mib := float64(m.bytes) / (1 << 20)
	r.MiB = mib / r.Seconds
	if m.all.TotalCount() > 0 {
		at := func(p float64) float64 { return float64(m.all.ValueAtPercentile(p)) / 1000 }
		r.Latency = &latencyReport{at(50), at(95), at(99), at(99.9), float64(m.all.Max()) / 1000}
	}
	if w.pid > 0 {
		cpu, err := processCPU(w.pid)
		if err != nil {
			return r, environmentError(err, "the broker ended during the bench")
		}
		used := (cpu - w.broker).Seconds()
		r.BrokerCPU = &used
		if used > 0 {
			per := mib / used
			r.MiBPerCPU = &per
		}
	}
	return r, nil
}

// figures are what assertions are about.
func (r benchReport) figures() map[string]float64 {
	f := map[string]float64{"rate": r.Rate, "mib": r.MiB, "records": float64(r.Records), "failed": float64(r.Failed), "seconds": r.Seconds}
	if l := r.Latency; l != nil {
		f["p50"], f["p95"], f["p99"], f["p99.9"], f["max"] = l.P50, l.P95, l.P99, l.P999, l.Max
	}
	if r.MiBPerCPU != nil {
		f["mib_per_cpu"] = *r.MiBPerCPU
	}
	return f
}

// printReport prints the summary, and on a terminal the curve.
func (a *app) printReport(r benchReport) error {
	if a.output == outputJSON {
		return a.json(r)
	}
	out := a.env.Stdout
	fmt.Fprintf(out, "bench %s  topic %s  %s  %s\n", r.Bench, r.Topic, plural(r.Partitions, "partition"), r.Settings)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("records", "%s in %.2f s", thousands(r.Records), r.Seconds)
	if r.Failed > 0 {
		line("failed", "%s", thousands(r.Failed))
	}
	line("throughput", "%s records/s   %.1f MiB/s", thousands(int64(r.Rate)), r.MiB)
	if l := r.Latency; l != nil {
		line("latency", "p50 %s   p95 %s   p99 %s   p99.9 %s   max %s", millis(l.P50), millis(l.P95), millis(l.P99), millis(l.P999), millis(l.Max))
	}
	line("client CPU", "%.2f s (%.0f%% of a core)", r.ClientCPU, 100*r.ClientCPU/r.Seconds)
	if r.BrokerCPU != nil {
		per := ""
		if r.MiBPerCPU != nil {
			per = fmt.Sprintf("   %.0f MiB per CPU-second", *r.MiBPerCPU)
		}
		line("broker CPU", "%.2f s (%.0f%% of a core)%s", *r.BrokerCPU, 100**r.BrokerCPU/r.Seconds, per)
	}
	if a.env.Terminal && len(r.Series) > 1 {
		fmt.Fprintf(out, "\n%s\n", a.plot(r.Series))
	}
	return nil
}

func (a *app) plot(series []float64) string {
	thousand := make([]float64, len(series))
	for i, v := range series {
		thousand[i] = v / 1000
	}
	graph := asciigraph.Plot(thousand, asciigraph.Height(plotHeight), asciigraph.Width(max(1, min(a.env.Width-plotMargin, maxPlotWidth))),
		asciigraph.LowerBound(0), asciigraph.Precision(1), asciigraph.Caption("thousand records/s over the run"))
	return strings.TrimRight(graph, "\n")
}
