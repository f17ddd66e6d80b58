package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// completionTimeout bounds what a shell waits for names: without a broker a completion must be quick and empty.
const completionTimeout = time.Second

// completer completes arguments or flags of a command.
type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeTopics offers the names of topics, for at most so many arguments (0: any number).
func (a *app) completeTopics(most int) completer {
	return a.completeNames(most, func(ctx context.Context, c *client.Client) (names []string) {
		topics, err := c.Admin().Topics(ctx)
		if err != nil {
			return nil
		}
		for _, t := range topics {
			if !t.Internal {
				names = append(names, t.Name)
			}
		}
		return names
	})
}

// completeGroups offers the ids of groups.
func (a *app) completeGroups(most int) completer {
	return a.completeNames(most, func(ctx context.Context, c *client.Client) (ids []string) {
		groups, err := c.Admin().ListGroups(ctx)
		if err != nil {
			return nil
		}
		for _, g := range groups {
			ids = append(ids, g.ID)
		}
		return ids
	})
}

func (a *app) completeNames(most int, names func(context.Context, *client.Client) []string) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		brokers, err := a.brokerList()
		if err != nil || probe(ctx, brokers, completionTimeout) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := client.New(client.Config{Brokers: brokers, RetryTimeout: completionTimeout})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		return names(ctx, c), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFixed offers words.
func completeFixed(words ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag binds a completer to a flag that the command has.
func completeFlag(cmd *cobra.Command, flag string, complete completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic("BUG: " + err.Error())
	}
}
