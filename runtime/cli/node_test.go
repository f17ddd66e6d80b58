package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/runtime/node"
	"github.com/millrace/millrace/runtime/nodetest"
)

// noticing passes on once that a text was written.
type noticing struct {
	mu    sync.Mutex
	all   bytes.Buffer
	text  string
	found func()
	once  sync.Once
}

func (w *noticing) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.all.Write(p)
	if strings.Contains(w.all.String(), w.text) {
		w.once.Do(w.found)
	}
	return n, err
}

// start serves until it is interrupted, says where, and stops cleanly.
func TestStartUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	errs := &noticing{text: "durability", found: cancel}
	env := Env{
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: errs, LookupEnv: func(string) (string, bool) { return "", false },
		Interrupts: func(context.Context) (context.Context, context.CancelFunc) { return ctx, cancel },
	}
	code := Main([]string{"start", "--data-dir", dir, "--kafka-listen", "127.0.0.1:0", "--http-listen", "off"}, env)
	if code != ExitOK || !strings.Contains(errs.all.String(), "stopping") {
		t.Errorf("exit code %d\n%s", code, errs.all.String())
	}
	if _, err := os.Stat(filepath.Join(dir, ".clean")); err != nil {
		t.Errorf("the node was not stopped cleanly: %v", err)
	}
}

func TestStartWhatCannotBe(t *testing.T) {
	dir := t.TempDir()
	n := nodetest.New(t, nodetest.TCP, func(c *node.Config) { c.Dir = dir })
	noFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(noFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"locked":     {[]string{"--data-dir", dir, "--kafka-listen", "127.0.0.1:0"}, ExitEnvironment, "hint: another node uses this directory"},
		"port taken": {[]string{"--data-dir", t.TempDir(), "--kafka-listen", n.KafkaAddr()}, ExitEnvironment, "hint: the port is taken"},
		"no folder":  {[]string{"--data-dir", noFolder}, ExitEnvironment, "hint: name another directory"},
		"for all":    {[]string{"--data-dir", t.TempDir(), "--kafka-listen", "0.0.0.0:0"}, ExitUsage, "--insecure-listen allows it"},
		"bad value":  {[]string{"--durability", "perhaps"}, ExitUsage, "hint: millrace start --help"},
		"no file":    {[]string{"--config", noFolder + ".yaml"}, ExitUsage, "hint: --config names the file"},
	} {
		var errs strings.Builder
		env := Env{Stdout: io.Discard, Stderr: &errs, LookupEnv: func(string) (string, bool) { return "", false }, Interrupts: context.WithCancel}
		if code := Main(append([]string{"start", "--http-listen", "off"}, c.args...), env); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit code %d\n%s", name, code, errs.String())
		}
	}
}

// The numbered bench goes on through a restart of the node, and every ack is accounted for.
func TestSequenceSurvivesARestart(t *testing.T) {
	const records = 1500
	dir, acks := t.TempDir(), filepath.Join(t.TempDir(), "acks")
	start := func(listen string) *node.Node {
		n, err := node.Start(t.Context(), node.Config{Dir: dir, KafkaListen: listen})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := start("127.0.0.1:0")
	addr := n.KafkaAddr()
	run := func(args ...string) (string, int) {
		var out bytes.Buffer
		env := Env{Stdout: &out, Stderr: &out, LookupEnv: func(string) (string, bool) { return "", false }, Interrupts: context.WithCancel}
		code := Main(append(args, "--brokers", addr, "-q"), env)
		return out.String(), code
	}
	written := make(chan string, 1)
	go func() {
		out, code := run("bench", "produce", "--sequence", "--log", acks, "--topic", "t", "--records", fmt.Sprint(records), "--rate", "2000")
		written <- fmt.Sprintf("exit code %d\n%s", code, out)
	}()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if data, err := os.ReadFile(acks); err == nil && bytes.Count(data, []byte("\n")) > 200 {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("nothing is acked")
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = start(addr)
	defer n.Close()
	if got := <-written; !strings.HasPrefix(got, "exit code 0\n") {
		t.Error(got)
	}
	want := fmt.Sprintf("%s acked, %s found, 0 missing, 0 misplaced, 0 duplicated, 0 out of order", thousands(records), thousands(records))
	if out, code := run("bench", "verify", "--log", acks); code != ExitOK || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want %q in\n%s", code, want, out)
	}
}
