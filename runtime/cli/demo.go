package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/examples/payments/shop"
	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/config"
	"github.com/millrace/millrace/runtime/node"
	"github.com/millrace/millrace/streams"
)

// demoApplication is the consumer group and the prefix of the internal topics.
const demoApplication = "millrace-demo"

// demoCommitInterval is how often the demo commits: what a kill -9 may count twice.
const demoCommitInterval = time.Second

// maxDemoRate bounds --rate: beyond it the machine, not the demo, is what one sees.
const maxDemoRate = 50_000

func (a *app) demoCommand() *cobra.Command {
	var rate int
	cmd := &cobra.Command{
		Use: "demo", Short: "Everything at once, with live data", Args: cobra.NoArgs,
		Long: `Runs a node, a generator of orders and payments, and the topology of examples/payments in one process, and shows what happens.

Orders and payments are joined within 10 s, unpaid orders and cards used too often in a minute are flagged, and revenue is kept per country and
minute. Some records come late, some payments never come, some come twice. The data lies in a temporary folder unless --data-dir names one; a
second start on the same folder goes on where the first one ended, even after kill -9. Ctrl-C ends it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rate < 1 || rate > maxDemoRate {
				return usageError("--rate is between 1 and %d orders a second, not %d", maxDemoRate, rate)
			}
			c, err := a.loadConfig(cmd)
			if err != nil {
				return err
			}
			ctx, stop := a.env.Interrupts(cmd.Context())
			defer stop()
			return a.demo(ctx, c, cmd.Flags().Changed("data-dir"), rate)
		},
	}
	cmd.Flags().IntVar(&rate, "rate", 200, "orders a second")
	settingFlags(cmd, "data-dir", "kafka.listen", "http.listen", "durability")
	cmd.Flags().Lookup("data-dir").Usage = "Directory that keeps the data; made if it is missing. (default: a temporary one, removed at the end)"
	return cmd
}

// demo boots the node, runs the parts until ctx ends or one of them fails, and prints the summary.
func (a *app) demo(ctx context.Context, c *config.Config, keep bool, rate int) (err error) {
	limitMemory()
	if !keep {
		if c.DataDir, err = os.MkdirTemp("", "millrace-demo-"); err != nil {
			return environmentError(fmt.Errorf("cannot make a folder for the demo: %w", err), "--data-dir names one")
		}
		defer func() { err = errors.Join(err, os.RemoveAll(c.DataDir)) }()
	}
	cfg := nodeConfig(c, a.demoLogger())
	cfg.NextFreePort = true
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return startError(err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	d, err := newDemo(ctx, n, c, keep, rate)
	if err != nil {
		return err
	}
	return d.run(ctx, a.demoScreen(d))
}

// demo is a running demo.
type demo struct {
	node   *node.Node
	cfg    *config.Config
	keep   bool
	rate   int
	app    *streams.App
	source *demoSource
	view   *demoView
	begun  time.Time
}

func newDemo(ctx context.Context, n *node.Node, c *config.Config, keep bool, rate int) (*demo, error) {
	if err := createDemoTopics(ctx, n.Client()); err != nil {
		return nil, err
	}
	topo, err := shop.Topology(shop.DefaultRules())
	if err != nil {
		return nil, err
	}
	app, err := streams.New(topo, streams.Config{
		ApplicationID: demoApplication, Log: n.Client(), StateDir: filepath.Join(c.DataDir, "streams"), CommitInterval: demoCommitInterval,
	})
	if err != nil {
		return nil, err
	}
	d := &demo{node: n, cfg: c, keep: keep, rate: rate, app: app, begun: time.Now()}
	if d.source, err = newDemoSource(n.Client(), rate); err != nil {
		return nil, err
	}
	d.view, err = newDemoView(n.Client())
	return d, err
}

// createDemoTopics makes the topics, or finds them from an earlier run.
func createDemoTopics(ctx context.Context, c *client.Client) error {
	var specs []client.TopicSpec
	for _, name := range []string{shop.OrdersTopic, shop.PaymentsTopic} {
		specs = append(specs, client.TopicSpec{Name: name, Partitions: shop.Partitions})
	}
	for _, name := range demoOutputs() {
		specs = append(specs, client.TopicSpec{Name: name, Partitions: 1})
	}
	errs, err := c.Admin().CreateTopics(ctx, specs...)
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, client.ErrTopicExists) {
			return err
		}
	}
	return nil
}

func demoOutputs() []string { return []string{shop.RevenueTopic, shop.UnpaidTopic, shop.FraudTopic} }

// demoTick is how often the screen is drawn, or a line printed.
const demoTick = time.Second

// run runs generator, topology and view side by side. The first failure ends all.
func (d *demo) run(ctx context.Context, screen demoScreen) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := []func(context.Context) error{d.app.Run, d.source.run, d.view.run}
	done := make(chan error, len(parts))
	for _, part := range parts {
		go func() {
			err := part(ctx)
			if err != nil && ctx.Err() == nil {
				cancel(err)
			}
			done <- err
		}()
	}
	screen.open()
	tick := time.NewTicker(demoTick)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			screen.draw(d.look())
		case <-d.node.Failed():
			cancel(d.node.Err())
		case <-ctx.Done():
		}
	}
	var failed error
	for range parts {
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			failed = errors.Join(failed, err)
		}
	}
	screen.close(d.look())
	return failed
}
