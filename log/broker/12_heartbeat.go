package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// Heartbeat (12), v0 to v4: v3 static members.
func (b *Broker) heartbeat(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.HeartbeatRequest{})
}
