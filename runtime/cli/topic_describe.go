package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use: "list [REGEX…]", Aliases: []string{"ls"}, Short: "List topics", ValidArgsFunction: a.completeTopics(0), Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, patterns []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.listTopics(ctx, c, patterns, internal)
			})
		},
	}
	cmd.Flags().BoolVarP(&internal, "internal", "i", false, "also the log's own topics")
	return cmd
}

type listedTopic struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	Offsets    int64  `json:"offsets"` // the sum of end − start; -1 when unknown
	Internal   bool   `json:"internal"`
}

func (a *app) listTopics(ctx context.Context, c *client.Client, patterns []string, internal bool) error {
	var topics []client.Topic
	var err error
	if len(patterns) > 0 {
		topics, err = matchTopics(ctx, c, patterns)
	} else {
		topics, err = c.Admin().Topics(ctx)
	}
	if err != nil {
		return err
	}
	topics = slices.DeleteFunc(topics, func(t client.Topic) bool { return t.Internal && !internal })
	bounds := findBounds(ctx, c, topics)
	list, rows := []listedTopic{}, [][]string{}
	for _, t := range topics {
		l := listedTopic{Name: t.Name, Partitions: len(t.Partitions), Internal: t.Internal}
		for _, p := range t.Partitions {
			l.Replicas = max(l.Replicas, len(p.Replicas))
			if b := bounds[client.TopicPartition{Topic: t.Name, Partition: p.Index}]; b.err != nil || l.Offsets < 0 {
				l.Offsets = -1
			} else {
				l.Offsets += b.end - b.start
			}
		}
		list = append(list, l)
		rows = append(rows, []string{l.Name, strconv.Itoa(l.Partitions), strconv.Itoa(l.Replicas), orUnknown(l.Offsets)})
	}
	if len(list) == 0 && a.output == outputTable {
		a.note("no topics: millrace topic create NAME makes one")
		return nil
	}
	return a.table(list, []string{"NAME", "PARTITIONS", "REPLICAS", "RECORDS"}, rows)
}

// orUnknown is a figure, or a question mark for a negative one.
func orUnknown(n int64) string {
	if n < 0 {
		return "?"
	}
	return strconv.FormatInt(n, 10)
}

// bounds are the offsets between which a partition has records.
type bounds struct {
	start, end int64 // the first, and after the last
	err        error
}

// findBounds asks for the bounds of every partition of some topics.
func findBounds(ctx context.Context, c *client.Client, topics []client.Topic) map[client.TopicPartition]bounds {
	starts, ends := make(map[client.TopicPartition]int64), make(map[client.TopicPartition]int64)
	for _, t := range topics {
		for _, p := range t.Partitions {
			tp := client.TopicPartition{Topic: t.Name, Partition: p.Index}
			starts[tp], ends[tp] = client.Earliest, client.Latest
		}
	}
	first := c.Admin().ListOffsets(ctx, client.ReadUncommitted, starts)
	last := c.Admin().ListOffsets(ctx, client.ReadUncommitted, ends)
	out := make(map[client.TopicPartition]bounds, len(first))
	for tp, f := range first {
		b := bounds{start: f.Offset, end: last[tp].Offset, err: f.Err}
		if b.err == nil {
			b.err = last[tp].Err
		}
		out[tp] = b
	}
	return out
}

func (a *app) topicDescribeCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "describe NAME…", Short: "Describe topics: partitions, offsets, configs", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeTopics(0),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.describeTopics(ctx, c, names, all)
			})
		},
	}
	cmd.Flags().BoolVarP(&all, "all-configs", "a", false, "also the configs that have their default")
	return cmd
}

type describedTopic struct {
	Name       string               `json:"name"`
	ID         string               `json:"id"`
	Internal   bool                 `json:"internal"`
	Partitions []describedPartition `json:"partitions"`
	Configs    []describedConfig    `json:"configs"`
}

type describedPartition struct {
	Index       int32   `json:"partition"`
	Leader      int32   `json:"leader"` // -1: none
	LeaderEpoch int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Start       int64   `json:"start"` // -1: unknown
	End         int64   `json:"end"`   // -1: unknown
	Error       string  `json:"error,omitempty"`
}

type describedConfig struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

func (a *app) describeTopics(ctx context.Context, c *client.Client, names []string, allConfigs bool) error {
	topics, err := findTopics(ctx, c, names...)
	if err != nil {
		return err
	}
	offsets := findBounds(ctx, c, topics)
	var described []describedTopic
	for _, t := range topics {
		d := describedTopic{Name: t.Name, ID: t.ID.String(), Internal: t.Internal, Configs: []describedConfig{}}
		for _, p := range t.Partitions {
			b := offsets[client.TopicPartition{Topic: t.Name, Partition: p.Index}]
			row := describedPartition{p.Index, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, b.start, b.end, ""}
			if p.Err != nil {
				row.Error = p.Err.Error()
			} else if b.err != nil {
				row.Error = b.err.Error()
			}
			d.Partitions = append(d.Partitions, row)
		}
		configs, err := c.Admin().TopicConfigs(ctx, t.Name)
		if err != nil {
			return err
		}
		for _, e := range configs {
			if allConfigs || !e.Default {
				d.Configs = append(d.Configs, describedConfig{e.Name, e.Value, e.Source})
			}
		}
		described = append(described, d)
	}
	if a.output == outputJSON {
		return a.json(described)
	}
	for i, d := range described {
		if i > 0 {
			fmt.Fprintln(a.env.Stdout)
		}
		if err := a.printTopic(d); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printTopic(d describedTopic) error {
	fmt.Fprintf(a.env.Stdout, "%s  id %s  %s\n\n", d.Name, d.ID, plural(len(d.Partitions), "partition"))
	var rows [][]string
	for _, p := range d.Partitions {
		records := "?"
		if p.Start >= 0 && p.End >= 0 {
			records = strconv.FormatInt(p.End-p.Start, 10)
		}
		rows = append(rows, []string{
			fmt.Sprint(p.Index), orUnknown(int64(p.Leader)), fmt.Sprint(p.LeaderEpoch), nodes(p.Replicas), nodes(p.ISR), orUnknown(p.Start), orUnknown(p.End), records, p.Error,
		})
	}
	if err := a.grid([]string{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "END", "RECORDS"}, rows); err != nil {
		return err
	}
	if len(d.Configs) == 0 {
		fmt.Fprintln(a.env.Stdout, "\nall configs have their default (--all-configs shows them)")
		return nil
	}
	fmt.Fprintln(a.env.Stdout)
	rows = nil
	for _, c := range d.Configs {
		rows = append(rows, []string{c.Name, c.Value, strings.ToLower(strings.ReplaceAll(c.Source, "_", " "))})
	}
	return a.grid([]string{"CONFIG", "VALUE", "SOURCE"}, rows)
}

func nodes(ids []int32) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, strconv.Itoa(int(id)))
	}
	return strings.Join(texts, ",")
}
