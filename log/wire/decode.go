package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Decode decodes the body of a request into a kmsg request of the same key, and sets its version. The bounded walker
// looks at the body first: kmsg trusts its peer. What is decoded is charged to the budget of the node until the reply
// has been written. Strings are copied; []byte fields are parts of r.Body. An error is a *CloseError: the handler
// returns it, and the connection is closed.
func Decode(r *Request, into kmsg.Request) error {
	if into.Key() != r.Key {
		panic(fmt.Sprintf("BUG: wire: request with key %d decoded as %d", r.Key, into.Key()))
	}
	s := r.Conn.server
	memory, err := s.schemas.walk(r.Key, r.Version, r.Body)
	if err != nil {
		return &CloseError{Reason: ReasonBadRequest, Err: fmt.Errorf("API %d version %d: %w", r.Key, r.Version, err)}
	}
	s.budget.charge(memory)
	r.decoded += memory
	into.SetVersion(r.Version)
	if err := into.ReadFrom(r.Body); err != nil {
		return &CloseError{Reason: ReasonBadRequest, Err: fmt.Errorf("API %d version %d: %w", r.Key, r.Version, err)}
	}
	return nil
}
