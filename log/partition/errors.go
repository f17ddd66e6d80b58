package partition

import (
	"errors"
	"fmt"
)

// Sentinels that callers translate to codes of the protocol.
var (
	ErrUnknownPartition   = errors.New("the partition is not in this log directory")
	ErrNewerFormat        = errors.New("the log directory was written by a newer version")
	ErrWrongDirectory     = errors.New("the log directory belongs to another cluster or node")
	ErrTooLarge           = errors.New("the batch is larger than max.message.bytes")
	ErrTooLargeForSegment = errors.New("the batch is larger than segment.bytes")
	ErrOutOfOrderSequence = errors.New("the sequence number does not follow the producer's last one")
	ErrProducerFenced     = errors.New("the producer epoch is older than the newest one")
	ErrTransactional      = errors.New("transactions are not supported")
	ErrTimestamp          = errors.New("the timestamp is out of the range that the topic allows")
	ErrNoSpace            = errors.New("no space left on the disk")
	ErrDirectoryFailed    = errors.New("the log directory is offline after a disk error")
	ErrDeleted            = errors.New("the partition is deleted")
	ErrClosed             = errors.New("the log directory is closed")
	ErrStaleEpoch         = errors.New("the leader epoch is older than the newest one in the log")
	ErrUnexpectedOffset   = errors.New("the replicated batch does not start at the end of the log")
	errMissingOnLoad      = errors.New("its directory is missing")
	errMissingMetadata    = errors.New("its partition.metadata is missing or damaged")
	errForeignMetadata    = errors.New("its partition.metadata names another topic id")
	errNoMark             = errors.New("it does not say what of the partition is durable")
	errMarksMissing       = errors.New("marks.log is missing though the directory was in use")
	errNoIdentityButLogs  = errors.New("meta.properties is missing though there are partitions")
)

// OfflineError says that a partition is not served because its bytes on disk are not what was written, and where.
type OfflineError struct {
	ID     ID
	File   string // relative to the log directory; after a quarantine, the new name
	Offset int64  // first record offset that is in doubt; -1 if not known
	Err    error
}

func (e *OfflineError) Error() string {
	return fmt.Sprintf("partition %s is offline: %s at offset %d: %v", e.ID, e.File, e.Offset, e.Err)
}

func (e *OfflineError) Unwrap() error { return e.Err }

// RangeError says that an offset is outside of the log.
type RangeError struct {
	Offset     int64
	Start, End int64 // the log holds [Start, End)
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("offset %d is outside of the log [%d, %d)", e.Offset, e.Start, e.End)
}
