package metadata

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"uuid"
)

// TestMain is also the child process that TestKilledProcess kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child changes metadata until it is killed, and prints what was acknowledged.
func child(dir string) {
	q, err := Open(Config{Dir: dir, NodeID: 1})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ctx := testContext()
	epoch, err := q.RegisterBroker(ctx, Registration{NodeID: 1, Incarnation: uuid.NewV4(), Unclean: true})
	fmt.Println("epoch", epoch, err)
	for n := q.Image().TopicCount(); ; n++ {
		r := q.CreateTopics(ctx, []TopicSpec{topic(fmt.Sprintf("topic-%d", n), 1)}, false)[0]
		if r.Err != nil {
			fmt.Println("error", r.Err)
			os.Exit(1)
		}
		fmt.Println("topic", r.Topic.Name, r.Topic.ID)
		first, err := q.AllocateProducerIDs(ctx, ProducerIDBlock)
		fmt.Println("ids", first, err)
	}
}

func TestKilledProcess(t *testing.T) {
	const kills = 4
	dir := t.TempDir()
	topics := make(map[string]string)
	blocks := make(map[string]bool)
	var epochs []string
	for kill := range kills {
		for _, line := range runChild(t, dir, 20+7*kill) {
			words := strings.Fields(line)
			switch words[0] {
			case "topic":
				topics[words[1]] = words[2]
			case "ids":
				if words[2] != "<nil>" || blocks[words[1]] {
					t.Fatalf("block %s was given twice, or not: %s", words[1], words[2])
				}
				blocks[words[1]] = true
			case "epoch":
				epochs = append(epochs, words[1])
			default:
				t.Fatal(line)
			}
		}
	}
	i := open(t, dir).Image()
	for name, id := range topics {
		if found, ok := i.Topic(name); !ok || found.ID.String() != id {
			t.Errorf("%s (%s) was acknowledged before a kill and is gone", name, id)
		}
	}
	if len(topics) < kills*8 || i.TopicCount() < len(topics) || i.TopicCount() > len(topics)+kills {
		t.Errorf("%d topics after %d acknowledged ones and %d kills", i.TopicCount(), len(topics), kills)
	}
	for block := range blocks {
		if number(block) >= i.nextProducerID {
			t.Errorf("producer ids from %s were given out, the next is %d", block, i.nextProducerID)
		}
	}
	if len(epochs) != kills || len(slices.Compact(slices.Clone(epochs))) != kills {
		t.Errorf("broker epochs %v: every start has its own", epochs)
	}
	if first, _ := i.Topic("topic-0"); first.Partitions[0].LeaderEpoch != kills-1 {
		t.Errorf("leader epoch %d after %d unclean starts with the topic", first.Partitions[0].LeaderEpoch, kills-1)
	}
}

// runChild runs the child until it printed so many lines, and kills it.
func runChild(t *testing.T, dir string, lines int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		got = append(got, scanner.Text())
		if len(got) == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(got) < lines {
		t.Fatalf("the child ended early: %s", strings.Join(got, "\n"))
	}
	return got
}

// TestCrashImages opens copies of the directory of a running node: what a process that died there leaves behind.
func TestCrashImages(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	register(t, q, 1, false)
	for n := range 4 {
		create(t, q, topic(fmt.Sprintf("t%d", n), 1))
		if n == 2 {
			if err := q.raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		crashed := open(t, copied)
		if !bytes.Equal(content(crashed.Image()), content(q.Image())) {
			t.Errorf("after topic %d the crash image differs", n)
		}
		crashed.Kill()
	}
}
