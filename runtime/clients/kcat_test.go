package clients

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// kcat runs kcat to its end and returns what it wrote to each side.
func (w *world) kcat(stdin string, args ...string) (stdout, stderr string) {
	w.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(w.ctx, findKcat(w.T), append([]string{"-b", w.addr}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		w.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, tail(errs.Bytes()))
	}
	return out.String(), errs.String()
}

func findKcat(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatal("kcat is missing: install the Debian package kcat (`make test` does it as root)")
	}
	return path
}

func TestKcatCodecsAndFeatures(t *testing.T) { kcatCodecs(newWorld(t)) }

func kcatCodecs(w *world) {
	value := strings.Repeat("x", 200)
	for _, codec := range codecs() {
		for _, idempotent := range []bool{false, true} {
			topic := w.topic(fmt.Sprintf("%s-%v", codec, idempotent), 1)
			_, log := w.kcat(value+"\n"+value+"\n", "-P", "-t", topic, "-z", codec, "-d", "feature,msg", "-X", fmt.Sprintf("enable.idempotence=%v", idempotent))
			for _, feature := range []string{"MsgVer2", "BrokerBalancedConsumer", "BrokerGroupCoordinator", "LZ4", "OffsetTime", "IdempotentProducer", "ZSTD"} {
				if !strings.Contains(log, "Enabling feature "+feature+"\n") {
					w.Errorf("%s: %s is not enabled", topic, feature)
				}
			}
			if strings.Contains(log, "not compressing") {
				w.Errorf("%s: it does not compress", topic)
			}
			if got := w.lastCodec(topic); got != codec {
				w.Errorf("%s: the stored batch is %s", topic, got)
			}
			out, _ := w.kcat("", "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %s\n")
			if wanted := fmt.Sprintf("0 %s\n1 %s\n", value, value); out != wanted {
				w.Errorf("%s: read %q", topic, out)
			}
		}
	}
}

func TestKcatListsAndQueries(t *testing.T) {
	w := newWorld(t)
	w.topic("t", 2)
	for i := range 5 {
		w.kcat(fmt.Sprintf("k%d:v%d\n", i, i), "-P", "-t", "t", "-p", "1", "-K:", "-H", fmt.Sprintf("n=%d", i), "-H", "two=2")
	}
	list, _ := w.kcat("", "-L")
	for _, part := range []string{"1 brokers:", "broker 0 at " + w.addr + " (controller)", `topic "t" with 2 partitions:`, "partition 1, leader 0, replicas: 0, isrs: 0"} {
		if !strings.Contains(list, part) {
			t.Errorf("-L does not say %q:\n%s", part, list)
		}
	}
	if one, _ := w.kcat("", "-L", "-t", "t"); !strings.Contains(one, `topic "t" with 2 partitions`) {
		t.Errorf("-L -t says:\n%s", one)
	}
	out, log := w.kcat("", "-C", "-t", "t", "-p", "1", "-o", "-3", "-e", "-f", "%p %o %k %s %h\n")
	if out != "1 2 k2 v2 n=2,two=2\n1 3 k3 v3 n=3,two=2\n1 4 k4 v4 n=4,two=2\n" {
		t.Errorf("-o -3 read %q", out)
	}
	if !strings.Contains(log, "Reached end of topic t [1] at offset 5") {
		t.Errorf("-e did not reach the end:\n%s", log)
	}
	// -e waits for the end of every partition, the empty one included.
	if out, _ := w.kcat("", "-C", "-t", "t", "-o", "beginning", "-e", "-q"); strings.Count(out, "\n") != 5 {
		t.Errorf("read %q", out)
	}
	stamps, _ := w.kcat("", "-C", "-t", "t", "-p", "1", "-o", "3", "-c", "1", "-q", "-f", "%T")
	for query, wanted := range map[string]string{"-1": "5", "-2": "0", "0": "0", stamps: "3", "99999999999999": "-1"} {
		// Several records may have one timestamp: the first of them is meant.
		got, _ := w.kcat("", "-Q", "-t", "t:1:"+query)
		offset := regexp.MustCompile(`t \[1\] offset (-?\d+)`).FindStringSubmatch(got)
		if offset == nil || offset[1] != wanted {
			t.Errorf("-Q t:1:%s says %q, want offset %s", query, got, wanted)
		}
	}
}

func TestKcatReadCommittedReachesTheEnd(t *testing.T) {
	w := newWorld(t)
	w.produceSome("t")
	if out, _ := w.kcat("", "-C", "-t", "t", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed"); out != "0\n1\n2\n" {
		t.Errorf("read %q", out)
	}
}

// A topic that is not there is made when somebody writes to it.
func TestKcatMakesTopics(t *testing.T) {
	w := newWorld(t)
	w.kcat("a\n", "-P", "-t", "made")
	if out, _ := w.kcat("", "-C", "-t", "made", "-o", "beginning", "-e", "-q"); out != "a\n" {
		t.Errorf("read %q", out)
	}
}

func TestKcatGroup(t *testing.T) { newWorld(t).rebalance(kcatMember(findKcat(t))) }

// kcatMember is kcat -G, which commits what it has printed when it leaves, and every auto.commit.interval.ms.
func kcatMember(path string) member {
	return func(ctx context.Context, addr, group, topic string, tell func(event)) error {
		cmd := exec.Command(path, "-b", addr, "-G", group, "-u", "-f", "value %s\n", "-X", "auto.offset.reset=earliest",
			"-X", "heartbeat.interval.ms=200", "-X", "auto.commit.interval.ms=100", topic)
		out, in, err := os.Pipe()
		if err != nil {
			return err
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = in, in
		err = cmd.Start()
		if closing := in.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer stop()
		kill := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			kcatLine(lines.Text(), topic, tell)
		}
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() == nil {
			return errors.New("kcat ended by itself")
		}
		return nil
	}
}

// kcatLine reads "% Group g rebalanced (memberid …): assigned: t [0], t [1]", and values.
func kcatLine(line, topic string, tell func(event)) {
	if value, ok := strings.CutPrefix(line, "value "); ok {
		tell(event{assigned: -1, value: value})
		return
	}
	if !strings.Contains(line, " rebalanced ") {
		return
	}
	_, parts, assigned := strings.Cut(line, ": assigned: ")
	n := 0
	if assigned {
		n = strings.Count(parts, topic+" [")
	}
	tell(event{assigned: n})
}
