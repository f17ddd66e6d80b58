package cli

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes, as `millrace help exit-codes` documents them.
const (
	ExitOK          = 0
	ExitRuntime     = 1   // something failed while it ran
	ExitUsage       = 2   // wrong flags, arguments or configuration: nothing was started
	ExitEnvironment = 3   // the world is not as needed: broker unreachable, port taken, directory locked
	ExitAssertion   = 4   // what was asserted does not hold
	ExitInterrupted = 130 // a second interrupt cut the clean stop short
)

// Error is a failure with its exit code and a hint what to do about it.
type Error struct {
	Code int
	Err  error
	Hint string // "" for none
}

// Error is the sentence without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func usageError(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

func environmentError(err error, hint string) error {
	return &Error{Code: ExitEnvironment, Err: err, Hint: hint}
}

// exitCode is the code for an error that reached the top.
func exitCode(err error) int {
	var e *Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return ExitOK // an interrupt is how one ends a command that runs until then
	default:
		return ExitRuntime
	}
}
