package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// LeaveGroup (13), v0 to v5: v3 many members, static ones by instance id (KIP-345); v5 a reason.
func (b *Broker) leaveGroup(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.LeaveGroupRequest{})
}
