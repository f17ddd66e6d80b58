package client

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What callers branch on. Errors of this package wrap these; test with errors.Is.
var (
	ErrClosed = errors.New("closed")
	// ErrTimeout: the log did not do it in time; whether it was done is unknown.
	ErrTimeout = errors.New("timed out")

	ErrTopicExists       = errors.New("topic exists")
	ErrUnknownTopic      = errors.New("unknown topic or partition")
	ErrInvalidTopic      = errors.New("invalid topic name")
	ErrInvalidPartitions = errors.New("invalid number of partitions or replicas")
	ErrInvalidConfig     = errors.New("invalid config")

	ErrOffsetOutOfRange  = errors.New("offset out of range")
	ErrNoCommittedOffset = errors.New("no committed offset")
	// ErrDataLoss: the log lost records that had been written or read.
	ErrDataLoss = errors.New("log lost records")
	// ErrFencedEpoch: the leader epoch asked about is not the one the log is at.
	ErrFencedEpoch = errors.New("fenced or unknown leader epoch")
	// ErrBatchTooLarge: a batch decompresses to more than FetchConfig.MaxBatchBytes; the partition is read no further until moved past it.
	ErrBatchTooLarge = errors.New("batch too large to decompress")

	ErrRecordTooLarge   = errors.New("record too large")
	ErrInvalidRecord    = errors.New("invalid record")
	ErrInvalidTimestamp = errors.New("invalid timestamp")
	// ErrProducerFenced: a newer producer took this one's identity.
	ErrProducerFenced = errors.New("producer fenced")
	// ErrOutOfOrder: the log misses an earlier batch of this producer.
	ErrOutOfOrder = errors.New("out of order sequence number")

	// ErrFenced: another member with the same instance id took this one's seat.
	ErrFenced = errors.New("fenced by another member with the same instance id")
	// ErrUnknownMember: the group dropped this member.
	ErrUnknownMember = errors.New("unknown member")
	// ErrIllegalGeneration: the group has rebalanced without this member.
	ErrIllegalGeneration = errors.New("illegal generation")
	// ErrRebalance: the group is rebalancing; commit in OnRevoked or after the next assignment.
	ErrRebalance = errors.New("group is rebalancing")
	// ErrNotAssigned: the partition is not (or no longer) read by this consumer or member.
	ErrNotAssigned   = errors.New("partition is not assigned")
	ErrUnknownGroup  = errors.New("unknown group")
	ErrGroupNotEmpty = errors.New("group is not empty")

	ErrNotAuthorized = errors.New("not authorized")
	ErrUnsupported   = errors.New("not supported by the log")
)

// BrokerError is an error code a broker answered.
type BrokerError struct {
	Code      int16
	Name      string // Kafka's name, as OFFSET_OUT_OF_RANGE
	Retriable bool   // Kafka says that the same request may succeed later

	sentinel error
	detail   string
}

// Error returns the meaning, then Kafka's name and the broker's own words.
func (e *BrokerError) Error() string {
	text := e.Name
	if e.sentinel != nil {
		text = fmt.Sprintf("%v (%s)", e.sentinel, e.Name)
	}
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text
}

// Unwrap returns the sentinel of this package for the code, if there is one.
func (e *BrokerError) Unwrap() error { return e.sentinel }

// IsRetriable reports whether Kafka says that what failed with err may succeed when tried again.
func IsRetriable(err error) bool {
	b, ok := errors.AsType[*BrokerError](err)
	return ok && b.Retriable
}

// sentinelOf is the one table from Kafka's codes to the sentinels of this package.
func sentinelOf(e *kerr.Error) error {
	switch e {
	case kerr.TopicAlreadyExists:
		return ErrTopicExists
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID:
		return ErrUnknownTopic
	case kerr.InvalidTopicException:
		return ErrInvalidTopic
	case kerr.InvalidPartitions, kerr.InvalidReplicationFactor, kerr.InvalidReplicaAssignment:
		return ErrInvalidPartitions
	case kerr.InvalidConfig, kerr.PolicyViolation:
		return ErrInvalidConfig
	case kerr.OffsetOutOfRange:
		return ErrOffsetOutOfRange
	case kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch:
		return ErrFencedEpoch
	case kerr.MessageTooLarge, kerr.RecordListTooLarge:
		return ErrRecordTooLarge
	case kerr.InvalidRecord, kerr.CorruptMessage:
		return ErrInvalidRecord
	case kerr.InvalidTimestamp:
		return ErrInvalidTimestamp
	case kerr.InvalidProducerEpoch, kerr.ProducerFenced:
		return ErrProducerFenced
	case kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID:
		return ErrOutOfOrder
	case kerr.FencedInstanceID:
		return ErrFenced
	case kerr.UnknownMemberID:
		return ErrUnknownMember
	case kerr.IllegalGeneration, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch:
		return ErrIllegalGeneration
	case kerr.RebalanceInProgress:
		return ErrRebalance
	case kerr.GroupIDNotFound:
		return ErrUnknownGroup
	case kerr.NonEmptyGroup, kerr.GroupSubscribedToTopic:
		return ErrGroupNotEmpty
	case kerr.RequestTimedOut:
		return ErrTimeout
	case kerr.UnsupportedVersion, kerr.UnsupportedForMessageFormat:
		return ErrUnsupported
	case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed:
		return ErrNotAuthorized
	}
	return nil
}

// translate returns err in the words of this package; nil for nil.
func translate(err error) error { return translateDetail(err, "") }

// translateDetail is translate with the broker's own words.
func translateDetail(err error, detail string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*BrokerError](err); ok {
		return err
	}
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		if detail == "" && err != error(k) {
			detail = err.Error()
		}
		return &BrokerError{Code: k.Code, Name: k.Message, Retriable: k.Retriable, sentinel: sentinelOf(k), detail: detail}
	}
	if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
		return fmt.Errorf("%w: read up to offset %d of epoch %d, reset to %d", ErrDataLoss, loss.ConsumedTo, loss.ConsumedToEpoch, loss.ResetTo)
	}
	if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		return fmt.Errorf("%w: the next batch starts at offset %d", ErrBatchTooLarge, large.NextOffset)
	}
	switch {
	case errors.Is(err, kgo.ErrClientClosed):
		return ErrClosed
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return fmt.Errorf("%w: %v", ErrTimeout, err)
	case err.Error() == noCommittedOffset:
		return ErrNoCommittedOffset
	}
	return err
}

// noCommittedOffset is the text of an error the library does not export.
const noCommittedOffset = "partition has no prior committed offset"

// fromCode returns the error of a response code; nil for 0.
func fromCode(code int16, detail *string) error {
	if code == 0 {
		return nil
	}
	words := ""
	if detail != nil {
		words = *detail
	}
	return translateDetail(kerr.ErrorForCode(code), words)
}
