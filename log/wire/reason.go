package wire

import (
	"errors"
	"fmt"
)

// Reason says why a connection was closed or refused. Each has a counter in Stats.
type Reason int

// The reasons.
const (
	ReasonClientClosed       Reason = iota // an orderly end, or a reset between frames
	ReasonServerClosed                     // Server.Close, Conn.Close
	ReasonTooManyConnections               // the total
	ReasonTooManyFromIP
	ReasonConnectionRate // per IP
	ReasonNegativeSize
	ReasonFrameTooLarge
	ReasonFrameTooSmall
	ReasonHTTP        // the first bytes are an HTTP request
	ReasonTLS         // the first bytes are a TLS hello, on a plain listener
	ReasonUnknownAPI  // a key that is not served
	ReasonBadHeader   // the request header is malformed
	ReasonBadRequest  // the walker refused the body
	ReasonIdle        // no request for IdleTimeout
	ReasonSlowFrame   // a frame did not arrive in time
	ReasonSlowReader  // a reply made no progress for WriteTimeout
	ReasonTruncated   // the connection ended inside a frame
	ReasonReadFailed  // any other error of reading
	ReasonWriteFailed // any other error of writing
	ReasonHandler     // the handler returned an error
	ReasonPanic       // the handler panicked
	reasonCount
)

func reasonNames() [reasonCount]string {
	return [reasonCount]string{
		"client closed", "server closed", "too many connections", "too many connections from one address",
		"connection rate", "negative frame size", "frame too large", "frame too small", "http request", "tls hello",
		"unknown api", "bad request header", "bad request", "idle", "slow frame", "slow reader", "truncated frame",
		"read failed", "write failed", "handler error", "handler panic",
	}
}

// String is the reason in words, also the label of its counter.
func (r Reason) String() string {
	if r < 0 || r >= reasonCount {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonNames()[r]
}

// CloseError is why a connection ended.
type CloseError struct {
	Reason Reason
	Err    error // details, may be nil
}

func (e *CloseError) Error() string {
	if e.Err == nil {
		return "connection closed: " + e.Reason.String()
	}
	return "connection closed: " + e.Reason.String() + ": " + e.Err.Error()
}

func (e *CloseError) Unwrap() error { return e.Err }

// reasonOf finds the reason in err, or takes the given one.
func reasonOf(err error, otherwise Reason) *CloseError {
	if c, ok := errors.AsType[*CloseError](err); ok {
		return c
	}
	return &CloseError{Reason: otherwise, Err: err}
}
