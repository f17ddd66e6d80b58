package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// OffsetCommit (8), v2 to v10.
//
//	v2 retention time (ignored since v5) · v6 leader epoch · v7 static members · v10 topic ids
//
// The rules stand in log/group; the coordinator's own errors go to every partition.
func (b *Broker) offsetCommit(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.OffsetCommitRequest{})
}
