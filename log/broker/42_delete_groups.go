package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// DeleteGroups (42), v0 to v2. A group with members: NON_EMPTY_GROUP.
func (b *Broker) deleteGroups(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.DeleteGroupsRequest{})
}
