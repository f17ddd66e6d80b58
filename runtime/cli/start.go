package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
	"github.com/millrace/millrace/runtime/config"
	"github.com/millrace/millrace/runtime/node"
)

func (a *app) startCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start", Short: "Run a node until it is interrupted", Args: cobra.NoArgs,
		Long: "Run a node: the log on disk, the Kafka protocol on --kafka-listen, /metrics and /healthz on --http-listen.\n\nThe first interrupt stops it cleanly, the second at once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig(cmd)
			if err != nil {
				return err
			}
			ctx, stop := a.env.Interrupts(cmd.Context())
			defer stop()
			return a.start(ctx, c)
		},
	}
	settingFlags(cmd)
	return cmd
}

// start runs the node until ctx ends or the node fails.
func (a *app) start(ctx context.Context, c *config.Config) error {
	limitMemory()
	n, err := node.Start(ctx, nodeConfig(c, a.logger(c)))
	if err != nil {
		return startError(err)
	}
	a.banner(n, c)
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.env.Stderr, "stopping")
		return n.Close()
	case <-n.Failed():
		return errors.Join(n.Err(), n.Close())
	}
}

// nodeConfig is the part of the configuration that the node reads.
func nodeConfig(c *config.Config, logger *slog.Logger) node.Config {
	return node.Config{
		Dir: c.DataDir, NodeID: c.NodeID, Durability: c.Durability, KafkaListen: c.KafkaListen, HTTPListen: c.HTTPListen,
		InsecureListen: c.InsecureListen, DisableAutoCreateTopics: !c.AutoCreateTopics, DefaultPartitions: c.DefaultPartitions,
		OffsetsPartitions: c.OffsetsPartitions, InitialRebalanceDelay: c.InitialRebalanceDelay, Static: c.Broker, Logger: logger,
	}
}

// banner says where the node is and what an ack means.
func (a *app) banner(n *node.Node, c *config.Config) {
	meaning := "an ack means on disk"
	if c.Durability == partition.Replicated {
		meaning = "an ack means in the page cache of this one node: it survives a killed process, not a power cut"
	}
	fmt.Fprintf(a.env.Stderr, "millrace %s  node %d  cluster %s\n", buildVersion(), c.NodeID, n.ClusterID())
	line := func(name, text string) { fmt.Fprintf(a.env.Stderr, "  %-11s %s\n", name, text) }
	line("kafka", orNone(n.KafkaAddr()))
	line("http", orNone(n.HTTPAddr()))
	line("data", c.DataDir)
	line("durability", fmt.Sprintf("%s (%s)", c.Durability, meaning))
	if c.InsecureListen {
		line("WARNING", "--insecure-listen: whoever reaches the ports may read, write and delete everything")
	}
}

func orNone(addr string) string {
	if addr == "" {
		return "off"
	}
	return addr
}

// startError classes what keeps a node from starting.
func startError(err error) error {
	var locked *disk.LockedError
	switch {
	case errors.As(err, &locked):
		return environmentError(err, "another node uses this directory: stop it, or name another one with --data-dir")
	case errors.Is(err, syscall.EADDRINUSE):
		return environmentError(err, "the port is taken: name another with --kafka-listen or --http-listen, or 127.0.0.1:0 for any free one")
	case errors.Is(err, partition.ErrNewerFormat):
		return environmentError(err, "the data was written by a newer millrace: use that version")
	}
	if _, ok := errors.AsType[*wire.InsecureError](err); ok {
		return &Error{Code: ExitUsage, Err: err}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok && (path.Op == "mkdir" || errors.Is(err, fs.ErrPermission)) {
		return environmentError(err, "name another directory with --data-dir")
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return environmentError(err, "")
	}
	return err
}
