package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// FindCoordinator (10), v0 to v6.
//
//	v1 coordinator type · v4 many keys (KIP-699)
//
// Type 0, groups, only. Until transactions exist, type 1 is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED: of all errors it is the one that
// every client gives up on at once (librdkafka retries INVALID_REQUEST until its own timeout). Other types: INVALID_REQUEST.
const (
	coordinatorTypeGroup       = 0
	coordinatorTypeTransaction = 1
)

func (b *Broker) findCoordinator(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.FindCoordinatorRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		if req.Version < 4 {
			found := b.coordinatorFor(ctx, r, req.CoordinatorType, req.CoordinatorKey)
			resp.ErrorCode, resp.ErrorMessage = found.ErrorCode, found.ErrorMessage
			resp.NodeID, resp.Host, resp.Port = found.NodeID, found.Host, found.Port
			return ready(resp)
		}
		for _, key := range req.CoordinatorKeys {
			resp.Coordinators = append(resp.Coordinators, b.coordinatorFor(ctx, r, req.CoordinatorType, key))
		}
		return ready(resp)
	}}, nil
}

// coordinatorFor names the broker that leads the key's partition of __consumer_offsets, which is made if it is not there yet.
func (b *Broker) coordinatorFor(ctx context.Context, r *wire.Request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Host, out.Port = key, -1, "", -1
	fail := func(err error) kmsg.FindCoordinatorResponseCoordinator {
		out.ErrorCode, out.ErrorMessage = code(err), message(err)
		return out
	}
	switch kind {
	case coordinatorTypeGroup:
	case coordinatorTypeTransaction:
		return fail(fmt.Errorf("%w: transactions are not served", kerr.TransactionalIDAuthorizationFailed))
	default:
		return fail(fmt.Errorf("%w: coordinator type %d is not served, only groups (0)", kerr.InvalidRequest, kind))
	}
	t, err := b.ensureOffsetsTopic(ctx)
	if err != nil {
		b.log.Error("cannot make the offsets topic", "err", err)
		return fail(fmt.Errorf("%w: the offsets topic could not be made", kerr.CoordinatorNotAvailable))
	}
	index := b.groups.PartitionFor(key)
	if int(index) >= len(t.Partitions) {
		return fail(fmt.Errorf("%w: the offsets topic has fewer partitions than the node was started with", kerr.CoordinatorNotAvailable))
	}
	leader := t.Partitions[index].Leader
	for _, broker := range b.cfg.Quorum.Image().Brokers() {
		if broker.ID == leader {
			out.NodeID = broker.ID
			out.Host, out.Port = advertised(r, broker)
			return out
		}
	}
	return fail(fmt.Errorf("%w: node %d, which leads the group's partition, is not there", kerr.CoordinatorNotAvailable, leader))
}
