package broker

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// InitProducerId (22), v0 to v5.
//
// Without a transactional id: a fresh id with epoch 0, whatever id and epoch the client sends (KIP-360 bumps epochs of transactional ids only).
// With one: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, on which every client gives up, until transactions exist.
func (b *Broker) initProducerID(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.InitProducerIDRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return ready(resp)
	}
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		ctx, cancel := context.WithTimeout(ctx, maxAdminWait)
		defer cancel()
		id, err := b.ids.next(ctx)
		if err != nil {
			b.log.Error("cannot allocate producer ids", "err", err)
			resp.ErrorCode = kerr.CoordinatorNotAvailable.Code // retriable
			return ready(resp)
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
		return ready(resp)
	}}, nil
}

// producerIDs hands out ids of the current block; its mutex is held while a new block is fetched, so that one block is fetched at a time.
type producerIDs struct {
	quorum *metadata.Quorum

	mu         sync.Mutex
	free, last int64 // free ids: [free, last)
}

func (p *producerIDs) next(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == p.last {
		first, err := p.quorum.AllocateProducerIDs(ctx, metadata.ProducerIDBlock)
		if err != nil {
			return 0, fmt.Errorf("cannot take a block of producer ids: %w", err)
		}
		p.free, p.last = first, first+metadata.ProducerIDBlock
	}
	id := p.free
	p.free++
	return id, nil
}
