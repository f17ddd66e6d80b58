package partition

import "time"

// Pacing of the group commit in mode Fsync. A sync costs the same for one record as for a hundred, in time and in CPU; where small appends come one
// by one from many clients, or pipelined from one, a pass after each handful of them keeps disk and cores busy for nothing. Then passes begin at most
// once a period. An append that comes alone is synced at once.
const (
	// passPeriod is the least time between the beginnings of two passes while passes are paced.
	passPeriod = time.Millisecond
	// pacedAppends is how many appends a pass must have covered for the next one to be paced.
	pacedAppends = 4
	// pacedRate is how many appends in a period make the next pass paced, however few each pass covers. One client that waits for each ack cannot
	// reach it: it needs a round trip and a sync per append.
	pacedRate = 8
	// holdBytes ends the wait: so much is worth a sync of its own.
	holdBytes = 32 << 10
)

// pace decides how long the next pass is held. The zero value holds nothing. It is used under the flusher's lock.
type pace struct {
	appends int       // since the last pass began
	bytes   int64     // of them
	began   time.Time // the last pass
	paced   bool

	window time.Time // in which appends are counted
	seen   int       // appends of passes that began in it
}

// add counts an append; enough says that waiting is of no more use.
func (p *pace) add(bytes int64) (enough bool) {
	p.appends++
	p.bytes += bytes
	return p.bytes >= holdBytes
}

// hold is how much longer the next pass should wait.
func (p *pace) hold(now time.Time) time.Duration {
	if !p.paced || p.bytes >= holdBytes {
		return 0
	}
	return max(0, passPeriod-now.Sub(p.began))
}

// begin says that a pass begins now.
func (p *pace) begin(now time.Time) {
	p.seen += p.appends
	p.paced = p.appends >= pacedAppends
	if passed := now.Sub(p.window); passed >= passPeriod {
		p.paced = p.paced || int64(p.seen)*int64(passPeriod) >= pacedRate*int64(passed)
		p.window, p.seen = now, 0
	} else {
		p.paced = p.paced || p.seen >= pacedRate
	}
	p.appends, p.bytes, p.began = 0, 0, now
}
