package wire

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Handler answers requests.
type Handler interface {
	// Serve answers one request. It runs on the goroutine that reads the connection, so requests of one connection
	// come one after the other; what has to wait belongs into Reply.Later. ctx ends with the connection. An error
	// closes the connection and is logged as the reason; that is the only signal a client gets for it.
	Serve(ctx context.Context, r *Request) (Reply, error)
}

// Request is one request as it came off the wire. It and everything in it belongs to the connection: it is valid until
// the reply has been written (or, without a reply, until Serve returns), and is used again for another request then.
type Request struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string // cut at MaxClientIDBytes, control characters escaped; empty if null
	Body          []byte // what follows the request header; a part of a pooled buffer, which the handler may modify
	Conn          *Conn

	// Supported tells whether Version lies within Config.Versions. An unsupported version is given to the handler
	// nevertheless, because only it knows the error response of that API; Body must not be decoded then.
	Supported bool

	frameBytes int64 // size of the whole frame, charged to the budgets
	decoded    int64 // bytes that Decode charged to the budget of the node
}

// Reply is the answer to a request, given in exactly one way. Replies leave a connection in the order of the requests.
type Reply struct {
	// Response is ready now. Its version is set by wire to the version of the request, unless KeepVersion is set.
	// It is encoded before Serve or Later gives control back to wire's caller and not kept.
	Response kmsg.Response

	// Frame is ready now and made by hand.
	Frame *Frame

	// Later is not ready yet. It is called on the goroutine that writes, when all earlier replies have been handed to
	// the network, and may block until ctx ends, which it does with the connection. It is called at most once, and not
	// at all if the connection dies before its turn; what it would have to clean up then belongs to Abandon.
	Later func(ctx context.Context) (Reply, error)

	// Ready, if not nil, reports whether Later would return without waiting. Replies that are ready leave in one
	// write with their predecessors. It must be cheap and must not block.
	Ready func() bool

	// Abandon, if not nil, is called instead of Later when the connection dies before Later's turn.
	Abandon func()

	// None says that this request has no answer (produce with acks=0).
	None bool

	// KeepVersion keeps the version that is set in Response (an ApiVersions answer of version 0 to a version that is
	// too high, KIP-511).
	KeepVersion bool

	// Throttle is how long no further request is read from this connection (KIP-219). The reply leaves at once. It
	// counts in what Serve returns, not in what Later returns: the next request may have been read by then.
	Throttle time.Duration
}

// Frame is a reply made by hand: the parts leave in order, after the length and the response header, which wire writes.
type Frame struct {
	Parts []Part

	// Done, if not nil, is called once when the parts are written or dropped: buffers may be used again then.
	Done func()
}

// Part is bytes in memory or a region of a file, not both.
type Part struct {
	Bytes  []byte // not modified, and not kept beyond Frame.Done
	Region Region // released by wire exactly once, written or not
}

// Region is a piece of a file that can be written without being read: partition.Region is one.
type Region interface {
	Size() int
	io.ReaderAt                             // off is relative to the region
	File() (f *os.File, off int64, ok bool) // where the region lies, if it lies in a file of the operating system
	Release()                               // the bytes stay readable until then
}
