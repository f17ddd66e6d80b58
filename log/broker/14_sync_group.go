package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// SyncGroup (14), v0 to v5: v3 static members, v5 protocol type and name. A parked sync ends with its connection.
func (b *Broker) syncGroup(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.SyncGroupRequest{})
}
