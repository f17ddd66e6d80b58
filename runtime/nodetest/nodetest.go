package nodetest

import (
	"log/slog"
	"testing"

	"github.com/millrace/millrace/runtime/node"
)

// New starts a node for t and closes it with t. Each option may change its configuration, the directory included.
func New(t testing.TB, options ...func(*node.Config)) *node.Node {
	t.Helper()
	cfg := node.Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, option := range options {
		option(&cfg)
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("cannot close the node: %v", err)
		}
	})
	return n
}

// TCP opens a Kafka listener on a free port of the loopback interface: see [node.Node.KafkaAddr].
func TCP(c *node.Config) { c.KafkaListen = "127.0.0.1:0" }

// testWriter sends the node's log to the test's.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
