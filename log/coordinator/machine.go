package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

// Errors that callers of a Host branch on. Clients may try again after each of them.
var (
	// ErrNotCoordinator means that this node does not lead the partition, or that it stopped leading it meanwhile (NOT_COORDINATOR).
	ErrNotCoordinator = errors.New("this node does not coordinate the partition")
	// ErrLoading means that the partition is being read; it comes back as soon as that is done (COORDINATOR_LOAD_IN_PROGRESS).
	ErrLoading = errors.New("the coordinator is loading")
	// ErrUnavailable means that the log refused the records or was lost while waiting for it (COORDINATOR_NOT_AVAILABLE). Before the
	// append nothing has changed; after it the outcome is unknown.
	ErrUnavailable = errors.New("the coordinator is not available")
	// ErrTooLarge is for a Log to return from Append: the batch exceeds what the topic takes. It is not retriable (UNKNOWN_SERVER_ERROR).
	ErrTooLarge = errors.New("the records are too large for the coordinator's topic")
)

// Client is who sent a request.
type Client struct {
	ID   string // client id of the request header
	Host string // address of the peer, as Kafka shows it: "/127.0.0.1"
}

// Record is one record for the machine's log. Nobody changes the slices once it is made. A nil Value is a tombstone.
type Record struct {
	Key, Value []byte
}

// Reply answers the request that came with Token.
type Reply struct {
	Token    uint64
	Response kmsg.Response
}

// Effects are what a machine wants done, in this order: append the records, apply them, and, when everything appended so far is below the high
// watermark, send the replies. The machine keeps none of it.
type Effects struct {
	Records []Record
	Replies []Reply
}

// Machine is a deterministic state machine: what it does depends on its state and the arguments alone. It starts no goroutine and does no I/O.
//
// Its state has two parts. The durable one changes in Apply only, so that records which could not be appended leave no trace. The volatile
// one (who waits, timers) may change anywhere; it is gone after a restart. All calls are made under one lock.
type Machine interface {
	// Handle takes a request at now, a monotonic time. The reply is in the effects of this call or of a later one, under the same token;
	// at most one. The request stays unchanged, and the machine may keep its slices.
	Handle(now time.Duration, token uint64, client Client, req kmsg.Request) Effects
	// Tick does what is due at now. The first call follows the loading; timers count from then.
	Tick(now time.Duration) Effects
	// NextTick tells when Tick has something to do; false means never.
	NextTick() (time.Duration, bool)
	// Cancel means that nobody waits for the token any more: the client is gone, or its reply was one of effects that could not be appended.
	// An unknown token is no error.
	Cancel(now time.Duration, token uint64) Effects
	// Apply takes a record that stands in the log at offset, live or while loading. An error means that the machine cannot go on.
	Apply(r Record, offset int64) error
	// Unload ends the machine: the effects answer whoever still waits. Records in them are ignored.
	Unload() Effects
}

// Log is what a Host needs of a partition that this node leads. Its methods are called from several goroutines.
type Log interface {
	// Append appends one batch and returns the log end after it. The batch is not kept. No other writer may exist.
	Append(b record.Batch) (end int64, err error)
	// Read calls fn for each batch from the one that holds offset (or from the log's start, if that is later) to the log end, which it
	// returns. A batch is valid during the call only.
	Read(offset int64, fn func(record.Batch) error) (next int64, err error)
	// Await returns nil once the high watermark is at least offset, and an error when that cannot be any more or ctx ends.
	Await(ctx context.Context, offset int64) error
}
