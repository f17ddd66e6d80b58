package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// OffsetFetch (9), v1 to v10.
//
//	v2 all topics (null), top-level error · v5 leader epoch · v7 RequireStable: no transactions, so every offset is stable · v8 many groups ·
//	v9 member epoch · v10 topic ids
//
// A request for many groups is cut into one per group: each has its own coordinator.
func (b *Broker) offsetFetch(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.OffsetFetchRequest{})
}
