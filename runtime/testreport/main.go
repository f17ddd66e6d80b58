// Command testreport reads the events of `go test -json` and prints what a person wants to know: a line per package, the output of what failed, and
// at the end every skipped test with its reason, so that nothing is skipped in silence. It exits with 1 if anything failed. It runs nothing itself.
//
//	go test -json ./... | go run ./runtime/testreport
package main

import (
	"bufio"
	"encoding/json/v2"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine bounds one event.
const maxLine = 16 << 20

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// report collects events.
type report struct {
	out                     io.Writer
	outputs                 map[string]*strings.Builder // by package and test, until it ends
	skips                   []string
	passed, failed, skipped int
	broken                  bool // a package failed
}

func main() {
	r := &report{out: os.Stdout, outputs: make(map[string]*strings.Builder)}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if r.finish() {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(r.out, lines.Text()) // the go command speaks plainly where no test runs
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

// take handles one event.
func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output(key).WriteString(e.Output)
	case "pass", "fail", "skip":
		text := r.output(key).String()
		delete(r.outputs, key)
		if e.Test == "" {
			r.pkg(e, text)
		} else {
			r.test(e, text)
		}
	}
}

func (r *report) output(key string) *strings.Builder {
	b := r.outputs[key]
	if b == nil {
		b = new(strings.Builder)
		r.outputs[key] = b
	}
	return b
}

func (r *report) test(e event, text string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Fprintf(r.out, "%s: %s", e.Package, text)
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(text)))
	}
}

// reason is what a skipped test logged, without the go command's own lines.
func reason(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

func (r *report) pkg(e event, text string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
	case "fail":
		r.broken = true
		fmt.Fprintf(r.out, "%sFAIL\t%s\t%.1fs\n", text, e.Package, e.Elapsed)
	case "skip": // no test files
	}
}

// finish prints the end and says whether anything failed.
func (r *report) finish() bool {
	for key, b := range r.outputs { // tests that never ended: a panic or a timeout took the process
		if b.Len() > 0 && r.broken {
			fmt.Fprintf(r.out, "did not end: %s\n%s", key, b)
		}
	}
	if len(r.skips) > 0 {
		fmt.Fprintln(r.out, "\nskipped:")
		for _, s := range r.skips {
			fmt.Fprintln(r.out, "  "+s)
		}
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.broken || r.failed > 0
}
