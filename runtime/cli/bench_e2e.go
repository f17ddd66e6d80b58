package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

const (
	// e2eHeaderBytes is what a value begins with: the run's id and the due time, in ns after the start of the run, 8 bytes each.
	e2eHeaderBytes = 16
	// e2eDrain is how long the last records may take to arrive.
	e2eDrain = 10 * time.Second
)

func (a *app) benchE2ECommand() *cobra.Command {
	p := benchPlan{producers: 1}
	cmd := &cobra.Command{
		Use: "e2e", Short: "Measure from due time to the consumer", Args: cobra.NoArgs,
		Long: "Measure how long a record takes from when it was due until a consumer has it. Records are due at --rate, whether the log keeps up or " +
			"not, so waiting counts.",
		Example: "  millrace bench e2e --rate 5000 --duration 30s --assert 'p99<50ms'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if p.rate <= 0 {
				return usageError("--rate is more than 0")
			}
			p.size = max(p.size, e2eHeaderBytes)
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.withTopic(ctx, c, &p, func(int32) error { return a.benchE2E(ctx, c, &p) })
			})
		},
	}
	p.commonFlags(a, cmd)
	p.producerFlags(cmd)
	cmd.Flags().Float64Var(&p.rate, "rate", defaultE2ERate, "records a second")
	return cmd
}

func (a *app) benchE2E(ctx context.Context, c *client.Client, p *benchPlan) error {
	topics, err := findTopics(ctx, c, p.topic)
	if err != nil {
		return err
	}
	intervals, err := findIntervals(ctx, c, topics, span{from: position{fromEnd, 0}}, false)
	if err != nil {
		return err
	}
	arrived, sent := newMeter(), newMeter()
	watch, err := startWatch(p.pid)
	if err != nil {
		return err
	}
	run := uint64(watch.start.UnixNano())
	var want atomic.Int64 // how many records arrive in the end; -1 while that is not known
	want.Store(-1)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	readErr := make(chan error, 1)
	go func() {
		readErr <- readIntervals(reading, c, client.FetchConfig{}, intervals, func(r *client.Record) (bool, error) {
			if len(r.Value) >= e2eHeaderBytes && binary.BigEndian.Uint64(r.Value) == run {
				due := watch.start.Add(time.Duration(binary.BigEndian.Uint64(r.Value[8:])))
				arrived.add(len(r.Value), max(time.Since(due), time.Microsecond))
			}
			n, _ := arrived.totals()
			return n == want.Load(), nil
		}, nil)
	}()
	runErr := a.metered(ctx, arrived, watch.start, func() error {
		err := p.write(ctx, c, sent, func(value []byte, due time.Time) {
			binary.BigEndian.PutUint64(value, run)
			binary.BigEndian.PutUint64(value[8:], uint64(due.Sub(watch.start)))
		})
		n, _ := sent.totals()
		want.Store(n)
		return errors.Join(err, awaitArrival(ctx, arrived, n, stop, readErr))
	})
	arrived.failed, arrived.err = sent.failed, sent.err
	report, err := watch.report(arrived, benchReport{Bench: "e2e", Topic: p.topic, Partitions: len(topics[0].Partitions), Settings: p.settings()})
	return a.finish(p, arrived, report, errors.Join(ended(runErr), err))
}

// awaitArrival waits until the reader has n records and stops it. What does not arrive is an error.
func awaitArrival(ctx context.Context, arrived *meter, n int64, stop context.CancelFunc, read <-chan error) error {
	drain, cancel := context.WithTimeout(ctx, e2eDrain)
	defer cancel()
	var err error
	if got, _ := arrived.totals(); got < n {
		select {
		case err = <-read:
			read = nil
		case <-drain.Done():
		}
	}
	stop()
	if read != nil {
		err = ended(<-read)
	}
	if got, _ := arrived.totals(); err == nil && ctx.Err() == nil && got < n {
		err = fmt.Errorf("%s of %s did not arrive within %v", plural(n-got, "record"), thousands(n), e2eDrain)
	}
	return err
}
