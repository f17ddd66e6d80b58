package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/millrace/millrace/runtime/nodetest"
)

const treeFile = "testdata/tree.txt"

// TestTree holds the names, flags and one-line texts of all commands: they are what scripts and fingers rely on. With MILLRACE_UPDATE=1 it writes
// the file instead.
func TestTree(t *testing.T) {
	a := &app{env: Env{Stdout: io.Discard, Stderr: io.Discard}}
	root := a.root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	describeTree(&b, root)
	if os.Getenv("MILLRACE_UPDATE") != "" {
		if err := os.WriteFile(treeFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(treeFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the commands are not those of %s (MILLRACE_UPDATE=1 writes it anew): %s", treeFile, diff)
	}
}

func describeTree(b *strings.Builder, cmd *cobra.Command) {
	name := cmd.CommandPath()
	if args := strings.TrimPrefix(cmd.Use, cmd.Name()); args != "" {
		name += args
	}
	if len(cmd.Aliases) > 0 {
		name += " (" + strings.Join(cmd.Aliases, ", ") + ")"
	}
	fmt.Fprintf(b, "%s: %s\n", name, cmd.Short)
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		short := ""
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		fmt.Fprintf(b, "  %s--%s %s\n", short, f.Name, f.Value.Type())
	})
	for _, sub := range cmd.Commands() {
		describeTree(b, sub)
	}
}

// Every command says what it does, and what a flag is for.
func TestEveryCommandIsDescribed(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: %q is no one-line text", cmd.CommandPath(), cmd.Short)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing about itself", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
}

// interrupter ends a context when something was written: somebody who has seen enough.
type interrupter struct {
	interrupt context.CancelFunc
	strings.Builder
}

func (w *interrupter) Write(p []byte) (int, error) {
	defer w.interrupt()
	return w.Builder.Write(p)
}

// An interrupt is the way to end a consume, with or without a group, and is no failure.
func TestInterruptEndsConsume(t *testing.T) {
	n := nodetest.New(t, nodetest.TCP)
	run := func(stdin string, args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out := &interrupter{interrupt: cancel}
		env := Env{
			Stdin: strings.NewReader(stdin), Stdout: out, Stderr: io.Discard, LookupEnv: func(string) (string, bool) { return "", false },
			Interrupts: func(context.Context) (context.Context, context.CancelFunc) { return ctx, cancel },
		}
		code := Main(append(args, "--brokers", n.KafkaAddr()), env)
		return out.String(), code
	}
	if out, code := run("", "topic", "create", "t", "-p", "1"); code != ExitOK {
		t.Fatal(out, code)
	}
	if out, code := run("hello\n", "produce", "t"); code != ExitOK {
		t.Fatal(out, code)
	}
	if out, code := run("", "consume", "t"); out != "hello\n" || code != ExitOK {
		t.Errorf("%q, exit code %d", out, code)
	}
	if out, code := run("", "consume", "t", "-g", "g"); out != "hello\n" || code != ExitOK {
		t.Errorf("in a group: %q, exit code %d", out, code)
	}
	// What was printed before the interrupt is committed.
	if out, code := run("", "consume", "t", "-g", "g", "-e"); out != "" || code != ExitOK {
		t.Errorf("in the group again: %q, exit code %d", out, code)
	}
}
