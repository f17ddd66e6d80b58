package streams

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/streams/internal/engine"
)

// Windows says how a stream is cut into time windows: [Tumbling], [Hopping] or [Sliding]. Windows are as fine as a
// millisecond.
type Windows struct {
	kind    engine.WindowKind
	size    time.Duration
	advance time.Duration
	grace   time.Duration
}

// Tumbling windows [start, start+size) follow one another without gap, aligned to the epoch.
func Tumbling(size time.Duration) Windows {
	return Windows{kind: engine.TimeWindows, size: size, advance: size}
}

// Hopping windows [start, start+size) begin every advance, aligned to the epoch, and overlap.
func Hopping(size, advance time.Duration) Windows {
	return Windows{kind: engine.TimeWindows, size: size, advance: advance}
}

// Sliding windows [start, start+difference], both ends included, are made by the records themselves: two records are in one
// window if they are at most difference apart.
func Sliding(difference time.Duration) Windows {
	return Windows{kind: engine.SlidingWindows, size: difference, advance: difference}
}

// Grace is how long after its end a window still takes late records, in stream time. The default is none.
func (w Windows) Grace(d time.Duration) Windows {
	w.grace = d
	return w
}

// Sessions says how a stream is cut into sessions: see [Session].
type Sessions struct {
	gap   time.Duration
	grace time.Duration
}

// Session windows [start, end], both ends included, hold records that are at most gap apart.
func Session(gap time.Duration) Sessions { return Sessions{gap: gap} }

// Grace is how long after a session's end plus gap it still takes late records, in stream time. The default is none.
func (w Sessions) Grace(d time.Duration) Sessions {
	w.grace = d
	return w
}

// JoinWindow says which records of two streams meet: see [Within] and [Between].
type JoinWindow struct{ before, after, grace time.Duration }

// Within lets a left record at t meet right records in [t − d, t + d].
func Within(d time.Duration) JoinWindow { return JoinWindow{before: d, after: d} }

// Between lets a left record at t meet right records in [t − before, t + after]. Either may be negative, their sum may not.
func Between(before, after time.Duration) JoinWindow { return JoinWindow{before: before, after: after} }

// Grace is how long after its end a window still takes late records, in stream time. The default is none.
func (w JoinWindow) Grace(d time.Duration) JoinWindow {
	w.grace = d
	return w
}

func (w JoinWindow) check() error {
	switch {
	case w.before+w.after < 0:
		return fmt.Errorf("cannot join within [t − %s, t + %s]: it ends before it starts", w.before, w.after)
	case w.grace < 0:
		return fmt.Errorf("cannot use join window: its grace is %s", w.grace)
	}
	return wholeMillis(w.before, w.after, w.grace)
}

func (w Windows) check() error {
	least := time.Millisecond
	if w.kind == engine.SlidingWindows {
		least = 0
	}
	switch {
	case w.size < least:
		return fmt.Errorf("cannot use window of %s: it is too short", w.size)
	case w.kind == engine.TimeWindows && (w.advance <= 0 || w.advance > w.size):
		return fmt.Errorf("cannot use windows of %s that begin every %s: the step must be above zero and at most the size", w.size, w.advance)
	case w.grace < 0:
		return fmt.Errorf("cannot use window: its grace is %s", w.grace)
	}
	return wholeMillis(w.size, w.advance, w.grace)
}

func (w Sessions) check() error {
	switch {
	case w.gap <= 0:
		return fmt.Errorf("cannot use session with a gap of %s", w.gap)
	case w.grace < 0:
		return fmt.Errorf("cannot use session: its grace is %s", w.grace)
	}
	return wholeMillis(w.gap, w.grace)
}

func wholeMillis(all ...time.Duration) error {
	for _, d := range all {
		if d%time.Millisecond != 0 {
			return fmt.Errorf("cannot use %s in a window: times are whole milliseconds", d)
		}
	}
	return nil
}
