package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// OffsetDelete (47), v0. Topics that a live group is subscribed to: GROUP_SUBSCRIBED_TO_TOPIC.
func (b *Broker) offsetDelete(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.OffsetDeleteRequest{})
}
