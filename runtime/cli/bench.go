package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

const (
	defaultBenchDuration   = 10 * time.Second
	defaultBenchPartitions = 3
	defaultBenchSize       = 100
	defaultE2ERate         = 1000
	defaultFillRecords     = 500_000
	maxBenchSize           = 64 << 20
	maxBenchProducers      = 256
	// cleanupTimeout bounds the deletion of the topic after an interrupt.
	cleanupTimeout = 10 * time.Second
)

// benchPlan is what a bench was told.
type benchPlan struct {
	topic       string
	partitions  int32
	records     int64 // 0: by duration
	duration    time.Duration
	size        int
	batch       int32
	linger      time.Duration
	acks        string
	compression string
	idempotent  bool
	producers   int
	consumers   int
	rate        float64 // records a second; 0: as fast as it goes
	keep        bool
	pid         int
	assert      string
	sequence    bool
	logFile     string

	asserts []assertion
	made    bool // the topic is ours to delete
}

func (a *app) benchCommand() *cobra.Command {
	cmd := parent("bench", "Measure a log: throughput, latency, CPU; and whether acked records survive",
		a.benchProduceCommand(), a.benchConsumeCommand(), a.benchE2ECommand(), a.benchVerifyCommand())
	a.brokersFlag(cmd)
	return cmd
}

// commonFlags are those of every bench.
func (p *benchPlan) commonFlags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.topic, "topic", "", "topic to use (default: one that is made and deleted)")
	f.Int32Var(&p.partitions, "partitions", defaultBenchPartitions, "partitions of the topic, if it is made")
	f.Int64Var(&p.records, "records", 0, "how many records (default: as many as fit --duration)")
	f.DurationVar(&p.duration, "duration", 0, "how long (default 10s without --records)")
	f.IntVar(&p.size, "size", defaultBenchSize, "bytes of each value")
	f.BoolVar(&p.keep, "keep", false, "keep the topic that was made")
	f.IntVar(&p.pid, "pid", 0, "process id of the broker on this machine: measures its CPU")
	f.StringVar(&p.assert, "assert", "", "exit with 4 unless these hold: 'p99<20ms,rate>10000'")
	completeFlag(cmd, "topic", a.completeTopics(0))
}

// producerFlags are those of a bench that writes.
func (p *benchPlan) producerFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int32Var(&p.batch, "batch", client.DefaultBatchBytes, "most bytes of a batch")
	f.DurationVar(&p.linger, "linger", 0, "how long a batch waits to fill")
	f.StringVar(&p.acks, "acks", "all", "all: an ack means that every in-sync replica has it; there is no other")
	f.StringVar(&p.compression, "compression", "none", strings.Join(compressionNames(), ", "))
	f.BoolVar(&p.idempotent, "idempotent", true, "retries neither duplicate nor reorder")
	completeFlag(cmd, "compression", completeFixed(compressionNames()...))
}

// check validates the plan and fills in what was left out.
func (p *benchPlan) check() error {
	var err error
	if p.asserts, err = parseAssertions(p.assert); err != nil {
		return err
	}
	switch {
	case p.partitions < 1:
		return usageError("--partitions is 1 or more, not %d", p.partitions)
	case p.size < 0 || p.size > maxBenchSize:
		return usageError("--size is between 0 and %d, not %d", maxBenchSize, p.size)
	case p.records < 0 || p.duration < 0 || p.rate < 0:
		return usageError("--records, --duration and --rate are positive")
	case p.acks != "" && p.acks != "all" && p.acks != "-1":
		return usageError("--acks is all, not %q: the client of millrace always waits for every in-sync replica", p.acks)
	case p.producers < 0 || p.producers > maxBenchProducers || p.consumers < 0 || p.consumers > maxBenchProducers:
		return usageError("--producers and --consumers are between 1 and %d", maxBenchProducers)
	}
	if p.compression != "" {
		_, err = findCompression(p.compression)
	}
	return err
}

func (p *benchPlan) producerConfig() client.ProducerConfig {
	codec := compressions()[p.compression]
	return client.ProducerConfig{Linger: p.linger, BatchBytes: p.batch, Compression: codec, NotIdempotent: !p.idempotent}
}

// settings is one line on how records are written.
func (p *benchPlan) settings() string {
	parts := []string{fmt.Sprintf("%d B values", p.size), plural(p.producers, "producer"), "acks all"}
	if p.idempotent {
		parts = append(parts, "idempotent")
	}
	parts = append(parts, fmt.Sprintf("linger %v", p.linger), fmt.Sprintf("batch %d B", p.batch), "compression "+p.compression)
	if p.rate > 0 {
		parts = append(parts, fmt.Sprintf("%g records/s due", p.rate))
	}
	return strings.Join(parts, ", ")
}

// withTopic runs work with the topic of the plan: it is made if it is not there, and deleted afterwards if it was made and is not to be kept.
func (a *app) withTopic(ctx context.Context, c *client.Client, p *benchPlan, work func(partitions int32) error) (err error) {
	if p.topic == "" {
		p.topic = "bench-" + randomName()
	}
	created, err := c.Admin().CreateTopics(ctx, client.TopicSpec{Name: p.topic, Partitions: p.partitions})
	if err != nil {
		return err
	}
	switch err := created[0]; {
	case err == nil:
		p.made = true
	case !errors.Is(err, client.ErrTopicExists):
		return err
	}
	if p.made && !p.keep {
		defer func() {
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
			defer cancel()
			errs, deleteErr := c.Admin().DeleteTopics(late, p.topic)
			err = errors.Join(err, deleteErr, errors.Join(errs...))
		}()
	}
	topics, err := findTopics(ctx, c, p.topic)
	if err != nil {
		return err
	}
	return work(int32(len(topics[0].Partitions)))
}

// randomName is a short name that no other run has.
func randomName() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// payload is text of a size that compresses about as well as records do: letters from an alphabet of 16, the same in every run.
func payload(size int) []byte {
	const alphabet = "abcdefghijklmnop"
	random := mathrand.New(mathrand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return b
}

// limited is ctx that ends after the plan's duration too. Only the making of new records is bound by it.
func (p *benchPlan) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case p.duration > 0:
		return context.WithTimeout(ctx, p.duration)
	case p.records == 0:
		return context.WithTimeout(ctx, defaultBenchDuration)
	}
	return context.WithCancel(ctx)
}

// finish prints the report and says whether the run was a good one.
func (a *app) finish(p *benchPlan, m *meter, r benchReport, runErr error) error {
	if p.made && p.keep {
		a.note("the topic %s is kept", p.topic)
	}
	if err := a.printReport(r); err != nil {
		return err
	}
	if runErr == nil && m.failed > 0 {
		runErr = fmt.Errorf("%s failed; the first: %w", plural(m.failed, "record"), m.err)
	}
	if runErr != nil {
		return runErr
	}
	return checkAssertions(p.asserts, r.figures())
}
