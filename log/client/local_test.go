package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unreachable is a log nobody can dial.
func unreachable(t *testing.T, logger *slog.Logger) *Client {
	c, err := New(Config{Logger: logger, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []Config{{}, {Brokers: []string{"a:1", ""}}, {Brokers: []string{"a:1"}, MetadataMinAge: time.Millisecond}, {Brokers: []string{"a:1"}, MaxResponseBytes: -1}} {
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "cannot create log client: ") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	c := unreachable(t, nil)
	if _, err := c.NewProducer(ProducerConfig{Compression: 9}); err == nil {
		t.Error("an unknown codec was taken")
	}
	for _, cfg := range []GroupConfig{
		{}, {ID: "g"}, {ID: "g", Topics: []string{"t"}, TopicPattern: "t.*"},
		{ID: "g", Topics: []string{"t"}, SessionTimeout: time.Second, HeartbeatInterval: time.Second},
		{ID: "g", TopicPattern: "("},
	} {
		if _, err := c.JoinGroup(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestErrors(t *testing.T) {
	for code, want := range map[*kerr.Error]error{
		kerr.TopicAlreadyExists: ErrTopicExists, kerr.UnknownTopicID: ErrUnknownTopic, kerr.OffsetOutOfRange: ErrOffsetOutOfRange,
		kerr.FencedInstanceID: ErrFenced, kerr.UnknownMemberID: ErrUnknownMember, kerr.IllegalGeneration: ErrIllegalGeneration,
		kerr.RebalanceInProgress: ErrRebalance, kerr.MessageTooLarge: ErrRecordTooLarge,
	} {
		for _, err := range []error{fromCode(code.Code, nil), translate(fmt.Errorf("wrapped: %w", code))} {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), code.Message) {
				t.Errorf("%s became %v", code.Message, err)
			}
			b, ok := errors.AsType[*BrokerError](err)
			if !ok || b.Code != code.Code || IsRetriable(err) != code.Retriable {
				t.Errorf("%s became %+v", code.Message, b)
			}
		}
	}
	detail := "the topic is odd"
	if got := fromCode(kerr.PolicyViolation.Code, &detail).Error(); got != "invalid config (POLICY_VIOLATION): the topic is odd" {
		t.Errorf("%s", got)
	}
	if fromCode(0, nil) != nil || translate(nil) != nil || IsRetriable(errors.New("x")) {
		t.Error("no error became one")
	}
	if err := fromCode(kerr.NotLeaderForPartition.Code, nil); !IsRetriable(err) || err.Error() != "NOT_LEADER_FOR_PARTITION" {
		t.Errorf("a code without a sentinel: %v", err)
	}
	if !errors.Is(translate(kgo.ErrClientClosed), ErrClosed) || !errors.Is(translate(&kgo.ErrDataLoss{}), ErrDataLoss) {
		t.Error("errors of the library keep their names")
	}
}

func TestProducerIsBounded(t *testing.T) {
	p, err := unreachable(t, nil).NewProducer(ProducerConfig{MaxBufferedRecords: 1})
	if err != nil {
		t.Fatal(err)
	}
	fate := make(chan error, 2)
	done := func(_ *Record, err error) { fate <- err }
	p.Produce(t.Context(), NewRecord("t", nil, nil), done)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p.Produce(ctx, NewRecord("t", nil, nil), done)
	if err := <-fate; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a record with no room left: %v", err)
	}
	if records, _ := p.Buffered(); records != 1 {
		t.Errorf("%d records buffered", records)
	}
	p.Close()
	if err := <-fate; !errors.Is(err, ErrClosed) {
		t.Errorf("a buffered record at close: %v", err)
	}
	if err := p.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: %v", err)
	}
}

func TestPollWithoutALog(t *testing.T) {
	c := unreachable(t, nil)
	g, err := c.JoinGroup(GroupConfig{ID: "g", Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.NewConsumer(ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(map[TopicPartition]int64{{"t", 0}: -5}); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("offset -5: %v", err)
	}
	if err := g.Commit(t.Context(), map[TopicPartition]OffsetAndMetadata{{"t", 0}: {}}); !errors.Is(err, ErrNotAssigned) {
		t.Errorf("commit: %v", err)
	}
	for name, poll := range map[string]func(context.Context) ([]Fetched, error){"group": g.Poll, "consumer": r.Poll} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := poll(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	polled := make(chan error, 1)
	go func() {
		for {
			if _, err := g.Poll(t.Context()); errors.Is(err, ErrClosed) {
				polled <- err
				return
			}
		}
	}()
	g.Close()
	<-polled
	r.Close()
	if _, err := r.Poll(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("poll after close: %v", err)
	}
}

// TestCallbacksRunInPoll checks that the library waits until the polling goroutine has run a callback.
func TestCallbacksRunInPoll(t *testing.T) {
	var log []string
	note := func(what string) func([]TopicPartition) {
		return func(tps []TopicPartition) { log = append(log, fmt.Sprint(what, tps)) } // unguarded: the race detector watches
	}
	g, err := unreachable(t, nil).JoinGroup(GroupConfig{
		ID: "g", Topics: []string{"t"}, OnRevoked: note("revoked"), OnLost: note("lost"),
		OnAssigned: func(a Assigned) { note("assigned")(a.Added) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		g.calls.deliver(assigned, map[string][]int32{"t": {2, 1}})
		g.calls.deliver(revoked, nil)
		g.calls.deliver(revoked, map[string][]int32{"t": {1, 5}})
		g.calls.deliver(lost, map[string][]int32{"t": {1, 2}})
		g.calls.deliver(assigned, nil)
	}()
	for len(log) < 4 {
		if fetched, err := g.Poll(t.Context()); err != nil || fetched != nil {
			t.Fatalf("%v, %v", fetched, err)
		}
	}
	<-delivered
	if diff := cmp.Diff([]string{"assigned[t-1 t-2]", "revoked[t-1]", "lost[t-2]", "assigned[]"}, log); diff != "" {
		t.Error(diff)
	}
	if left := g.Assigned(); len(left) != 0 {
		t.Errorf("still has %v", left)
	}
}

func TestConvert(t *testing.T) {
	var records []*kgo.Record
	for i := range 100 {
		r := &kgo.Record{Topic: "t", Offset: int64(i), Timestamp: time.UnixMilli(int64(i)), Value: []byte{byte(i)}, LeaderEpoch: 3}
		if i%2 == 0 {
			r.Headers = []kgo.RecordHeader{{Key: fmt.Sprint(i), Value: []byte("v")}, {Key: "second"}}
		}
		records = append(records, r)
	}
	part := &kgo.FetchPartition{Records: records, HighWatermark: 100, LastStableOffset: 99, LogStartOffset: 1}
	tp := TopicPartition{"t", 0}
	f, some := convertPartition(tp, part)
	if !some || len(f.Records) != 100 || f.Next != 100 || f.HighWatermark != 100 || f.LastStable != 99 || f.LogStart != 1 {
		t.Fatalf("%+v", f)
	}
	for i, r := range f.Records {
		if r.Offset != int64(i) || r.Timestamp != int64(i) || r.LeaderEpoch != 3 || &r.Value[0] != &records[i].Value[0] {
			t.Fatalf("record %d: %+v", i, r)
		}
		if want := 2 * (1 - i%2); len(r.Headers) != want || cap(r.Headers) != want || want > 0 && r.Headers[0].Key != fmt.Sprint(i) {
			t.Fatalf("record %d has headers %+v", i, r.Headers)
		}
	}
	if allocs := testing.AllocsPerRun(10, func() { f, _ = convertPartition(tp, part) }); allocs > 2 {
		t.Errorf("%v allocations for 100 records, want one of records and one of headers", allocs)
	}
	all, err := convert(kgo.NewErrFetch(context.Canceled), func(TopicPartition) bool { return true })
	if len(all) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", all, err)
	}
	none, _ := convert(kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{*part}}}}}, func(TopicPartition) bool { return false })
	if len(none) != 0 {
		t.Error("records of a partition that is not wanted came through")
	}
}

// TestConvertControl checks that a transaction marker moves the position and is not shown.
func TestConvertControl(t *testing.T) {
	marker := &kgo.Record{Topic: "t", Offset: 8, Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})}
	if !marker.Attrs.IsControl() {
		t.Fatal("the marker is none")
	}
	data := &kgo.Record{Topic: "t", Offset: 7}
	for want, records := range map[int][]*kgo.Record{1: {data, marker}, 0: {marker}} {
		f, some := convertPartition(TopicPartition{"t", 0}, &kgo.FetchPartition{Records: records})
		if !some || len(f.Records) != want || f.Next != 9 {
			t.Errorf("%d records came, %d are shown, next %d", len(records), len(f.Records), f.Next)
		}
	}
}

func TestFormat(t *testing.T) {
	f, err := NewFormatter(`%t %p %o %k %v %h{%k=%v,}\n`)
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{Topic: "t", Partition: 3, Offset: 9, Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"a", []byte("1")}}}
	out := f.Append([]byte("> "), r)
	if out = f.Append(out, &Record{Topic: "u"}); string(out) != "> t 3 9 k v a=1,\nu 0 0   \n" {
		t.Errorf("wrote %q", out)
	}
	if _, err := NewFormatter("%"); err == nil {
		t.Error("a bad layout was taken")
	}
	in, err := NewReader(strings.NewReader("a 1\nb 2\nc"), `%k %v\n`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a1", "b2"} {
		r, err := in.Read()
		if err != nil || string(r.Key)+string(r.Value) != want || r.Partition != AnyPartition || r.Timestamp != TimestampNow {
			t.Errorf("read %+v, %v", r, err)
		}
	}
	if _, err := in.Read(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("half a record: %v", err)
	}
	in, _ = NewReader(strings.NewReader(""), `%v\n`)
	if _, err := in.Read(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	a := logAdapter{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))}
	for _, c := range []struct {
		slog  slog.Level
		kafka kgo.LogLevel
	}{{slog.LevelInfo, kgo.LogLevelWarn}, {slog.LevelDebug, kgo.LogLevelInfo}, {levelTrace, kgo.LogLevelDebug}, {slog.LevelError, kgo.LogLevelError}, {slog.LevelError + 1, kgo.LogLevelNone}} {
		level.Set(c.slog)
		if got := a.Level(); got != c.kafka {
			t.Errorf("with %v: %v, want %v", c.slog, got, c.kafka)
		}
	}
	level.Set(slog.LevelDebug)
	a.Log(kgo.LogLevelInfo, "joined", "group", "g")
	a.Log(kgo.LogLevelDebug, "noise")
	a.Log(kgo.LogLevelError, "bad")
	if s := out.String(); !strings.Contains(s, "level=DEBUG msg=joined group=g") || strings.Contains(s, "noise") || !strings.Contains(s, "level=ERROR msg=bad") {
		t.Errorf("logged %q", s)
	}
}
