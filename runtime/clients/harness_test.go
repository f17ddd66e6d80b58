package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/runtime/nodetest"
)

// limit is how long one client may take for one test.
const limit = 2 * time.Minute

// codecs by the name that kcat and the others use.
func codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

// world is a node behind an address, and an admin of its own to look at it.
type world struct {
	*testing.T
	ctx  context.Context
	addr string
	adm  *kadm.Client
}

// newWorld is a node inside this process, where the race detector sees it.
func newWorld(t *testing.T) *world {
	t.Helper()
	return worldAt(t, nodetest.New(t, nodetest.TCP).KafkaAddr())
}

func worldAt(t *testing.T, addr string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, addr: addr}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	w.must(err)
	t.Cleanup(cl.Close)
	w.adm = kadm.NewClient(cl)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) topic(name string, partitions int32) string {
	w.Helper()
	_, err := w.adm.CreateTopic(w.ctx, partitions, 1, nil, name)
	w.must(err)
	return name
}

// produce writes the numbers [from, to) round the partitions of a topic and waits until they are acked.
func (w *world) produce(topic string, partitions int32, from, to int) {
	w.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	w.must(err)
	defer cl.Close()
	records := make([]*kgo.Record, 0, to-from)
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i) % partitions, Value: fmt.Append(nil, i)})
	}
	w.must(cl.ProduceSync(w.ctx, records...).FirstErr())
}

// values reads n values of a topic from its beginning, in order within each partition.
func (w *world) values(topic string, n int) []string {
	w.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	w.must(err)
	defer cl.Close()
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(w.ctx)
		w.must(fetches.Err0())
		fetches.EachError(func(_ string, _ int32, err error) { w.must(err) })
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// lastCodec is the codec in the attributes of the newest batch of partition 0, as the client of the world sees it.
func (w *world) lastCodec(topic string) string {
	w.Helper()
	ends, err := w.adm.ListEndOffsets(w.ctx, topic)
	w.must(err)
	end, _ := ends.Lookup(topic, 0)
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.addr), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(end.Offset - 1)}}))
	w.must(err)
	defer cl.Close()
	fetches := cl.PollFetches(w.ctx)
	w.must(fetches.Err0())
	records := fetches.Records()
	if len(records) == 0 {
		w.Fatalf("no record at the end of %s", topic)
	}
	return codecs()[records[len(records)-1].Attrs.CompressionType()]
}

// same wants exactly these values, in any order.
func (w *world) same(got, wanted []string) {
	w.Helper()
	got, wanted = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(wanted))
	if !slices.Equal(got, wanted) {
		w.Errorf("got %d values, want %d:\n got %s\nwant %s", len(got), len(wanted), cut(got), cut(wanted))
	}
}

func cut(values []string) string {
	s := strings.Join(values, " ")
	return s[:min(len(s), 400)]
}

// event is what a member of a group tells: how many partitions it has, or a value that it has read and committed.
type event struct {
	member   int
	assigned int // -1 with a value
	value    string
}

// member consumes topic in group until ctx ends, then leaves cleanly. It tells every assignment; a value after its commit.
type member func(ctx context.Context, addr, group, topic string, tell func(event)) error

const groupPartitions = 4

// rebalance runs two members, lets one leave, and wants every record once and committed.
func (w *world) rebalance(run member) {
	w.Helper()
	topic, group := w.topic("grouped", groupPartitions), "group"
	events := make(chan event, 1024)
	type running struct {
		cancel context.CancelFunc
		done   chan error
	}
	var members [2]running
	for i := range members {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		members[i] = running{cancel, make(chan error, 1)}
		go func() {
			members[i].done <- run(ctx, w.addr, group, topic, func(e event) {
				e.member = i
				select {
				case events <- e:
				case <-w.ctx.Done():
				}
			})
		}()
	}
	state := &groupState{world: w, events: events, assigned: map[int]int{}, seen: map[string]int{}}
	state.await("both have partitions", func() bool {
		return state.assigned[0] > 0 && state.assigned[1] > 0 && state.assigned[0]+state.assigned[1] == groupPartitions
	})
	const half = 200
	w.produce(topic, groupPartitions, 0, half)
	state.await("the first half is read", func() bool { return len(state.seen) == half })
	members[0].cancel()
	w.must(<-members[0].done)
	state.await("the other takes over", func() bool { return state.assigned[1] == groupPartitions })
	w.produce(topic, groupPartitions, half, 2*half)
	state.await("the second half is read", func() bool { return len(state.seen) == 2*half })
	members[1].cancel()
	w.must(<-members[1].done)
	for value, times := range state.seen {
		if times != 1 {
			w.Errorf("record %s was read %d times", value, times)
		}
	}
	committed, err := w.adm.FetchOffsets(w.ctx, group)
	w.must(err)
	sum := int64(0)
	committed.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != 2*half {
		w.Errorf("committed are %d records, want %d", sum, 2*half)
	}
}

type groupState struct {
	*world
	events   <-chan event
	assigned map[int]int
	seen     map[string]int
}

func (s *groupState) await(what string, ok func() bool) {
	s.Helper()
	for !ok() {
		select {
		case e := <-s.events:
			if e.assigned >= 0 {
				s.assigned[e.member] = e.assigned
			} else {
				s.seen[e.value]++
			}
		case <-s.ctx.Done():
			s.Fatalf("gave up waiting until %s: assigned %v, %d values", what, s.assigned, len(s.seen))
		}
	}
}
