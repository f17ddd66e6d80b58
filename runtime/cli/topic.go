package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// parent is a command that only has others below it.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(children...)
	return cmd
}

func (a *app) topicCommand() *cobra.Command {
	produce, consume := a.produceCommand(), a.consumeCommand()
	cmd := parent("topic", "Create, list, describe, delete, write and read topics",
		a.topicCreateCommand(), a.topicListCommand(), a.topicDescribeCommand(), a.topicDeleteCommand(), produce, consume)
	a.brokersFlag(cmd)
	return cmd
}

func (a *app) topicCreateCommand() *cobra.Command {
	var spec client.TopicSpec
	var configs []string
	var ifMissing bool
	cmd := &cobra.Command{
		Use: "create NAME…", Short: "Create topics", Args: cobra.MinimumNArgs(1),
		Example: "  millrace topic create orders -p 6\n  millrace topic create audit --config retention.ms=-1 --config max.message.bytes=2000000",
		RunE: func(cmd *cobra.Command, names []string) error {
			var err error
			if spec.Configs, err = pairs("--config", "=", configs); err != nil {
				return err
			}
			if cmd.Flags().Changed("partitions") && spec.Partitions < 1 {
				return usageError("--partitions is 1 or more, not %d", spec.Partitions)
			}
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.createTopics(ctx, c, spec, names, ifMissing)
			})
		},
	}
	cmd.Flags().Int32VarP(&spec.Partitions, "partitions", "p", 0, "how many partitions (default: the broker's)")
	cmd.Flags().Int16VarP(&spec.Replication, "replicas", "r", 0, "how many replicas (default: the broker's)")
	cmd.Flags().StringArrayVarP(&configs, "config", "c", nil, "name=value of a topic config; may be repeated")
	cmd.Flags().BoolVar(&ifMissing, "if-not-exists", false, "a topic that is there already is no error")
	return cmd
}

type createdTopic struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	Created    bool   `json:"created"` // false: it was there
}

func (a *app) createTopics(ctx context.Context, c *client.Client, spec client.TopicSpec, names []string, ifMissing bool) error {
	var specs []client.TopicSpec
	for _, name := range names {
		spec.Name = name
		specs = append(specs, spec)
	}
	errs, err := c.Admin().CreateTopics(ctx, specs...)
	if err != nil {
		return err
	}
	var failed []error
	var results []createdTopic
	for i, err := range errs {
		switch {
		case err == nil:
			results = append(results, createdTopic{Name: names[i], Created: true})
		case ifMissing && errors.Is(err, client.ErrTopicExists):
			results = append(results, createdTopic{Name: names[i]})
		default:
			failed = append(failed, err)
		}
	}
	var sentences []string
	for i := range results {
		topics, err := c.Admin().Topics(ctx, results[i].Name)
		if err == nil && len(topics) == 1 {
			results[i].Partitions = len(topics[0].Partitions)
		}
		sentences = append(sentences, results[i].sentence())
	}
	if len(results) > 0 {
		err = a.done(results, "%s", strings.Join(sentences, "\n"))
	}
	return errors.Join(classify(errors.Join(failed...)), err)
}

func (t createdTopic) sentence() string {
	if !t.Created {
		return fmt.Sprintf("topic %s is there already (%s)", t.Name, plural(t.Partitions, "partition"))
	}
	return fmt.Sprintf("created topic %s with %s", t.Name, plural(t.Partitions, "partition"))
}

func (a *app) topicDeleteCommand() *cobra.Command {
	var yes, regex bool
	cmd := &cobra.Command{
		Use: "delete NAME…", Short: "Delete topics and all their records", Args: cobra.MinimumNArgs(1),
		Long: "Delete topics and all their records.\n\nOne topic is deleted at once; several, or those that a regular expression matches (-r), " +
			"are named first and deleted when you type how many they are, or with --yes.",
		ValidArgsFunction: a.completeTopics(0),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.deleteTopics(ctx, c, names, regex, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVarP(&regex, "regex", "r", false, "NAME is a regular expression for the whole name")
	return cmd
}

func (a *app) deleteTopics(ctx context.Context, c *client.Client, names []string, regex, yes bool) error {
	find := func() ([]client.Topic, error) { return findTopics(ctx, c, names...) }
	if regex {
		find = func() ([]client.Topic, error) { return matchTopics(ctx, c, names) }
	}
	topics, err := find()
	if err != nil {
		return err
	}
	var found []string
	for _, t := range topics {
		found = append(found, t.Name)
	}
	if len(found) == 0 {
		return &Error{Code: ExitRuntime, Err: fmt.Errorf("no topic matches %s", strings.Join(names, " "))}
	}
	if len(found) > 1 || regex {
		effect := fmt.Sprintf("this deletes %s and all their records: %s", plural(len(found), "topic"), strings.Join(found, ", "))
		if err := a.confirm(yes, effect, fmt.Sprint(len(found))); err != nil {
			return err
		}
	}
	errs, err := c.Admin().DeleteTopics(ctx, found...)
	if err != nil {
		return err
	}
	var gone []string
	for i, err := range errs {
		if err == nil {
			gone = append(gone, found[i])
		}
	}
	if len(gone) > 0 {
		err = a.done(map[string]any{"deleted": gone}, "deleted %s", strings.Join(gone, ", "))
	}
	return errors.Join(classify(errors.Join(errs...)), err)
}

// pairs reads name=value (or name:value) of a repeated flag.
func pairs(flag, separator string, list []string) (map[string]string, error) {
	m := make(map[string]string, len(list))
	for _, text := range list {
		name, value, ok := strings.Cut(text, separator)
		if !ok || name == "" {
			return nil, usageError("%s is name%svalue, not %q", flag, separator, text)
		}
		m[name] = value
	}
	return m, nil
}

// plural is a number with its noun.
func plural[N int | int32 | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(int64(n)) + " " + noun + "s"
}

// thousands groups the digits of n.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	digits := strings.TrimPrefix(text, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}
