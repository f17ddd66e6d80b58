package metadata

import (
	"errors"
	"fmt"
)

// What callers branch on; the broker maps each to Kafka's code. They come wrapped with the particulars: use errors.Is.
var (
	ErrTopicExists              = errors.New("topic already exists")
	ErrInvalidTopic             = errors.New("invalid topic name")
	ErrUnknownTopic             = errors.New("unknown topic")
	ErrInvalidPartitions        = errors.New("invalid number of partitions")
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	ErrInvalidReplicaAssignment = errors.New("invalid replica assignment")
	ErrInvalidRequest           = errors.New("invalid request")
	ErrInvalidUpdateVersion     = errors.New("invalid feature update")
	ErrPolicyViolation          = errors.New("limit exceeded")
	ErrUnknownResource          = errors.New("unknown resource")
	// ErrNotController: this node does not lead the quorum, or lost the lead with the change in flight; then it may still be applied.
	ErrNotController = errors.New("not the controller")
	// ErrTimeout: the caller's context ended first. The change may still be applied. The context's own error is wrapped, too.
	ErrTimeout = errors.New("metadata change timed out")
	// ErrClosed: the quorum was closed.
	ErrClosed = errors.New("metadata quorum is closed")
	// ErrFailed: a store of this node failed; it takes part in nothing any more (see Quorum.Failed).
	ErrFailed = errors.New("metadata store failed")
	// ErrNewerFormat: an entry or a snapshot was written by a newer version of this program.
	ErrNewerFormat = errors.New("written by a newer version")
	// ErrDamaged: what the data directory holds of the quorum's log cannot be read, or has a hole.
	ErrDamaged = errors.New("metadata log is damaged")
	// ErrForeignQuorum: the data directory belongs to a quorum of other voters than the configuration names.
	ErrForeignQuorum = errors.New("data directory belongs to another quorum")
)

// ConfigError says which key of a configuration was refused, and why (Kafka's INVALID_CONFIG).
type ConfigError struct {
	Key    string
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("invalid config %q: %s", e.Key, e.Reason)
}
