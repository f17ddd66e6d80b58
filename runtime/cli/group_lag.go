package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// lagTimeout bounds the reading of the records whose age is the lag in seconds.
const lagTimeout = 5 * time.Second

func (a *app) groupLagCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lag GROUP", Short: "Show how far a group is behind, in records and in seconds", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeGroups(1),
		Long: "Show how far a group is behind, in records and in seconds.\n\nSeconds are the age of the next record to read.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				if _, err := findGroup(ctx, c, args[0]); err != nil {
					return err
				}
				lag, err := findLag(ctx, c, args[0])
				if err != nil {
					return err
				}
				if a.output == outputJSON {
					return a.json(lag)
				}
				return a.printLag(lag)
			})
		},
	}
}

// partitionLag is how far a group is behind in one partition.
type partitionLag struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Committed int64    `json:"committed"` // -1: nothing
	Start     int64    `json:"start"`
	End       int64    `json:"end"`
	Lag       int64    `json:"lag"`         // records; -1: unknown
	Seconds   *float64 `json:"lag_seconds"` // null: unknown
	Member    string   `json:"member,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// findLag asks for the lag of a group in records, and reads the next record of each partition that lags for its age.
func findLag(ctx context.Context, c *client.Client, id string) ([]partitionLag, error) {
	lags, err := c.Admin().Lag(ctx, id)
	if err != nil {
		return nil, err
	}
	next := make(map[client.TopicPartition]interval)
	for _, l := range lags {
		if l.Lag > 0 {
			next[l.TopicPartition] = interval{from: max(l.Committed, l.LogStart), to: l.LogEnd}
		}
	}
	times, err := timesOf(ctx, c, next)
	if err != nil {
		return nil, err
	}
	now, out := time.Now(), []partitionLag{}
	for _, l := range lags {
		p := partitionLag{Topic: l.Topic, Partition: l.Partition, Committed: l.Committed, Start: l.LogStart, End: l.LogEnd, Lag: l.Lag, Member: l.Member}
		if ms, ok := times[l.TopicPartition]; ok || l.Lag == 0 {
			seconds := 0.0
			if ok {
				seconds = max(0, now.Sub(time.UnixMilli(ms)).Seconds())
			}
			p.Seconds = &seconds
		}
		if l.Err != nil {
			p.Error = l.Err.Error()
		}
		out = append(out, p)
	}
	return out, nil
}

// timesOf reads the first record of each interval for its timestamp, in ms. What cannot be read in time is missing.
func timesOf(ctx context.Context, c *client.Client, next map[client.TopicPartition]interval) (map[client.TopicPartition]int64, error) {
	times := make(map[client.TopicPartition]int64, len(next))
	if len(next) == 0 {
		return times, nil
	}
	bounded, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	// A fetch returns one batch at least, however little it asks for.
	err := readIntervals(bounded, c, client.FetchConfig{MaxPartitionBytes: 1}, next, func(r *client.Record) (bool, error) {
		tp := client.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if _, ok := times[tp]; !ok && r.Timestamp >= 0 {
			times[tp] = r.Timestamp
		}
		return len(times) == len(next), nil
	}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ctx.Err()
	}
	return times, err
}

func (a *app) printLag(lag []partitionLag) error {
	if len(lag) == 0 {
		fmt.Fprintln(a.env.Stdout, "nothing committed and nothing assigned")
		return nil
	}
	var rows [][]string
	var total int64
	var worst float64
	for _, l := range lag {
		behind := "?"
		if l.Seconds != nil {
			behind, worst = formatSeconds(*l.Seconds), max(worst, *l.Seconds)
		}
		total += max(0, l.Lag)
		rows = append(rows, []string{l.Topic, fmt.Sprint(l.Partition), orNothing(l.Committed), fmt.Sprint(l.End), orUnknown(l.Lag), behind, orDash(l.Member), l.Error})
	}
	if err := a.grid([]string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BEHIND", "MEMBER"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.env.Stdout, "\nlag %s, %s behind\n", plural(total, "record"), formatSeconds(worst))
	return err
}

func orNothing(offset int64) string {
	if offset < 0 {
		return "-"
	}
	return fmt.Sprint(offset)
}

// formatSeconds is a duration as people say it.
func formatSeconds(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", seconds)
	default:
		return d.Round(time.Second).String()
	}
}
