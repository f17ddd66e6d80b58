package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAssertions(t *testing.T) {
	got, err := parseAssertions("p99<20ms, rate>=10k,failed=0,mib > 1.5,max<=1s,records>1M")
	want := []assertion{{"p99", "<", 20}, {"rate", ">=", 10_000}, {"failed", "=", 0}, {"mib", ">", 1.5}, {"max", "<=", 1000}, {"records", ">", 1e6}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(assertion{})); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	for _, text := range []string{",", "p99", "p99<", "p99<20", "rate>10ms", "foo<1", "<1", "p99<>1ms", "rate>NaN", "rate>Inf", "rate>1e400", "p99<20ms,"} {
		if got, err := parseAssertions(text); exitCode(err) != ExitUsage {
			t.Errorf("%q: %v, %v; want a usage error", text, got, err)
		}
	}
}

func TestAssertionsCompare(t *testing.T) {
	figures := map[string]float64{"rate": 100, "p99": 20}
	for text, holds := range map[string]bool{
		"rate<100": false, "rate<=100": true, "rate=100": true, "rate>=100": true, "rate>100": false, "p99<20ms": false, "p99<=0.02s": true,
		"rate<101,p99<21ms": true, "rate<101,p99<1ms": false, "mib_per_cpu>0": false,
	} {
		list, err := parseAssertions(text)
		if err != nil {
			t.Fatal(err)
		}
		err = checkAssertions(list, figures)
		if (err == nil) != holds || err != nil && exitCode(err) != ExitAssertion {
			t.Errorf("%s: %v, want %v", text, err, holds)
		}
	}
	err := checkAssertions([]assertion{{"rate", "<", 1}, {"p99", "<", 1}}, figures)
	if err == nil || strings.Count(err.Error(), "does not hold") != 2 {
		t.Errorf("%v does not name both", err)
	}
}

// What is read can be printed and read again.
func FuzzParseAssertions(f *testing.F) {
	for _, seed := range []string{"p99<20ms,rate>10000", "rate>=10k", "max<=1h", "failed=0", "p99.9<1ns", "mib>1e300", "p50<-5ms", "<", "p99<=", ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseAssertions(text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != ExitUsage || e.Hint == "" {
				t.Fatalf("%q: %v is no usage error with a hint", text, err)
			}
			return
		}
		for _, a := range list {
			again, err := parseAssertion(a.String())
			// A time is read to the nanosecond; printing it in ms and back may round by one.
			if err != nil || again.metric != a.metric || again.op != a.op || again.value-a.value > 1e-5 || a.value-again.value > 1e-5 {
				t.Fatalf("%q is printed as %q and read as %v, %v", text, a, again, err)
			}
		}
	})
}
