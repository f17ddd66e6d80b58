package shop

import (
	"time"

	"github.com/millrace/millrace/streams"
)

// seenStore remembers the ids of payments, per seenWindow of event time.
const (
	seenStore  = "seen-payments"
	seenWindow = 10 * time.Second
)

// deduplicate drops a payment that was sent twice. The store forgets an id when no duplicate of it could be joined any more.
type deduplicate struct {
	ctx  *streams.Context[string, Payment]
	seen *streams.WindowValues[string, bool]
}

func newDeduplicate() streams.Processor[string, Payment, string, Payment] { return &deduplicate{} }

// Init opens the store.
func (d *deduplicate) Init(ctx *streams.Context[string, Payment]) (err error) {
	d.ctx = ctx
	d.seen, err = ctx.Window[string, bool](seenStore)
	return err
}

// Process forwards a payment the first time.
func (d *deduplicate) Process(r streams.Record[string, Payment]) error {
	start := r.Time.Truncate(seenWindow)
	if _, again, err := d.seen.Get(r.Value.ID, start); err != nil || again {
		return err
	}
	if _, err := d.seen.Put(r.Value.ID, start, true); err != nil {
		return err
	}
	return d.ctx.Forward(r)
}

// Close has nothing to give back.
func (d *deduplicate) Close() error { return nil }
