package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/millrace/millrace/runtime/node"
	"github.com/millrace/millrace/runtime/nodetest"
)

// TestScripts runs each script of testdata against a node of its own, over TCP. A script calls
//
//	millrace [exit=N] [stdin=FILE] [tty] [answer] ARGS…
//
// which runs the command in this process and fails unless it ends with N (0). tty says that the output is a terminal, answer that somebody is
// there to type. $DATA is the node's directory, $BROKER its address.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			dir := t.TempDir()
			n := nodetest.New(t, nodetest.TCP, func(c *node.Config) { c.Dir = dir })
			testscript.Run(t, testscript.Params{
				Files:              []string{file},
				RequireUniqueNames: true,
				Cmds:               map[string]func(*testscript.TestScript, bool, []string){"millrace": runMillrace},
				Setup: func(e *testscript.Env) error {
					e.Setenv(brokersVariable, n.KafkaAddr())
					e.Setenv("BROKER", n.KafkaAddr())
					e.Setenv("DATA", dir)
					e.Setenv("PID", strconv.Itoa(os.Getpid()))
					return nil
				},
			})
		})
	}
}

func runMillrace(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("say exit=N instead of !")
	}
	want := ExitOK
	env := Env{
		Stdin: strings.NewReader(""), Stdout: ts.Stdout(), Stderr: ts.Stderr(), Width: defaultWidth,
		LookupEnv:  func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" },
		Interrupts: context.WithCancel,
	}
	for len(args) > 0 {
		name, value, _ := strings.Cut(args[0], "=")
		switch name {
		case "exit":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			want = n
		case "stdin":
			env.Stdin = strings.NewReader(ts.ReadFile(value))
		case "tty":
			env.Terminal = true
		case "answer":
			env.StdinTerminal = true
		default:
			if got := Main(slices.Clone(args), env); got != want {
				ts.Fatalf("millrace %s: exit code %d, want %d", strings.Join(args, " "), got, want)
			}
			return
		}
		args = args[1:]
	}
}
