package cli

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/millrace/millrace/runtime/config"
)

// demoScreen shows a demo.
type demoScreen interface {
	open()
	draw(l demoLook)
	close(l demoLook)
}

// demoLogger lets only errors through: the screen is for the demo.
func (a *app) demoLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.env.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// demoScreen redraws a terminal, and prints a line a second elsewhere.
func (a *app) demoScreen(d *demo) demoScreen {
	base := demoPrinter{out: a.env.Stdout, demo: d, colour: a.env.colour()}
	if a.env.Terminal {
		return &demoTerminal{demoPrinter: base, width: a.env.Width}
	}
	return &demoLines{base}
}

// demoPrinter is what both screens share: the head, what to try, the summary, and the rates between two looks.
type demoPrinter struct {
	out    io.Writer
	demo   *demo
	colour bool
	before demoLook
	at     time.Time
}

// head says what runs where.
func (p *demoPrinter) head() string {
	d := p.demo
	folder := "temporary folder (--data-dir keeps it)"
	if d.keep {
		folder = d.cfg.DataDir
	}
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %s %-9s %s\n", p.paint("32", "✓"), name, text) }
	line("log", fmt.Sprintf("%-16s Kafka protocol · durability: %s · %s", d.node.KafkaAddr(), d.cfg.Durability, folder)+moved(d.cfg.KafkaListen, d.node.KafkaAddr()))
	line("http", "http://"+d.node.HTTPAddr()+"/metrics"+moved(d.cfg.HTTPListen, d.node.HTTPAddr()))
	line("topology", "examples/payments/shop/topology.go")
	line("data", fmt.Sprintf("%d orders/s; some late, some unpaid, some paid twice", d.rate))
	return b.String()
}

// moved says that a taken port was replaced.
func moved(wanted, got string) string {
	if wanted == got || wanted == config.Off {
		return ""
	}
	return fmt.Sprintf(" · %s was taken", wanted)
}

// try says what to do while it runs.
func (p *demoPrinter) try() string {
	addr := p.demo.node.KafkaAddr()
	return fmt.Sprintf(`  Try, in another terminal:
    kcat -b %[1]s -L
    kcat -b %[1]s -t revenue-per-minute -C -o -5 -f '%%k %%s\n'
    %[3]s topic consume fraud-alerts --brokers %[1]s -o end
    %[3]s group lag %[2]s --brokers %[1]s
`, addr, demoApplication, os.Args[0])
}

// rates are what happened per second since the last look.
func (p *demoPrinter) rates(l demoLook) (orders, payments, results, revenue float64) {
	now := time.Now()
	seconds := now.Sub(p.at).Seconds()
	before := p.before
	p.before, p.at = l, now
	per := func(now, before int64) float64 { return float64(now-before) / max(seconds, 0.001) }
	return per(l.orders, before.orders), per(l.payments, before.payments), per(l.results, before.results), per(l.revenue, before.revenue)
}

func (p *demoPrinter) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// summary is the last word.
func (p *demoPrinter) summary(l demoLook) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nran %s: %s orders and %s payments written, %s records processed, %s results\n",
		time.Since(p.demo.begun).Round(time.Second), thousands(l.orders), thousands(l.payments), thousands(l.processed), thousands(l.results))
	fmt.Fprintf(&b, "revenue %s from %s paid orders; %s unpaid, %s fraud alerts, %s records dropped as late\n",
		cents(l.revenue), thousands(l.paid), thousands(l.unpaid), thousands(l.fraud), thousands(l.late))
	if p.demo.keep {
		fmt.Fprintf(&b, "the data is in %s: start again with --data-dir %[1]s to go on\n", p.demo.cfg.DataDir)
	}
	b.WriteString("guarantee: at least once; after kill -9, what was processed since the last commit (every " + demoCommitInterval.String() + ") may count twice\n")
	return b.String()
}

// demoTerminal redraws the screen in place.
type demoTerminal struct {
	demoPrinter
	width  int
	series []float64
}

const (
	demoPlotPoints = 60
	demoPlotHeight = 6
	clearScreen    = "\x1b[H\x1b[2J"
	hideCursor     = "\x1b[?25l"
	showCursor     = "\x1b[?25h"
)

func (t *demoTerminal) open() {
	t.at = time.Now()
	fmt.Fprint(t.out, hideCursor, clearScreen, t.head(), "\n", t.try(), "\n  waiting for the first results …\n")
}

func (t *demoTerminal) draw(l demoLook) {
	orders, payments, results, revenue := t.rates(l)
	if l.results > 0 {
		t.series = append(t.series, revenue/100)
		t.series = t.series[max(0, len(t.series)-demoPlotPoints):]
	}
	w := bufio.NewWriter(t.out)
	defer w.Flush()
	fmt.Fprint(w, clearScreen, t.head(), "\n")
	fmt.Fprintf(w, "  orders %s/s · payments %s/s · results %s/s · lag %s records · %s\n",
		t.paint("1", thousands(int64(orders))), t.paint("1", thousands(int64(payments))), t.paint("1", thousands(int64(results))), lag(l.lag),
		time.Since(t.demo.begun).Round(time.Second))
	fmt.Fprintf(w, "  revenue %s from %s orders · %s unpaid · %s fraud alerts · %s late\n\n",
		t.paint("1;32", cents(l.revenue)), thousands(l.paid), thousands(l.unpaid), thousands(l.fraud), thousands(l.late))
	if len(t.series) > 1 {
		fmt.Fprintln(w, indent(asciigraph.Plot(t.series, asciigraph.Height(demoPlotHeight), asciigraph.Width(min(demoPlotPoints, t.width-16)),
			asciigraph.Precision(0), asciigraph.Caption("revenue a second"))))
	}
	if l.last.Orders > 0 {
		fmt.Fprintf(w, "\n  newest  %s %s: %s from %s orders\n", l.last.Country, l.last.Minute.Format("15:04"), cents(l.last.Cents), thousands(l.last.Orders))
	}
	for _, text := range l.alerts {
		fmt.Fprintf(w, "          %s\n", text)
	}
	fmt.Fprint(w, "\n", t.try(), "\n  Ctrl-C ends it\n")
}

func (t *demoTerminal) close(l demoLook) { fmt.Fprint(t.out, showCursor, t.summary(l)) }

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// demoLines prints one plain line a second.
type demoLines struct{ demoPrinter }

func (t *demoLines) open() {
	t.at = time.Now()
	fmt.Fprint(t.out, t.head(), t.try())
}

func (t *demoLines) draw(l demoLook) {
	orders, payments, results, _ := t.rates(l)
	newest := ""
	if l.last.Orders > 0 {
		newest = fmt.Sprintf(" newest=%s@%s=%s", l.last.Country, l.last.Minute.Format("15:04"), cents(l.last.Cents))
	}
	fmt.Fprintf(t.out, "%3.0fs orders=%d/s payments=%d/s results=%d/s lag=%s revenue=%s paid=%d unpaid=%d fraud=%d late=%d%s\n",
		time.Since(t.demo.begun).Seconds(), int64(orders), int64(payments), int64(results), lag(l.lag), cents(l.revenue), l.paid, l.unpaid, l.fraud, l.late, newest)
}

func (t *demoLines) close(l demoLook) { fmt.Fprint(t.out, t.summary(l)) }

func lag(records int64) string {
	if records < 0 {
		return "?"
	}
	return thousands(records)
}

// cents is an amount of money.
func cents(n int64) string { return thousands(n/100) + fmt.Sprintf(".%02d", n%100) }
