package cli

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func TestParseSpan(t *testing.T) {
	at := func(a anchor, n int64) position { return position{a, n} }
	to := func(a anchor, n int64) *position { return &position{a, n} }
	ms := func(ago time.Duration) int64 { return noon().Add(-ago).UnixMilli() }
	for text, want := range map[string]span{
		"start":           {at(fromStart, 0), nil},
		"end":             {at(fromEnd, 0), nil},
		"47":              {at(fromZero, 47), nil},
		"0":               {at(fromZero, 0), nil},
		"+2":              {at(fromStart, 2), nil},
		"-3":              {at(fromEnd, 3), nil},
		"10:20":           {at(fromZero, 10), to(fromZero, 20)},
		"start:end":       {at(fromStart, 0), to(fromEnd, 0)},
		":end":            {at(fromStart, 0), to(fromEnd, 0)},
		"-10:+5":          {at(fromEnd, 10), to(fromStart, 5)},
		"-10:-5":          {at(fromEnd, 10), to(fromEnd, 5)},
		"5:@now":          {at(fromZero, 5), to(fromTime, ms(0))},
		"@now":            {at(fromTime, ms(0)), nil},
		"@-1h":            {at(fromTime, ms(time.Hour)), nil},
		"@-7d":            {at(fromTime, ms(7*24*time.Hour)), nil},
		"@-1h:@now":       {at(fromTime, ms(time.Hour)), to(fromTime, ms(0))},
		"@-1h:end":        {at(fromTime, ms(time.Hour)), to(fromEnd, 0)},
		"@-1h30m:@-15m":   {at(fromTime, ms(90*time.Minute)), to(fromTime, ms(15*time.Minute))},
		"@2026-11-25":     {at(fromTime, ms(12*time.Hour)), nil},
		"@1795600800":     {at(fromTime, 1795600800000), nil},
		"@1795600800123":  {at(fromTime, 1795600800123), nil},
		"@1795600800:end": {at(fromTime, 1795600800000), to(fromEnd, 0)},
		"@2026-11-25T11:00:00Z:@2026-11-25T11:30": {at(fromTime, ms(time.Hour)), to(fromTime, ms(30*time.Minute))},
		"@2026-11-25T13:00:00+02:00":              {at(fromTime, ms(time.Hour)), nil},
	} {
		got, err := parseSpan(text, noon())
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{}, position{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{"", "x", "+", "-", "+-1", "--1", "1.5", "5:", "5:x", "@", "@x", "@1h", "@-x", "@-1h:5", "@-1h:@", "9223372036854775808", "@-9999999999d", "start:", "+ 1"} {
		got, err := parseSpan(text, noon())
		if exitCode(err) != ExitUsage {
			t.Errorf("%q: %v, %v; want a usage error", text, got, err)
		}
	}
}

func TestResolve(t *testing.T) {
	b := bounds{start: 100, end: 200}
	times := map[int64]int64{noon().UnixMilli(): 150, noon().Add(-time.Hour).UnixMilli(): 120, noon().Add(time.Hour).UnixMilli(): -1}
	for text, want := range map[string]interval{
		"start":                  {100, noEnd},
		"end":                    {200, noEnd},
		"0":                      {100, noEnd},
		"150":                    {150, noEnd},
		"300":                    {300, noEnd}, // waited for
		"+10":                    {110, noEnd},
		"-10":                    {190, noEnd},
		"-1000":                  {100, noEnd},
		"start:end":              {100, 200},
		"150:160":                {150, 160},
		"150:+5":                 {150, 155},
		"-10:-5":                 {190, 195},
		"160:150":                {160, 160},
		"@now":                   {150, noEnd},
		"@-1h:@now":              {120, 150},
		"@+1h":                   {200, noEnd},
		"@-1h:@+1h":              {120, 200},
		"+10:+5":                 {110, 115},
		"0:+10":                  {100, 110},
		"0:9223372036854775807":  {100, 1<<63 - 1},
		"5:+9223372036854775807": {100, 1<<63 - 1},
	} {
		s, err := parseSpan(text, noon())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.resolve(b, times); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// What is read can be printed and read again, and its interval is never the wrong way round.
func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"start", "end", "47", "+2", "-3", "10:20", ":end", "@-1h:@now", "@1795600800", "@2026-11-25T11:00:00Z:end", "@-7d:@+5m", "+", "5:", "@:@", "-0", "+0:+0"} {
		f.Add(seed, int64(3), int64(9))
	}
	f.Fuzz(func(t *testing.T, text string, start, end int64) {
		s, err := parseSpan(text, noon())
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != ExitUsage {
				t.Fatalf("%q: %v is no usage error", text, err)
			}
			return
		}
		again, err := parseSpan(s.String(), noon())
		if err != nil {
			t.Fatalf("%q is printed as %q: %v", text, s, err)
		}
		if diff := cmp.Diff(s, again, cmp.AllowUnexported(span{}, position{})); diff != "" {
			t.Fatalf("%q is printed as %q, which is read as another: %s", text, s, diff)
		}
		if start < 0 || end < start {
			return
		}
		at := make(map[int64]int64)
		for i, ms := range s.times() {
			at[ms] = start + int64(i)%(end-start+1)
		}
		if got := s.resolve(bounds{start: start, end: end}, at); got.from < start || got.to != noEnd && got.to < got.from {
			t.Fatalf("%q between %d and %d is %v", text, start, end, got)
		}
	})
}
