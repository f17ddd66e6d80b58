package metadata

import (
	"context"
	"fmt"
	"math"
)

// ProducerIDBlock is how many producer ids a broker takes at once, as in Kafka. What it has not given out when it stops is lost: no id comes twice.
const ProducerIDBlock = 1000

// allocateProducerIDs takes the next count ids.
type allocateProducerIDs struct{ count uint64 }

func (*allocateProducerIDs) kind() kind         { return kindAllocateProducerIDs }
func (c *allocateProducerIDs) encode(w *writer) { w.uint(c.count) }
func (c *allocateProducerIDs) decode(r *reader) { c.count = r.uint() }

func (c *allocateProducerIDs) apply(old *Image, _ position) (*Image, any) {
	if c.count > uint64(math.MaxInt64-old.nextProducerID) {
		return old, fmt.Errorf("%w: no producer ids are left", ErrPolicyViolation)
	}
	next := old.clone()
	next.nextProducerID += int64(c.count)
	return next, old.nextProducerID
}

// AllocateProducerIDs takes n ids, 1 to ProducerIDBlock, that nobody ever gets again: first, first+1 … first+n-1.
func (q *Quorum) AllocateProducerIDs(ctx context.Context, n int) (first int64, err error) {
	if n < 1 || n > ProducerIDBlock {
		return 0, fmt.Errorf("%w: cannot take %d producer ids at once, 1 to %d are possible", ErrInvalidRequest, n, ProducerIDBlock)
	}
	result, err := q.propose(ctx, &allocateProducerIDs{count: uint64(n)})
	if err != nil {
		return 0, err
	}
	if refused, ok := result.(error); ok {
		return 0, refused
	}
	return result.(int64), nil
}
