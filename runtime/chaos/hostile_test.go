package chaos

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/log/client"
)

const (
	// hostileAtOnce is how many bad connections are open at a time.
	hostileAtOnce = 64
	// rssTolerance is how much more memory a node may hold after an attack than before.
	rssTolerance = 32 << 20
)

// attacks are the openings of bad connections: each writes something no Kafka client would, and hangs up or waits to be cut off.
func attacks() map[string]func(net.Conn) {
	frame := func(size int32, body []byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(size)), body...)
	}
	header := func(key, version int16, body []byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = binary.BigEndian.AppendUint32(b, 7)       // correlation id
		b = binary.BigEndian.AppendUint16(b, 1<<16-1) // null client id
		return frame(int32(len(b)+len(body)), append(b, body...))
	}
	send := func(b []byte) func(net.Conn) {
		return func(c net.Conn) {
			c.Write(b)
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			c.Read(make([]byte, 1024)) // until it is cut off
		}
	}
	return map[string]func(net.Conn){
		"http":           send([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
		"tls":            send([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}),
		"negative size":  send(frame(-1, nil)),
		"oversized":      send(frame(1<<31-1, nil)),
		"unknown key":    send(header(999, 0, nil)),
		"future version": send(header(0, 99, make([]byte, 64))),
		"tag bomb":       send(header(18, 3, []byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f})),
		"array bomb":     send(header(1, 11, append(make([]byte, 21), 0x7f, 0xff, 0xff, 0xff))),
		"truncated":      func(c net.Conn) { c.Write(frame(1000, []byte("short"))) },
		"silent":         func(net.Conn) {},
		"noise": func(c net.Conn) {
			b := make([]byte, 512)
			rand.Read(b)
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			send(b)(c)
		},
	}
}

// TestHostileConnections attacks a node; honest work goes on beside it, and nothing of the attack stays in memory.
func TestHostileConnections(t *testing.T) {
	node, addr := startNode(t, t.TempDir())
	c := connect(t, addr)
	admin := c.Admin()
	eventually(t, "the topic", func() bool {
		errs, err := admin.CreateTopics(t.Context(), client.TopicSpec{Name: "honest", Partitions: 1})
		return err == nil && errs[0] == nil
	})
	producer, err := c.NewProducer(client.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	before := rss(t, node.cmd.Process.Pid)
	attack(t, addr, times(550, 10_000), func(i int) {
		if i%50 == 0 {
			producer.Produce(t.Context(), client.NewRecord("honest", nil, []byte("still here")), nil)
		}
	})
	if err := producer.Flush(t.Context()); err != nil {
		t.Errorf("honest work failed beside the attack: %v", err)
	}
	eventually(t, fmt.Sprintf("memory within %d MiB of the %d before", rssTolerance>>20, before>>20), func() bool {
		return rss(t, node.cmd.Process.Pid) <= before+rssTolerance
	})
	node.signal(syscall.SIGINT)
	if code := node.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(node.output(), "panic") {
		t.Errorf("the node ended with %d:\n%s", code, node.output())
	}
}

// attack opens n bad connections, hostileAtOnce at a time; progress is called before each.
func attack(t *testing.T, addr string, n int, progress func(i int)) {
	t.Helper()
	var kinds []func(net.Conn)
	for _, a := range attacks() {
		kinds = append(kinds, a)
	}
	slots := make(chan struct{}, hostileAtOnce)
	var wg sync.WaitGroup
	for i := range n {
		progress(i)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return // refused: that is one way to defend oneself
			}
			defer conn.Close()
			kinds[i%len(kinds)](conn)
		})
	}
	wg.Wait()
}

// rss is the resident memory of a process in bytes.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
