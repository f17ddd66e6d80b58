package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/group"
	"github.com/millrace/millrace/log/wire"
)

// ListGroups (16), v0 to v5: v4 filters by state, v5 by type. Every coordinator of this node is asked; one that is still loading makes the whole
// answer COORDINATOR_LOAD_IN_PROGRESS, since a list with holes looks complete.
func (b *Broker) listGroups(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decodeKept(r, &kmsg.ListGroupsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	client := clientOf(r)
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		topic, ok := b.cfg.Quorum.Image().Topic(offsetsTopic)
		if !ok {
			return ready(group.Merge(req, nil)) // no group ever was
		}
		var answers []kmsg.Response
		for _, p := range topic.Partitions {
			if p.Leader != b.cfg.NodeID {
				continue
			}
			resp, err := b.groups.SubmitTo(ctx, p.Index, client, req)
			if ctx.Err() != nil {
				return wire.Reply{}, fmt.Errorf("cannot list groups: %w", ctx.Err())
			}
			if err != nil {
				return ready(group.ErrorResponse(req, code(err)))
			}
			answers = append(answers, resp)
		}
		return ready(group.Merge(req, answers))
	}}, nil
}
