package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

func franzCodec(name string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[name]
}

// franzVersions are the newest, and what a client of that Kafka release would speak at most.
func franzVersions() map[string]*kversion.Versions {
	return map[string]*kversion.Versions{"latest": nil, "V1_0_0": kversion.V1_0_0(), "V2_8_0": kversion.V2_8_0(), "V4_0_0": kversion.V4_0_0()}
}

func franz(w *world, max *kversion.Versions, opts ...kgo.Opt) *kgo.Client {
	w.Helper()
	opts = append(opts, kgo.SeedBrokers(w.addr))
	if max != nil {
		opts = append(opts, kgo.MaxVersions(max))
	}
	cl, err := kgo.NewClient(opts...)
	w.must(err)
	w.Cleanup(cl.Close)
	return cl
}

func TestFranzGoCodecs(t *testing.T) { franzCodecs(newWorld(t)) }

func franzCodecs(w *world) {
	for name, max := range franzVersions() {
		for _, codec := range codecs() {
			if codec == "zstd" && name == "V1_0_0" {
				continue // needs Produce v7: the client would send something else
			}
			topic := w.topic(name+"-"+codec, 1)
			cl := franz(w, max, kgo.ProducerBatchCompression(franzCodec(codec)))
			var wanted []string
			for i := range 100 {
				value := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 100))
				wanted = append(wanted, value)
				cl.Produce(w.ctx, &kgo.Record{Topic: topic, Value: []byte(value)}, func(_ *kgo.Record, err error) {
					if err != nil {
						w.Errorf("%s: %v", topic, err)
					}
				})
			}
			w.must(cl.Flush(w.ctx))
			w.same(w.values(topic, 100), wanted)
			if got := w.lastCodec(topic); got != codec {
				w.Errorf("%s: the stored batch is %s", topic, got)
			}
		}
	}
}

func TestFranzGoGroups(t *testing.T) {
	for name, max := range franzVersions() {
		for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()} {
			t.Run(name+"/"+balancer.ProtocolName(), func(t *testing.T) {
				t.Parallel()
				newWorld(t).rebalance(franzMember(max, balancer))
			})
		}
	}
}

func franzMember(max *kversion.Versions, balancer kgo.GroupBalancer) member {
	return func(ctx context.Context, addr, group, topic string, tell func(event)) error {
		held := map[int32]bool{} // callbacks run one after another
		changed := func(add bool) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
				for _, p := range parts[topic] {
					if held[p] = add; !add {
						delete(held, p)
					}
				}
				tell(event{assigned: len(maps.Clone(held))})
			}
		}
		opts := []kgo.Opt{
			kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(200 * time.Millisecond),
			kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(changed(false)), kgo.OnPartitionsLost(changed(false)),
		}
		if max != nil {
			opts = append(opts, kgo.MaxVersions(max))
		}
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			return err
		}
		defer cl.CloseAllowingRebalance()
		for ctx.Err() == nil {
			fetches := cl.PollFetches(ctx)
			for _, e := range fetches.Errors() {
				if !errors.Is(e.Err, context.Canceled) {
					return e.Err
				}
			}
			if records := fetches.Records(); len(records) > 0 {
				if err := cl.CommitRecords(context.WithoutCancel(ctx), records...); err != nil {
					return err
				}
				for _, r := range records {
					tell(event{assigned: -1, value: string(r.Value)})
				}
			}
			cl.AllowRebalance()
		}
		return nil
	}
}

// franzRecords keeps franz-go's own tests short; their default is 500,000.
const franzRecords = 20_000

// TestFranzGoOwnTests runs those of franz-go's tests that need a broker: chained consumer groups with every balancer, static members, members that
// come and go, and the plain consumers. Those for KIP-848 see in the versions that it is not served, and do without.
func TestFranzGoOwnTests(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kgo.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "github.com/twmb/franz-go/pkg/kgo").CombinedOutput(); err != nil {
		t.Fatalf("cannot build franz-go's tests: %v\n%s", err, out)
	}
	w := newWorld(t)
	names := []string{
		"TestGroupETL", "TestPing", "TestGroupSimple", "TestConsumeRegex", "TestIssue325", "TestIssue337", "TestAddRemovePartitions", "TestDirectPartitionPurge",
		"TestPauseIssue489", "TestIssue865", "TestLookbackMilli",
	}
	cmd := exec.CommandContext(w.ctx, binary, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+w.addr, "KGO_TEST_RF=1", fmt.Sprint("KGO_TEST_RECORDS=", franzRecords), "KGO_TEST_STABLE_FETCH=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out))
	}
	names = append(names, "TestGroupETL/range", "TestGroupETL/cooperative-sticky", "TestGroupETL/cooperative-sticky/static")
	for _, name := range names {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not run and pass\n%s", name, tail(out))
		}
	}
}

// tail is the end of an output that may be long.
func tail(out []byte) string { return string(out[max(0, len(out)-8000):]) }
