package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

func (a *app) benchProduceCommand() *cobra.Command {
	var p benchPlan
	cmd := &cobra.Command{
		Use: "produce", Short: "Measure writing", Args: cobra.NoArgs,
		Long: "Measure writing: records/s, MiB/s, and the time from a record's start to its ack. With --rate records are due at fixed times and the " +
			"latency counts from then, however late they were sent.\n\nWith --sequence and --log the values carry sequence numbers, and each ack is " +
			"appended to the log file, through restarts of the broker; `millrace bench verify --log FILE` then says whether all of them are there.",
		Example: "  millrace bench produce --size 1000 --compression zstd --duration 30s\n  millrace bench produce --rate 5000 --assert 'p99<20ms,failed=0'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if p.sequence != (p.logFile != "") {
				return usageError("--sequence and --log FILE go together")
			}
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				if p.sequence {
					return a.benchSequence(ctx, c, &p)
				}
				return a.withTopic(ctx, c, &p, func(partitions int32) error { return a.benchProduce(ctx, c, &p, partitions) })
			})
		},
	}
	p.commonFlags(a, cmd)
	p.producerFlags(cmd)
	f := cmd.Flags()
	f.IntVar(&p.producers, "producers", 1, "producers beside each other")
	f.Float64Var(&p.rate, "rate", 0, "records a second (default: as fast as it goes)")
	f.BoolVar(&p.sequence, "sequence", false, "numbered values, for --log; the topic is kept")
	f.StringVar(&p.logFile, "log", "", "file that each ack is appended to (with --sequence)")
	return cmd
}

func (a *app) benchProduce(ctx context.Context, c *client.Client, p *benchPlan, partitions int32) error {
	m := newMeter()
	watch, err := startWatch(p.pid)
	if err != nil {
		return err
	}
	runErr := a.metered(ctx, m, watch.start, func() error { return p.write(ctx, c, m, nil) })
	report, err := watch.report(m, benchReport{Bench: "produce", Topic: p.topic, Partitions: int(partitions), Settings: p.settings()})
	return a.finish(p, m, report, errors.Join(ended(runErr), err))
}

// metered runs work while the meter prints.
func (a *app) metered(ctx context.Context, m *meter, start time.Time, work func() error) error {
	printing, stop := context.WithCancel(ctx)
	var printer sync.WaitGroup
	printer.Go(func() { m.run(printing, start, func(line string) { a.note("%s", line) }) })
	err := work()
	stop()
	printer.Wait()
	return err
}

// outgoing is a record on its way. It is reused.
type outgoing struct {
	record client.Record
	since  time.Time // when it was due, or handed over
	value  []byte    // its own, where values differ
}

// write runs the plan's producers until the records are written, the duration is over, or ctx ends; then it waits for the acks. fill (may be nil)
// makes the value of a record that is due at since.
func (p *benchPlan) write(ctx context.Context, c *client.Client, m *meter, fill func(value []byte, since time.Time)) error {
	limited, cancel := p.limited(ctx)
	defer cancel()
	var left atomic.Int64
	left.Store(p.records)
	start := time.Now()
	errs := make([]error, max(1, p.producers))
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			w := &benchWriter{plan: p, meter: m, fill: fill, left: &left, body: payload(p.size)}
			w.pace = pacer{start: start, index: float64(i), step: float64(len(errs)), rate: p.rate}
			errs[i] = w.run(ctx, limited, c)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// benchWriter is one producer of a bench.
type benchWriter struct {
	plan  *benchPlan
	meter *meter
	fill  func([]byte, time.Time)
	left  *atomic.Int64 // records still to write, of all writers
	body  []byte        // the value, shared by all records unless fill is set
	pace  pacer
	pool  sync.Pool
}

func (w *benchWriter) run(ctx, limited context.Context, c *client.Client) error {
	producer, err := c.NewProducer(w.plan.producerConfig())
	if err != nil {
		return err
	}
	defer producer.Close()
	w.pool.New = func() any { return &outgoing{value: w.body} }
	if w.fill != nil {
		w.pool.New = func() any { return &outgoing{value: append([]byte(nil), w.body...)} }
	}
	for producer.Err() == nil {
		due, ok := w.pace.next(limited)
		if !ok || w.plan.records > 0 && w.left.Add(-1) < 0 {
			break
		}
		o := w.pool.Get().(*outgoing)
		o.since = due
		if w.fill != nil {
			w.fill(o.value, due)
		}
		o.record = *client.NewRecord(w.plan.topic, nil, o.value)
		producer.Produce(ctx, &o.record, func(r *client.Record, err error) { w.acked(o, err) })
	}
	if err := flush(ctx, producer); err != nil && ctx.Err() == nil && producer.Err() == nil {
		return nil // single failures are counted
	}
	return errors.Join(producer.Err(), ctx.Err())
}

// acked runs when the fate of a record is known.
func (w *benchWriter) acked(o *outgoing, err error) {
	switch {
	case err == nil:
		w.meter.add(len(o.value), max(time.Since(o.since), time.Microsecond))
	case !errors.Is(err, context.Canceled):
		w.meter.fail(err)
	}
	w.pool.Put(o)
}

// pacer says when records are due: at a rate, shared by several writers, or at once.
type pacer struct {
	start       time.Time
	index, step float64
	rate        float64
}

// next waits until the next record is due and returns that time; false when ctx has ended.
func (p *pacer) next(ctx context.Context) (due time.Time, ok bool) {
	if p.rate <= 0 {
		return time.Now(), ctx.Err() == nil
	}
	due = p.start.Add(time.Duration(p.index / p.rate * float64(time.Second)))
	p.index += p.step
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return due, false
		}
	}
	return due, ctx.Err() == nil
}

func (a *app) benchConsumeCommand() *cobra.Command {
	p := benchPlan{compression: "none", idempotent: true, producers: 1, batch: client.DefaultBatchBytes}
	cmd := &cobra.Command{
		Use: "consume", Short: "Measure reading", Args: cobra.NoArgs,
		Long: "Measure reading a topic from its start to where it ends now. Without --topic one is made and filled first, which does not count.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				if p.topic != "" {
					topics, err := findTopics(ctx, c, p.topic)
					if err != nil {
						return err
					}
					return a.benchConsume(ctx, c, &p, topics[0])
				}
				return a.withTopic(ctx, c, &p, func(int32) error { return a.fillAndConsume(ctx, c, p) })
			})
		},
	}
	p.commonFlags(a, cmd)
	cmd.Flags().IntVar(&p.consumers, "consumers", 1, "consumers beside each other, which share the partitions out")
	return cmd
}

func (a *app) fillAndConsume(ctx context.Context, c *client.Client, p benchPlan) error {
	filling := p
	filling.duration = 0
	if filling.records == 0 {
		filling.records = defaultFillRecords
	}
	a.note("filling %s with %s of %d B", p.topic, plural(filling.records, "record"), p.size)
	m := newMeter()
	err := filling.write(ctx, c, m, nil)
	if err == nil && m.failed > 0 {
		err = m.err
	}
	if err != nil {
		return fmt.Errorf("cannot fill the topic: %w", err)
	}
	topics, err := findTopics(ctx, c, p.topic)
	if err != nil {
		return err
	}
	return a.benchConsume(ctx, c, &p, topics[0])
}

func (a *app) benchConsume(ctx context.Context, c *client.Client, p *benchPlan, topic client.Topic) error {
	intervals, err := findIntervals(ctx, c, []client.Topic{topic}, span{from: position{fromStart, 0}}, true)
	if err != nil {
		return err
	}
	m := newMeter()
	watch, err := startWatch(p.pid)
	if err != nil {
		return err
	}
	limited, cancel := context.WithCancel(ctx)
	if p.duration > 0 {
		limited, cancel = context.WithTimeout(ctx, p.duration)
	}
	defer cancel()
	n := max(1, min(p.consumers, len(topic.Partitions)))
	runErr := a.metered(ctx, m, watch.start, func() error { return readShared(limited, c, intervals, n, p.records, m) })
	if errors.Is(runErr, context.DeadlineExceeded) && limited.Err() != nil {
		runErr = nil
	}
	report, err := watch.report(m, benchReport{Bench: "consume", Topic: p.topic, Partitions: len(topic.Partitions), Settings: plural(n, "consumer")})
	return a.finish(p, m, report, errors.Join(ended(runErr), err))
}

// readShared reads intervals with n consumers, until most records (0: all) are read.
func readShared(ctx context.Context, c *client.Client, intervals map[client.TopicPartition]interval, n int, most int64, m *meter) error {
	shares := make([]map[client.TopicPartition]interval, n)
	for i := range shares {
		shares[i] = make(map[client.TopicPartition]interval)
	}
	for tp, i := range intervals {
		shares[int(tp.Partition)%n][tp] = i
	}
	var seen atomic.Int64
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range shares {
		group.Go(func() {
			errs[i] = readIntervals(ctx, c, client.FetchConfig{}, shares[i], func(r *client.Record) (bool, error) {
				if most > 0 && seen.Add(1) > most {
					return true, nil
				}
				m.add(len(r.Key)+len(r.Value), 0)
				return false, nil
			}, nil)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
