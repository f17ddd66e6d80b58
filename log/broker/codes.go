package broker

import (
	"context"
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/replica"
)

// codes is the one place where the owners' errors become Kafka's codes, in the order they are tried.
func codes() []struct {
	err  error
	code *kerr.Error
} {
	return []struct {
		err  error
		code *kerr.Error
	}{
		{errUnknownPartition, kerr.UnknownTopicOrPartition},
		{errUnknownTopicID, kerr.UnknownTopicID},
		{errInconsistentTopicID, kerr.InconsistentTopicID},
		{replica.ErrNotLeader, kerr.NotLeaderForPartition},
		{partition.ErrUnknownPartition, kerr.NotLeaderForPartition},
		{partition.ErrDeleted, kerr.NotLeaderForPartition},
		{partition.ErrTooLarge, kerr.MessageTooLarge},
		{partition.ErrTooLargeForSegment, kerr.RecordListTooLarge},
		{partition.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
		{partition.ErrProducerFenced, kerr.InvalidProducerEpoch},
		{partition.ErrTransactional, kerr.InvalidTxnState},
		{partition.ErrTimestamp, kerr.InvalidTimestamp},
		{partition.ErrNoSpace, kerr.KafkaStorageError},
		{partition.ErrDirectoryFailed, kerr.KafkaStorageError},
		{partition.ErrStaleEpoch, kerr.NotLeaderForPartition},
		{partition.ErrClosed, kerr.NotLeaderForPartition},
		{record.ErrDecompressedTooLarge, kerr.MessageTooLarge},
		{metadata.ErrTopicExists, kerr.TopicAlreadyExists},
		{metadata.ErrInvalidTopic, kerr.InvalidTopicException},
		{metadata.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
		{metadata.ErrInvalidPartitions, kerr.InvalidPartitions},
		{metadata.ErrInvalidReplicationFactor, kerr.InvalidReplicationFactor},
		{metadata.ErrInvalidReplicaAssignment, kerr.InvalidReplicaAssignment},
		{metadata.ErrInvalidRequest, kerr.InvalidRequest},
		{metadata.ErrUnknownResource, kerr.InvalidRequest},
		{metadata.ErrInvalidUpdateVersion, kerr.InvalidUpdateVersion},
		{metadata.ErrTimeout, kerr.RequestTimedOut},
		{metadata.ErrClosed, kerr.NotController},
		{metadata.ErrFailed, kerr.NotController},
		{metadata.ErrPolicyViolation, kerr.PolicyViolation},
		{metadata.ErrNotController, kerr.NotController},
		{coordinator.ErrNotCoordinator, kerr.NotCoordinator},
		{coordinator.ErrLoading, kerr.CoordinatorLoadInProgress},
		{context.DeadlineExceeded, kerr.RequestTimedOut},
		{context.Canceled, kerr.RequestTimedOut},
	}
}

// codeOf is Kafka's code for err; nil is 0. What nobody translated is a storage error: never UNKNOWN_SERVER_ERROR, on which producers bump
// their epoch and duplicate (KAFKA-14034).
func codeOf(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	var kafka *kerr.Error
	switch {
	case errors.As(err, &kafka):
		return kafka
	case errors.Is(err, coordinator.ErrUnavailable): // whatever the cause: members of groups know no storage errors
		return kerr.CoordinatorNotAvailable
	case errors.Is(err, coordinator.ErrTooLarge):
		return kerr.UnknownServerError
	}
	var (
		invalid *record.InvalidError
		config  *metadata.ConfigError
		offline *partition.OfflineError
		outside *partition.RangeError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Kind == record.Corrupt:
		return kerr.CorruptMessage
	case errors.As(err, &invalid):
		return kerr.InvalidRecord
	case errors.As(err, &config):
		return kerr.InvalidConfig
	case errors.As(err, &outside):
		return kerr.OffsetOutOfRange
	case errors.As(err, &offline):
		return kerr.KafkaStorageError
	}
	for _, c := range codes() {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return kerr.KafkaStorageError
}

// code is codeOf as it goes over the wire.
func code(err error) int16 {
	if e := codeOf(err); e != nil {
		return e.Code
	}
	return 0
}

// maxMessageBytes bounds the text that goes with a code: it may quote what the client sent.
const maxMessageBytes = 1024

// message is the text that goes with a code; nil without an error. What the code itself says is not said again.
func message(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	if kafka, ok := errors.AsType[*kerr.Error](err); ok {
		text = strings.TrimPrefix(text, kafka.Error()+": ")
	}
	if len(text) > maxMessageBytes {
		text = strings.ToValidUTF8(text[:maxMessageBytes], "") + "…"
	}
	return &text
}
