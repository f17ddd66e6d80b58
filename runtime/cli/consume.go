package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// consumeFlags are what `consume` was told.
type consumeFlags struct {
	offsets, group, format string
	partitions             []int32
	count                  int64
	regex, exit            bool
}

func (a *app) consumeCommand() *cobra.Command {
	var f consumeFlags
	cmd := &cobra.Command{
		Use: "consume TOPIC…", Short: "Print the records of topics", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeTopics(0),
		Long: `Print the records of topics, from the start and on as they come, until interrupted.

-o says where to read:
  start, end     the first record, after the last          N      offset N
  +N             N after the start                         -N     the last N of each partition
  @TIME          from a time: @-1h, @now, @2026-11-25, @2026-11-25T08:30:00Z, @1764060000
  FROM:TO        from FROM to before TO: 10:20, @-1h:@now, start:end

-f says what is printed: a layout (%t topic, %p partition, %o offset, %k key, %v value, %h{%k=%v } headers,
%d{strftime[%F %T]} time), or pretty (the default on a terminal), json, jsonl, raw. In a pipe it is '%v\n'.`,
		Example: "  millrace consume orders -o -5 -e\n  millrace consume orders -f '%p %o %k=%v\\n'\n  millrace consume -r 'orders-.*' -o @-10m\n  millrace consume orders -g billing",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.streaming = true
			where, err := parseSpan(f.offsets, time.Now())
			if err != nil {
				return err
			}
			print, err := a.newPrinter(f.format)
			if err != nil {
				return err
			}
			if err := f.check(cmd.Flags().Changed("num"), where); err != nil {
				return err
			}
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				out := &recordWriter{out: a.env.Stdout, print: print, left: f.count}
				if f.count == 0 {
					out.left = noLimit
				}
				return ended(a.consume(ctx, c, args, f, where, out))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.offsets, "offset", "o", "start", "where to read: start, end, N, +N, -N, @TIME or FROM:TO")
	flags.Int64VarP(&f.count, "num", "n", 0, "stop after this many records")
	flags.Int32SliceVarP(&f.partitions, "partitions", "p", nil, "only these partitions")
	flags.StringVarP(&f.group, "group", "g", "", "read as a member of this group, and commit what was printed")
	flags.StringVarP(&f.format, "format", "f", "", "what is printed: a layout, or pretty, json, jsonl, raw")
	flags.BoolVarP(&f.exit, "exit", "e", false, "stop where the topics end now")
	flags.BoolVarP(&f.regex, "regex", "r", false, "TOPIC is a regular expression for the whole name")
	completeFlag(cmd, "group", a.completeGroups(0))
	completeFlag(cmd, "offset", completeFixed("start", "end"))
	completeFlag(cmd, "format", completeFixed(formatPretty, formatJSON, formatJSONL, formatRaw))
	return cmd
}

func (f consumeFlags) check(limited bool, where span) error {
	switch {
	case f.count < 0 || limited && f.count == 0:
		return usageError("--num is 1 or more, not %d", f.count)
	case f.group != "" && len(f.partitions) > 0:
		return usageError("--group and --partitions do not go together: a group shares all partitions out")
	case f.group != "" && (where.to != nil || where.from != (position{fromStart, 0}) && where.from != (position{fromEnd, 0})):
		return usageError("with --group, -o is start or end (where to begin without a commit), not %q", f.offsets)
	}
	return nil
}

// ended takes an interrupt for what it is: the way to end a command that runs until then.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// noLimit is the left of a recordWriter that prints whatever comes.
const noLimit = int64(-1)

// recordWriter prints records, as many as it may.
type recordWriter struct {
	out   io.Writer
	print printer
	left  int64
	buf   []byte
}

// flushBytes is how much is collected before it is written.
const flushBytes = 64 << 10

// record prints r; done says that it was the last one.
func (w *recordWriter) record(r *client.Record) (done bool, err error) {
	w.buf = w.print(w.buf, r)
	if w.left > 0 {
		w.left--
	}
	if len(w.buf) >= flushBytes || w.left == 0 {
		err = w.flush()
	}
	return w.left == 0, err
}

func (w *recordWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.out.Write(w.buf)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("cannot print records: %w", err)
	}
	return nil
}

func (a *app) consume(ctx context.Context, c *client.Client, names []string, f consumeFlags, where span, out *recordWriter) error {
	var topics []client.Topic
	var err error
	if f.regex {
		if topics, err = matchTopics(ctx, c, names); err == nil && len(topics) == 0 {
			err = fmt.Errorf("no topic matches %q", names)
		}
	} else {
		topics, err = findTopics(ctx, c, names...)
	}
	if err != nil {
		return err
	}
	if f.group != "" {
		return consumeAsGroup(ctx, c, topics, f, where, out)
	}
	if topics, err = onlyPartitions(topics, f.partitions); err != nil {
		return err
	}
	intervals, err := findIntervals(ctx, c, topics, where, f.exit)
	if err != nil {
		return err
	}
	return readIntervals(ctx, c, client.FetchConfig{}, intervals, func(r *client.Record) (bool, error) { return out.record(r) }, out.flush)
}

// onlyPartitions drops the partitions that were not asked for.
func onlyPartitions(topics []client.Topic, wanted []int32) ([]client.Topic, error) {
	if len(wanted) == 0 {
		return topics, nil
	}
	for i := range topics {
		for _, p := range wanted {
			if p < 0 || int(p) >= len(topics[i].Partitions) {
				return nil, usageError("topic %s has the partitions 0 to %d, not %d", topics[i].Name, len(topics[i].Partitions)-1, p)
			}
		}
		topics[i].Partitions = slices.DeleteFunc(topics[i].Partitions, func(p client.Partition) bool { return !slices.Contains(wanted, p.Index) })
	}
	return topics, nil
}

// findIntervals resolves a span in every partition of topics. With stop, reading ends where the partitions end now.
func findIntervals(ctx context.Context, c *client.Client, topics []client.Topic, where span, stop bool) (map[client.TopicPartition]interval, error) {
	limits := findBounds(ctx, c, topics)
	at := make(map[client.TopicPartition]map[int64]int64)
	for _, ms := range where.times() {
		ask := make(map[client.TopicPartition]int64)
		for tp := range limits {
			ask[tp] = ms
		}
		for tp, found := range c.Admin().ListOffsets(ctx, client.ReadUncommitted, ask) {
			if found.Err != nil {
				return nil, found.Err
			}
			if at[tp] == nil {
				at[tp] = make(map[int64]int64)
			}
			at[tp][ms] = found.Offset
		}
	}
	intervals := make(map[client.TopicPartition]interval)
	for tp, b := range limits {
		if b.err != nil {
			return nil, b.err
		}
		i := where.resolve(b, at[tp])
		if stop && (i.to == noEnd || i.to > b.end) {
			i.to = max(i.from, b.end)
		}
		intervals[tp] = i
	}
	return intervals, nil
}
