package statetest

import (
	"cmp"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/streams/state"
)

// session is a session's changelog key, taken apart.
type session struct {
	key        string
	start, end int64
}

func parseSession(composed string) session {
	key, start, end, err := state.ParseSessionKey([]byte(composed))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return session{string(key), start, end}
}

func sessionKey(key string, start, end int64) string {
	return string(state.AppendSessionKey(nil, []byte(key), start, end))
}

func compareSessions(a, b string) int {
	x, y := parseSession(a), parseSession(b)
	return cmp.Or(cmp.Compare(x.end, y.end), cmp.Compare(x.start, y.start), strings.Compare(x.key, y.key))
}

// Session checks a session store.
func Session(t *testing.T, open func(retention time.Duration) state.Session) {
	l := layout{
		time: func(composed string) int64 { return parseSession(composed).end },
		draw: func(t *rapid.T) string {
			start := drawTime(t)
			return sessionKey(drawUserKey(t), start, start+rapid.Int64Range(0, 30).Draw(t, "length"))
		},
	}
	walk(t, l, func(retention time.Duration) subject { return sessionSubject(open(retention)) })
	t.Run("HostileKeys", func(t *testing.T) {
		hostile(t, open(time.Second).(state.Logged), sessionKey("k", 5, 4), "short")
	})
}

func sessionSubject(s state.Session) subject {
	return subject{
		logged: s.(state.Logged),
		timed:  s,
		put: func(composed string, value []byte, ts int64) bool {
			x := parseSession(composed)
			return s.Put([]byte(x.key), x.start, x.end, value, ts)
		},
		remove: func(composed string) {
			x := parseSession(composed)
			s.Remove([]byte(x.key), x.start, x.end)
		},
		get: func(composed string) ([]byte, int64, bool) {
			x := parseSession(composed)
			return s.Get([]byte(x.key), x.start, x.end)
		},
		scan: func(t *rapid.T) (scan, iter.Seq2[string, state.Value]) { return drawSessionScan(t, s) },
	}
}

func drawSessionScan(t *rapid.T, s state.Session) (scan, iter.Seq2[string, state.Value]) {
	key, a, b := drawUserKey(t), drawTime(t), drawTime(t)
	ofKey := func(composed string) bool {
		x := parseSession(composed)
		return x.key == key && x.end >= a && x.start <= b
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return scan{"Find", compareSessions, ofKey}, ofSessions(s.Find([]byte(key), a, b))
	case 1:
		return scan{"FindBackward", backward(compareSessions), ofKey}, ofSessions(s.FindBackward([]byte(key), a, b))
	}
	within := func(composed string) bool { x := parseSession(composed); return a <= x.end && x.end <= b }
	return scan{"FindAll", compareSessions, within}, ofSessions(s.FindAll(a, b))
}

func ofSessions(entries iter.Seq2[state.SessionKey, state.Value]) iter.Seq2[string, state.Value] {
	return func(yield func(string, state.Value) bool) {
		for k, v := range entries {
			if !yield(sessionKey(string(k.Key), k.Start, k.End), v) {
				return
			}
		}
	}
}
