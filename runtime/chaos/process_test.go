package chaos

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
)

// binaryDir is the variable that names the folder of the binary.
const binaryDir = "MILLRACE_CHAOS_BINARY_DIR"

// millrace builds the binary that the tests run, once.
var millrace = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(binaryDir), "millrace")
	out, err := exec.Command("go", "build", "-o", path, "github.com/millrace/millrace/runtime/cmd/millrace").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build millrace: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if brokers := os.Getenv(workerBrokers); brokers != "" {
		os.Exit(workerMain(brokers))
	}
	dir, err := os.MkdirTemp("", "millrace-chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv(binaryDir, dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// long says whether the long form of a test was asked for.
func long() bool { return os.Getenv("MILLRACE_CHAOS") == "long" }

// times is how often something is done in the short and in the long form.
func times(short, longer int) int {
	if long() {
		return longer
	}
	return short
}

// process is one process that may be killed and started again.
type process struct {
	t       *testing.T
	command func() *exec.Cmd
	cmd     *exec.Cmd
	log     *bytes.Buffer
	done    chan struct{}
}

// run starts millrace with args and stops it, at the latest, with the test.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	path, err := millrace()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: func() *exec.Cmd { return exec.Command(path, args...) }}
	t.Cleanup(p.kill)
	p.start()
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.log, p.done = new(bytes.Buffer), make(chan struct{})
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
}

// kill ends the process with kill -9.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

// signal sends a signal and waits for the end.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s)
	<-p.done
}

// output is what the process printed; only read it after its end.
func (p *process) output() string { return p.log.String() }

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

// startNode runs `millrace start` on a fresh address with its data in dir.
func startNode(t *testing.T, dir string, more ...string) (p *process, addr string) {
	t.Helper()
	addr = freeAddress(t)
	args := append([]string{"start", "--data-dir", dir, "--kafka-listen", addr, "--http-listen", "off", "--log-level", "warn"}, more...)
	return run(t, args...), addr
}

// connect is a client of the node, whether it is up or not.
func connect(t *testing.T, addr string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Brokers: []string{addr}, ClientID: "chaos"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eventually waits for a condition; what says what is waited for.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}
