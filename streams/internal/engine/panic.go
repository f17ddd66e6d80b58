package engine

import (
	"fmt"
	"runtime"
	"strings"
)

// PanicError is a panic in a function, serde or processor of the user. It is the cause of a [RecordError].
type PanicError struct {
	Value any    // what was given to panic
	Stack string // where, from the panic up to the engine: per frame a line with the function and one with file and line

	bug bool // the engine's own: no handler may go on after it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// Unwrap gives what was given to panic, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

const (
	stackFramesMax = 64
	enginePrefix   = "github.com/millrace/millrace/streams/internal/engine."
	statePrefix    = "github.com/millrace/millrace/streams/state."
	verbsPrefix    = "github.com/millrace/millrace/streams."
)

// newPanicError describes the panic with value p. It must be called while the panicking functions are still on the stack: by
// the function that has recovered. Frames of the engine above the user's are cut off.
func newPanicError(p any) *PanicError {
	pcs := make([]uintptr, stackFramesMax)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	e := &PanicError{Value: p}
	var stack strings.Builder
	panicking, first := false, true
	for {
		f, more := frames.Next()
		ours := strings.HasPrefix(f.Function, enginePrefix) || strings.HasPrefix(f.Function, statePrefix) ||
			strings.HasPrefix(f.Function, verbsPrefix)
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case !panicking || (first && strings.HasPrefix(f.Function, "runtime.")):
		case ours && !first:
			e.Stack = stack.String()
			return e
		default:
			e.bug = e.bug || ours
			first = false
			fmt.Fprintf(&stack, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		}
		if !more {
			e.Stack = stack.String()
			return e
		}
	}
}

// recovered turns a panic into an error of the node at work, which its handler decides about: the record is abandoned where it
// stood. To be deferred.
func (t *Task) recovered(err *error) {
	p := recover()
	if p == nil {
		return
	}
	e := newPanicError(p)
	if e.bug {
		*err = t.at.wrap(Processing, e)
		return
	}
	*err = t.at.failed(Processing, e)
}

// guarded calls f, which belongs to no record: a panic becomes its error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	return f()
}
