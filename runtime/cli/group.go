package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

func (a *app) groupCommand() *cobra.Command {
	cmd := parent("group", "List, describe and delete consumer groups, and show their lag",
		a.groupListCommand(), a.groupDescribeCommand(), a.groupLagCommand(), a.groupDeleteCommand())
	a.brokersFlag(cmd)
	return cmd
}

func (a *app) groupListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List groups", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.withClient(cmd, a.listGroups) },
	}
}

type listedGroup struct {
	ID          string `json:"group"`
	State       string `json:"state"`
	Type        string `json:"protocol_type"`
	Coordinator int32  `json:"coordinator"`
}

func (a *app) listGroups(ctx context.Context, c *client.Client) error {
	groups, err := c.Admin().ListGroups(ctx)
	if err != nil {
		return err
	}
	list, rows := []listedGroup{}, [][]string{}
	for _, g := range groups {
		list = append(list, listedGroup{g.ID, g.State, g.ProtocolType, g.Coordinator})
		rows = append(rows, []string{g.ID, g.State, orDash(g.ProtocolType), fmt.Sprint(g.Coordinator)})
	}
	if len(list) == 0 && a.output == outputTable {
		a.note("no groups: millrace consume TOPIC --group NAME makes one")
		return nil
	}
	return a.table(list, []string{"GROUP", "STATE", "TYPE", "COORDINATOR"}, rows)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (a *app) groupDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "describe GROUP", Short: "Describe a group: state, members, lag", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeGroups(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error { return a.describeGroup(ctx, c, args[0]) })
		},
	}
}

type describedGroup struct {
	ID          string         `json:"group"`
	State       string         `json:"state"`
	Type        string         `json:"protocol_type"`
	Balancer    string         `json:"balancer"`
	Coordinator int32          `json:"coordinator"`
	Members     []groupMember  `json:"members"`
	Lag         []partitionLag `json:"partitions"`
}

type groupMember struct {
	ID         string   `json:"member"`
	InstanceID string   `json:"instance,omitempty"`
	ClientID   string   `json:"client"`
	Host       string   `json:"host"`
	Topics     []string `json:"topics"`
	Assigned   []string `json:"assigned"`
}

// findGroup describes a group that is there. Logs differ in how they say that one is not.
func findGroup(ctx context.Context, c *client.Client, id string) (client.GroupDescription, error) {
	g, err := c.Admin().DescribeGroup(ctx, id)
	if errors.Is(err, client.ErrUnknownGroup) || err == nil && g.State == "Dead" {
		return g, unknownGroup(ctx, c, id)
	}
	return g, err
}

func (a *app) describeGroup(ctx context.Context, c *client.Client, id string) error {
	g, err := findGroup(ctx, c, id)
	if err != nil {
		return err
	}
	lag, err := findLag(ctx, c, id)
	if err != nil {
		return err
	}
	d := describedGroup{ID: g.ID, State: g.State, Type: g.ProtocolType, Balancer: g.Protocol, Coordinator: g.Coordinator, Members: []groupMember{}, Lag: lag}
	var rows [][]string
	for _, m := range g.Members {
		member := groupMember{ID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, Host: m.Host, Topics: append([]string{}, m.Topics...), Assigned: []string{}}
		for _, tp := range m.Assigned {
			member.Assigned = append(member.Assigned, tp.String())
		}
		d.Members = append(d.Members, member)
		rows = append(rows, []string{m.ID, orDash(m.InstanceID), m.ClientID, m.Host, orDash(strings.Join(member.Assigned, " "))})
	}
	if a.output == outputJSON {
		return a.json(d)
	}
	fmt.Fprintf(a.env.Stdout, "%s  %s  balancer %s  coordinator %d  %s\n", visible(d.ID), d.State, orDash(visible(d.Balancer)), d.Coordinator, plural(len(d.Members), "member"))
	if len(rows) > 0 {
		fmt.Fprintln(a.env.Stdout)
		if err := a.grid([]string{"MEMBER", "INSTANCE", "CLIENT", "HOST", "ASSIGNED"}, rows); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.env.Stdout)
	return a.printLag(lag)
}

func (a *app) groupDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete GROUP…", Short: "Delete groups and their offsets", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeGroups(0),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error { return a.deleteGroups(ctx, c, ids, yes) })
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) deleteGroups(ctx context.Context, c *client.Client, ids []string, yes bool) error {
	if len(ids) > 1 {
		effect := fmt.Sprintf("this deletes %s and their offsets: %s", plural(len(ids), "group"), strings.Join(ids, ", "))
		if err := a.confirm(yes, effect, fmt.Sprint(len(ids))); err != nil {
			return err
		}
	}
	errs, err := c.Admin().DeleteGroups(ctx, ids...)
	if err != nil {
		return err
	}
	var gone []string
	var failed []error
	for i, err := range errs {
		switch {
		case err == nil:
			gone = append(gone, ids[i])
		case errors.Is(err, client.ErrUnknownGroup):
			failed = append(failed, unknownGroup(ctx, c, ids[i]))
		case errors.Is(err, client.ErrGroupNotEmpty):
			failed = append(failed, &Error{Code: ExitRuntime, Err: err, Hint: "stop its members first; millrace group describe names them"})
		default:
			failed = append(failed, err)
		}
	}
	if len(gone) > 0 {
		err = a.done(map[string]any{"deleted": gone}, "deleted %s", visible(strings.Join(gone, ", ")))
	}
	return errors.Join(errors.Join(failed...), err)
}
