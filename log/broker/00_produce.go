package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/replica"
	"github.com/millrace/millrace/log/wire"
)

// Produce (0), v3 to v13; v0 to v2 are advertised and refused (KAFKA-18659).
//
//	v7  zstd · v8 error messages (KIP-467) · v9 flexible · v10 leader hints: none are given, this node is the only one · v13 topic ids
//
// Exactly one batch of magic 2 per partition. Transactions: a transactional id or batch is refused with INVALID_TXN_STATE, nothing is written.

// zstdProduceVersion is the first version that may carry zstd.
const zstdProduceVersion = 7

var (
	errAcks        = fmt.Errorf("%w: acks must be -1, 0 or 1", kerr.InvalidRequiredAcks)
	errNoTxn       = fmt.Errorf("%w: transactions are not served", kerr.InvalidTxnState)
	errZstdTooOld  = fmt.Errorf("%w: zstd needs Produce v%d", kerr.UnsupportedCompressionType, zstdProduceVersion)
	errNoBatch     = fmt.Errorf("%w: a partition carries exactly one record batch", kerr.InvalidRecord)
	errInternal    = fmt.Errorf("%w: the topic is written by coordinators only", kerr.InvalidTopicException)
	errProduceLate = fmt.Errorf("%w: the records were not committed in time", kerr.RequestTimedOut)
)

// appended is one batch that waits for its high watermark.
type appended struct {
	leader *replica.Leader
	next   int64
	out    *kmsg.ProduceResponseTopicPartition
}

func (b *Broker) produce(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.ProduceRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	waiting, failed := b.appendAll(req, resp)
	switch {
	case req.Acks == 0 && failed != nil:
		return wire.Reply{}, fmt.Errorf("cannot append with acks=0: %w", failed) // closing is the only signal such a client gets
	case req.Acks == 0:
		return wire.Reply{None: true}, nil
	}
	if committed(waiting) {
		return ready(resp)
	}
	timeout := min(time.Duration(req.TimeoutMillis)*time.Millisecond, maxProduceWait)
	return wire.Reply{
		Ready: func() bool { return committed(waiting) },
		Later: func(ctx context.Context) (wire.Reply, error) {
			if err := awaitCommit(ctx, waiting, timeout); err != nil {
				return wire.Reply{}, err
			}
			return ready(resp)
		},
	}, nil
}

// appendAll appends every batch and fills the response; it returns what waits for its high watermark, and the first error.
func (b *Broker) appendAll(req *kmsg.ProduceRequest, resp *kmsg.ProduceResponse) (waiting []appended, failed error) {
	var refused error
	switch {
	case req.Acks < -1 || req.Acks > 1:
		refused = errAcks
	case req.TransactionID != nil:
		refused = errNoTxn
	}
	image := b.cfg.Quorum.Image()
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	for i := range req.Topics {
		in, out := &req.Topics[i], &resp.Topics[i]
		out.Topic, out.TopicID = in.Topic, in.TopicID
		out.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(in.Partitions))
		t, err := topicRef{in.Topic, in.TopicID, req.Version >= 13}.resolve(image)
		if refused != nil {
			err = refused
		}
		for j := range in.Partitions {
			p := &out.Partitions[j]
			p.Default()
			p.Partition = in.Partitions[j].Partition
			leader, next, err := b.appendOne(t, err, p, in.Partitions[j].Records, req.Version)
			switch {
			case err != nil:
				p.ErrorCode, p.ErrorMessage, p.BaseOffset = code(err), message(err), -1
				if failed == nil {
					failed = err
				}
			case req.Acks != 0:
				waiting = append(waiting, appended{leader, next, p})
			}
		}
	}
	return waiting, failed
}

// appendOne appends the batch of one partition.
func (b *Broker) appendOne(t *metadata.Topic, refused error, p *kmsg.ProduceResponseTopicPartition, records []byte, version int16) (*replica.Leader, int64, error) {
	if refused != nil {
		return nil, 0, refused
	}
	if t.Internal {
		return nil, 0, errInternal
	}
	leader, err := b.leader(t, p.Partition)
	if err != nil {
		return nil, 0, err
	}
	batch, rest, err := record.Split(records)
	if err != nil {
		return nil, 0, produceSplitError(err)
	}
	if len(rest) > 0 {
		return nil, 0, errNoBatch
	}
	if version < zstdProduceVersion && batch.Codec() == record.Zstd {
		return nil, 0, errZstdTooOld
	}
	a, err := leader.Append(batch)
	if err != nil {
		return nil, 0, err
	}
	p.BaseOffset, p.LogAppendTime, p.LogStartOffset = a.Base, a.Time, a.Start
	return leader, a.Next, nil
}

// produceSplitError words what cannot be a batch: too short is a corrupt message, like a wrong length.
func produceSplitError(err error) error {
	var invalid *record.InvalidError
	if errors.As(err, &invalid) {
		return err
	}
	return fmt.Errorf("%w: %w", kerr.CorruptMessage, err)
}

func committed(waiting []appended) bool {
	for _, w := range waiting {
		if w.leader.HighWatermark() < w.next {
			return false
		}
	}
	return true
}

// awaitCommit blocks until every batch is below its high watermark, or marks those that are not. It returns an error only when the connection ends.
func awaitCommit(ctx context.Context, waiting []appended, timeout time.Duration) error {
	watcher := replica.NewWatcher()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for i := range waiting {
		w := &waiting[i]
		w.leader.Watch(watcher, w.next)
		defer w.leader.Unwatch(watcher)
	}
	late := false
	for {
		open := 0
		for i := range waiting {
			w := &waiting[i]
			if w.leader == nil || w.leader.HighWatermark() >= w.next {
				continue
			}
			if err := w.failure(late); err != nil {
				w.out.ErrorCode, w.out.ErrorMessage, w.out.BaseOffset = code(err), message(err), -1
				continue
			}
			open++
		}
		if open == 0 {
			return nil
		}
		select {
		case <-watcher.C:
		case <-timer.C:
			late = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// failure is why this batch will not be acked any more; nil while it may.
func (w *appended) failure(late bool) error {
	if err := w.leader.Err(); err != nil {
		return err
	}
	if err := w.leader.Log().Err(); err != nil {
		return err
	}
	if late {
		return errProduceLate
	}
	return nil
}

// produceUnsupported answers the advertised versions that are not served, and closes on the rest.
func (b *Broker) produceUnsupported(_ context.Context, r *wire.Request) (wire.Reply, error) {
	if r.Version > 2 {
		return wire.Reply{}, fmt.Errorf("cannot serve Produce v%d", r.Version)
	}
	req, err := decode(r, &kmsg.ProduceRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	if req.Acks == 0 {
		return wire.Reply{}, fmt.Errorf("cannot serve Produce v%d: served are v3 and later", r.Version)
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode, part.BaseOffset = p.Partition, kerr.UnsupportedVersion.Code, -1
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return ready(resp)
}
