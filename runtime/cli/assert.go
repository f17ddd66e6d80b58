package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// assertion is one condition on a figure of a bench: p99<20ms.
type assertion struct {
	metric string
	op     string
	value  float64 // milliseconds where the metric is a latency
}

// benchMetrics are the figures an assertion may name, and whether they are times.
func benchMetrics() map[string]bool {
	return map[string]bool{
		"p50": true, "p95": true, "p99": true, "p99.9": true, "max": true, "seconds": false,
		"rate": false, "mib": false, "records": false, "failed": false, "mib_per_cpu": false,
	}
}

const hintAssert = "p50, p95, p99, p99.9, max with a time; rate (records/s), mib (MiB/s), records, failed, seconds, mib_per_cpu with a number; < <= > >= ="

// parseAssertions reads a list of conditions separated by commas: p99<20ms,rate>10000. A number may end in k or M.
func parseAssertions(text string) ([]assertion, error) {
	if text == "" {
		return nil, nil
	}
	var list []assertion
	for part := range strings.SplitSeq(text, ",") {
		a, err := parseAssertion(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func parseAssertion(text string) (assertion, error) {
	bad := func(format string, args ...any) (assertion, error) {
		return assertion{}, &Error{Code: ExitUsage, Err: fmt.Errorf("cannot read the assertion %q: %s", text, fmt.Sprintf(format, args...)), Hint: hintAssert}
	}
	i := strings.IndexAny(text, "<>=")
	if i < 0 {
		return bad("no comparison in it")
	}
	a := assertion{metric: strings.TrimSpace(text[:i]), op: text[i : i+1]}
	rest := text[i+1:]
	if a.op != "=" && strings.HasPrefix(rest, "=") {
		a.op, rest = a.op+"=", rest[1:]
	}
	isTime, ok := benchMetrics()[a.metric]
	if !ok {
		return bad("no figure is called %q", a.metric)
	}
	rest = strings.TrimSpace(rest)
	if isTime {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return bad("%q is no time, as 20ms", rest)
		}
		a.value = float64(d) / float64(time.Millisecond)
		return a, nil
	}
	factor := 1.0
	if number, ok := strings.CutSuffix(rest, "k"); ok {
		rest, factor = number, 1e3
	} else if number, ok := strings.CutSuffix(rest, "M"); ok {
		rest, factor = number, 1e6
	}
	n, err := strconv.ParseFloat(rest, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n*factor, 0) {
		return bad("%q is no number", rest)
	}
	a.value = n * factor
	return a, nil
}

// String is the condition as it may be read again.
func (a assertion) String() string {
	value := strconv.FormatFloat(a.value, 'f', -1, 64)
	if benchMetrics()[a.metric] {
		value += "ms"
	}
	return a.metric + a.op + value
}

// holds compares a figure.
func (a assertion) holds(figure float64) bool {
	switch a.op {
	case "<":
		return figure < a.value
	case "<=":
		return figure <= a.value
	case ">":
		return figure > a.value
	case ">=":
		return figure >= a.value
	}
	return figure == a.value
}

// checkAssertions returns an error with exit code 4 that names every condition which does not hold. A figure that was not measured fails.
func checkAssertions(list []assertion, figures map[string]float64) error {
	var broken []string
	for _, a := range list {
		figure, ok := figures[a.metric]
		switch {
		case !ok:
			broken = append(broken, fmt.Sprintf("%s: %s was not measured", a, a.metric))
		case !a.holds(figure):
			unit := ""
			if benchMetrics()[a.metric] {
				unit = "ms"
			}
			broken = append(broken, fmt.Sprintf("%s does not hold: it is %.4g%s", a, figure, unit))
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return &Error{Code: ExitAssertion, Err: fmt.Errorf("assertion failed: %s", strings.Join(broken, "; "))}
}
