package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// DescribeGroups (15), v0 to v6: v6 GROUP_ID_NOT_FOUND (KIP-1043), below state Dead without an error. One request per group goes to its coordinator.
func (b *Broker) describeGroups(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.DescribeGroupsRequest{})
}
