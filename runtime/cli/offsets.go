package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Where reading begins, and where it ends, in words:
//
//	start    the first record        N       offset N
//	end      after the last          +N      N after the start
//	@TIME    the first at TIME       -N      N before the end
//
//	FROM:TO  from FROM to before TO; as TO, +N is N after FROM
//
// TIME is now, -1h or +5m (from now), 2026-11-25, 2026-11-25T08:30 or …T08:30:00Z, seconds or milliseconds since 1970. After an @TIME, the TO of a
// range begins with @ too, or is end: a time may have colons of its own.

// anchor is what a position counts from.
type anchor int8

const (
	fromZero  anchor = iota // N
	fromStart               // start, +N
	fromEnd                 // end, -N
	fromTime                // @TIME
)

// position is one place in a partition, by words.
type position struct {
	anchor anchor
	n      int64 // records; for fromTime milliseconds since 1970
}

// span is what -o says. to is nil where reading does not end by itself.
type span struct {
	from position
	to   *position
}

// secondsDigits is the most digits a time in seconds has; longer ones are milliseconds.
const secondsDigits = 11

// lastYear is the last one that a date can be written in.
const lastYear = 9999

// parseSpan reads the argument of -o. now is what relative times count from.
func parseSpan(text string, now time.Time) (span, error) {
	from, to, ranged := cutSpan(text)
	var s span
	var err error
	if from == "" && ranged {
		from = "start"
	}
	if s.from, err = parsePosition(from, now); err != nil {
		return s, err
	}
	if ranged {
		p, err := parsePosition(to, now)
		if err != nil {
			return s, err
		}
		s.to = &p
	}
	return s, nil
}

// cutSpan cuts FROM:TO. The colons of a time do not count.
func cutSpan(text string) (from, to string, ranged bool) {
	if !strings.HasPrefix(text, "@") {
		return strings.Cut(text, ":")
	}
	if from, ok := strings.CutSuffix(text, ":end"); ok {
		return from, "end", true
	}
	if i := strings.Index(text, ":@"); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

func parsePosition(text string, now time.Time) (position, error) {
	bad := func() (position, error) {
		return position{}, usageError("an offset is start, end, N, +N, -N or @TIME, not %q", text)
	}
	switch text {
	case "":
		return bad()
	case "start":
		return position{fromStart, 0}, nil
	case "end":
		return position{fromEnd, 0}, nil
	}
	if at, ok := strings.CutPrefix(text, "@"); ok {
		ms, err := parseTime(at, now)
		return position{fromTime, ms}, err
	}
	n, err := strconv.ParseUint(strings.TrimLeft(text[:1], "+-")+text[1:], 10, 63)
	if err != nil {
		return bad()
	}
	switch text[0] {
	case '+':
		return position{fromStart, int64(n)}, nil
	case '-':
		return position{fromEnd, int64(n)}, nil
	}
	return position{fromZero, int64(n)}, nil
}

// parseTime reads a time as ms since 1970.
func parseTime(text string, now time.Time) (int64, error) {
	bad := usageError("a time is @now, @-1h, @2026-11-25, @2026-11-25T08:30 or seconds or milliseconds since 1970, not %q", "@"+text)
	if text == "now" {
		return now.UnixMilli(), nil
	}
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		d, err := parseDays(text)
		if err != nil {
			return 0, bad
		}
		return max(0, now.Add(d).UnixMilli()), nil
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		if len(text) <= secondsDigits {
			return int64(n) * 1000, nil
		}
		return int64(n), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil && t.UnixMilli() >= 0 {
			return t.UnixMilli(), nil
		}
	}
	return 0, bad
}

// parseDays is time.ParseDuration that also knows whole days: -7d.
func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		const day = 24 * time.Hour
		if err == nil && time.Duration(n)*day/day != time.Duration(n) {
			err = fmt.Errorf("%d days are too many", n)
		}
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

// String is a position in the words it was read from.
func (p position) String() string {
	switch p.anchor {
	case fromStart:
		if p.n > 0 {
			return "+" + strconv.FormatInt(p.n, 10)
		}
		return "start"
	case fromEnd:
		if p.n > 0 {
			return "-" + strconv.FormatInt(p.n, 10)
		}
		return "end"
	case fromTime:
		if at := time.UnixMilli(p.n).UTC(); at.Year() <= lastYear {
			return "@" + at.Format(time.RFC3339Nano)
		}
		return "@" + strconv.FormatInt(p.n, 10) // more digits than seconds have
	}
	return strconv.FormatInt(p.n, 10)
}

// String is a span in the words it was read from.
func (s span) String() string {
	if s.to == nil {
		return s.from.String()
	}
	return s.from.String() + ":" + s.to.String()
}

// times are the moments whose offsets must be looked up before resolve.
func (s span) times() []int64 {
	var ms []int64
	if s.from.anchor == fromTime {
		ms = append(ms, s.from.n)
	}
	if s.to != nil && s.to.anchor == fromTime {
		ms = append(ms, s.to.n)
	}
	return ms
}

// noEnd is the to of an interval that does not end by itself.
const noEnd = int64(-1)

// interval is a span in one partition: offsets from ≤ x < to.
type interval struct{ from, to int64 }

// resolve finds the interval between the bounds of a partition. at gives the offset of the first record at or after a time, -1 for none.
func (s span) resolve(b bounds, at map[int64]int64) interval {
	place := func(p position, start int64) int64 {
		switch p.anchor {
		case fromStart:
			return addClamped(start, p.n)
		case fromEnd:
			return max(b.start, b.end-p.n)
		case fromTime:
			if found, ok := at[p.n]; ok && found >= 0 {
				return found
			}
			return b.end
		}
		return p.n
	}
	i := interval{from: max(b.start, place(s.from, b.start)), to: noEnd}
	if s.to != nil {
		i.to = max(i.from, place(*s.to, i.from))
	}
	return i
}

// addClamped is a+b for numbers that are not negative, without wrapping around.
func addClamped(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return 1<<63 - 1
}
