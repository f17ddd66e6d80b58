package metadata

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
	"uuid"
)

// open opens a lone quorum that is closed at the end of the test, unless the test did that.
func open(t testing.TB, dir string) *Quorum {
	t.Helper()
	q, err := Open(Config{Dir: dir, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func register(t testing.TB, q *Quorum, incarnation byte, unclean bool) int64 {
	t.Helper()
	epoch, err := q.RegisterBroker(t.Context(), Registration{
		NodeID: q.cfg.NodeID, Incarnation: uuid.UUID{15: incarnation}, Endpoints: []Endpoint{{Name: "PLAIN", Host: "localhost", Port: 9092}}, Rack: "r1", Unclean: unclean,
	})
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func create(t testing.TB, q *Quorum, specs ...TopicSpec) []*Topic {
	t.Helper()
	var topics []*Topic
	for i, r := range q.CreateTopics(t.Context(), specs, false) {
		if r.Err != nil {
			t.Fatalf("create %s: %v", specs[i].Name, r.Err)
		}
		topics = append(topics, r.Topic)
	}
	return topics
}

func topic(name string, partitions int32) TopicSpec {
	return TopicSpec{Name: name, Partitions: partitions, ReplicationFactor: UseDefault}
}

// fill makes one of everything.
func fill(t testing.TB, q *Quorum) {
	t.Helper()
	register(t, q, 1, false)
	made := create(t, q, topic("orders", 3), topic("payments", 1), topic("gone", 2), TopicSpec{
		Name: "compacted", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576"}, Internal: true,
	})
	if errs := q.DeleteTopics(t.Context(), []uuid.UUID{made[2].ID}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	errs := q.AlterConfigs(t.Context(), []ConfigChange{
		{Resource: Resource{TopicResource, "orders"}, Ops: []ConfigOp{{Key: "retention.ms", Value: "1000"}, {Key: "cleanup.policy", Op: Append, Value: "compact"}}},
		{Resource: Resource{BrokerResource, ""}, Ops: []ConfigOp{{Key: "log.retention.bytes", Value: "12345"}}},
		{Resource: Resource{BrokerResource, "1"}, Ops: []ConfigOp{{Key: "log.segment.bytes", Value: "2097152"}}},
	}, false)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if _, err := q.AllocateProducerIDs(t.Context(), ProducerIDBlock); err != nil {
		t.Fatal(err)
	}
}

// content is an image's encoding without what every start changes: version and term.
func content(i *Image) []byte {
	c := i.clone()
	c.version, c.controllerTerm = 0, 0
	return encodeImage(c)
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	fill(t, q)
	want := q.Image()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	got := open(t, dir).Image()
	if !bytes.Equal(content(got), content(want)) {
		t.Errorf("after a restart:\n%x\nbefore:\n%x", content(got), content(want))
	}
	if got.Version() <= want.Version() {
		t.Errorf("version %d after %d: every start has an entry of its own", got.Version(), want.Version())
	}
	if got.ClusterID() == "" || got.ClusterID() != want.ClusterID() {
		t.Errorf("cluster id %q, it was %q", got.ClusterID(), want.ClusterID())
	}
}

func TestBootstrap(t *testing.T) {
	q := open(t, t.TempDir())
	i := q.Image()
	if len(i.ClusterID()) != 22 || i.ClusterID()[0] == '-' {
		t.Errorf("cluster id %q: want 22 characters, not starting with '-'", i.ClusterID())
	}
	if i.Controller() != 1 {
		t.Errorf("controller %d, want this node", i.Controller())
	}
	features, epoch := i.Features()
	if want := (Feature{"metadata.version", MaxMetadataVersion}); len(features) != 1 || features[0] != want || epoch < 1 {
		t.Errorf("features %v at epoch %d, want %v", features, epoch, want)
	}
	if s := q.Stats(); s.Leader != 1 || !slices.Equal(s.Voters, []int32{1}) || s.AppliedIndex == 0 {
		t.Errorf("stats %+v", s)
	}
	if id := newID(); id[6]>>4 != 4 || id[8]>>6 != 2 {
		t.Errorf("%s is no random UUID", id)
	}
}

func TestSnapshotAndRestore(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	fill(t, q)
	if err := q.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if at := q.stores.lastSnapshot(); at != q.Image().Version() {
		t.Fatalf("snapshot at %d, the image is %d", at, q.Image().Version())
	}
	create(t, q, topic("after-the-snapshot", 1))
	want := q.Image()
	q.Kill()
	if got := open(t, dir).Image(); !bytes.Equal(content(got), content(want)) {
		t.Errorf("snapshot and the entries after it do not give the image back:\n%q\n%q", content(got), content(want))
	}

	again, err := decodeImage(encodeImage(want))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encodeImage(again), encodeImage(want)) {
		t.Error("a decoded snapshot encodes differently")
	}
	for topic := range want.Topics() {
		for _, lookup := range []func() (*Topic, bool){
			func() (*Topic, bool) { return again.Topic(topic.Name) },
			func() (*Topic, bool) { return again.TopicByID(topic.ID) },
			func() (*Topic, bool) { return again.collision(topic.Name) },
		} {
			if found, ok := lookup(); !ok || found.ID != topic.ID {
				t.Errorf("%s is not found in the restored image", topic.Name)
			}
		}
	}
}

func TestCloseTakesASnapshotOfManyEntries(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	for range closeSnapshotAfter {
		if _, err := q.AllocateProducerIDs(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if at := q.stores.lastSnapshot(); at != q.Image().Version() {
		t.Errorf("snapshot at %d, want %d", at, q.Image().Version())
	}
}

func TestSubscribersComeBeforeTheAnswer(t *testing.T) {
	q := open(t, t.TempDir())
	register(t, q, 1, false)
	var (
		mu   sync.Mutex
		last *Image
	)
	first := q.Subscribe(func(old, new *Image) {
		mu.Lock()
		defer mu.Unlock()
		if last != old {
			t.Errorf("a change from version %d, the last one led to %d", old.Version(), last.Version())
		}
		if new.Version() <= old.Version() {
			t.Errorf("version %d after %d", new.Version(), old.Version())
		}
		last = new
	})
	mu.Lock()
	last = first
	mu.Unlock()
	var proposers sync.WaitGroup
	for n := range 8 {
		proposers.Go(func() {
			for k := range 5 {
				name := "t" + string(rune('a'+n)) + string(rune('a'+k))
				q.CreateTopics(t.Context(), []TopicSpec{topic(name, 1)}, false)
				mu.Lock()
				if _, ok := last.Topic(name); !ok {
					t.Errorf("%s was created, its subscriber has not seen it", name)
				}
				mu.Unlock()
			}
		})
	}
	proposers.Wait()
}

func TestDeadlines(t *testing.T) {
	q := open(t, t.TempDir())
	register(t, q, 1, false)
	hold, held := make(chan struct{}), make(chan struct{}, 16)
	q.Subscribe(func(_, _ *Image) { held <- struct{}{}; <-hold })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.CreateTopics(ctx, []TopicSpec{topic("slow", 1)}, false)[0].Err }()
	<-held
	cancel()
	if err := <-done; !errors.Is(err, ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled proposal: %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := q.AllocateProducerIDs(short, 1); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late proposal: %v", err)
	}
	close(hold)
	if r := q.CreateTopics(t.Context(), []TopicSpec{topic("slow", 1)}, false)[0]; !errors.Is(r.Err, ErrTopicExists) {
		t.Errorf("what timed out in flight is applied all the same: %v", r.Err)
	}
}

func TestClosed(t *testing.T) {
	q := open(t, t.TempDir())
	if err := errors.Join(q.Close(), q.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := q.AllocateProducerIDs(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("proposal after Close: %v", err)
	}
	if q.Err() != nil {
		t.Errorf("a closed quorum has failed: %v", q.Err())
	}
}

func TestForeignQuorum(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir)
	q.Kill()
	_, err := Open(Config{Dir: dir, NodeID: 2})
	if !errors.Is(err, ErrForeignQuorum) {
		t.Errorf("node 2 on the directory of node 1: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no directory":       {NodeID: 1},
		"not among voters":   {Dir: "x", NodeID: 1, Voters: []Voter{{NodeID: 2}}},
		"twice":              {Dir: "x", NodeID: 1, Voters: []Voter{{NodeID: 1, Address: "a:1"}, {NodeID: 1, Address: "b:1"}}},
		"no address":         {Dir: "x", NodeID: 1, Voters: []Voter{{NodeID: 1, Address: "a:1"}, {NodeID: 2}}},
		"unknown static key": {Dir: "x", NodeID: 1, Static: map[string]string{"log.retention.seconds": "1"}},
		"bad static value":   {Dir: "x", NodeID: 1, Static: map[string]string{"num.partitions": "0"}},
	} {
		if q, err := Open(cfg); err == nil {
			q.Kill()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRaftLogger(t *testing.T) {
	var out bytes.Buffer
	l := newRaftLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})), false)
	l.Info("detail")
	l.Named("x").With("peer", 2).Warn("slow", "servers", []any{1})
	l.Error("broken")
	if got := out.String(); bytes.Contains(out.Bytes(), []byte("detail")) || !bytes.Contains(out.Bytes(), []byte("level=INFO msg=slow component=raft peer=2")) ||
		!bytes.Contains(out.Bytes(), []byte("level=ERROR msg=broken")) {
		t.Errorf("log:\n%s", got)
	}
	if l.IsInfo() || !l.IsWarn() {
		t.Error("levels are one lower than raft's")
	}
}

func TestOpenTimes(t *testing.T) {
	dir := t.TempDir()
	for _, what := range []string{"fresh", "existing"} {
		begin := time.Now()
		q := open(t, dir)
		t.Logf("%s directory: open after %s", what, time.Since(begin))
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
