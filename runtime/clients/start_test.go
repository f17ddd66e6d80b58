package clients

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestStartedProcess is the same for a node that was started as users start it: each client, each codec, one group.
func TestStartedProcess(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "millrace")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/millrace/millrace/runtime/cmd/millrace").CombinedOutput(); err != nil {
		t.Fatalf("cannot build millrace: %v\n%s", err, out)
	}
	kcat := findKcat(t)
	for name, c := range map[string]struct {
		codecs func(*world)
		member member
	}{
		"kcat":     {kcatCodecs, kcatMember(kcat)},
		"franz-go": {franzCodecs, franzMember(nil, kgo.CooperativeStickyBalancer())},
		"sarama":   {func(w *world) { saramaCodecs(w, sarama.MaxVersion) }, saramaMember(sarama.MaxVersion, true)},
		"kafka-go": {kafkaGoCodecs, kafkaGoMember},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldAt(t, startProcess(t, binary))
			c.codecs(w)
			w.rebalance(c.member)
		})
	}
}

// startProcess runs `millrace start` and stops it, cleanly, with the test.
func startProcess(t *testing.T, binary string) (addr string) {
	t.Helper()
	addr = freeAddress(t)
	log := new(bytes.Buffer)
	cmd := exec.Command(binary, "start", "--data-dir", t.TempDir(), "--kafka-listen", addr, "--http-listen", "off")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		if err != nil || t.Failed() {
			t.Errorf("millrace start ended with %v:\n%s", err, log)
		}
	})
	awaitListener(t, addr)
	return addr
}

// awaitListener waits until somebody accepts.
func awaitListener(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the node does not listen: %v", err)
		}
	}
}

// freeAddress is a loopback address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
