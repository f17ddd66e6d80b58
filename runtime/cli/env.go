package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// Env is the world as a command sees it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// LookupEnv finds an environment variable.
	LookupEnv func(string) (string, bool)
	// Terminal says whether standard output is one, and how wide it is.
	Terminal bool
	Width    int
	// StdinTerminal says whether somebody is there to answer.
	StdinTerminal bool
	// Interrupts returns a context that ends with the first interrupt; the second one ends the process with ExitInterrupted.
	Interrupts func(context.Context) (context.Context, context.CancelFunc)
}

// defaultWidth is the line width where there is no terminal.
const defaultWidth = 100

// System is the process's own environment.
func System() Env {
	env := Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())), Width: defaultWidth, Interrupts: interrupts,
		StdinTerminal: term.IsTerminal(int(os.Stdin.Fd())),
	}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && width > 0 {
		env.Width = width
	}
	return env
}

// colour says whether escapes may be printed.
func (e Env) colour() bool {
	_, no := e.LookupEnv("NO_COLOR")
	return e.Terminal && !no
}

// sameInterrupt is how long after the first interrupt another one still counts as the same: tools that send it to the process and to its group
// send it twice.
const sameInterrupt = 300 * time.Millisecond

// interrupts ends the context at the first SIGINT or SIGTERM and the process at the second.
func interrupts(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			signal.Stop(signals)
			return
		}
		first := time.Now()
		for range signals {
			if time.Since(first) > sameInterrupt {
				os.Exit(ExitInterrupted)
			}
		}
	}()
	return ctx, cancel
}
