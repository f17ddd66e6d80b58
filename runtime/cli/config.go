package cli

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/millrace/millrace/runtime/config"
)

// settingFlags adds a flag for each of the settings (all of them without keys) to a command.
func settingFlags(cmd *cobra.Command, keys ...string) {
	add := func(s config.Setting) {
		doc := s.Doc + " (" + s.Env() + "; default " + s.Default + ")"
		cmd.Flags().String(s.Flag(), "", doc)
		cmd.Flags().Lookup(s.Flag()).DefValue = ""
		if s.Default == "true" || s.Default == "false" {
			cmd.Flags().Lookup(s.Flag()).NoOptDefVal = "true"
		}
	}
	if len(keys) == 0 {
		for _, s := range config.Settings() {
			add(s)
		}
	}
	for _, key := range keys {
		s, ok := config.Find(key)
		if !ok {
			panic("BUG: no setting " + key)
		}
		add(s)
	}
}

// loadConfig merges flags, environment, file and defaults for a command.
func (a *app) loadConfig(cmd *cobra.Command) (*config.Config, error) {
	given := make(map[string]string)
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	c, err := config.Load(config.Sources{File: a.configFile, Env: a.env.LookupEnv, Flags: given})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Code: ExitUsage, Err: err, Hint: "--config names the file; without it, millrace.yaml is read if it is there"}
	}
	if err != nil {
		return nil, &Error{Code: ExitUsage, Err: err, Hint: cmd.CommandPath() + " --help lists the settings"}
	}
	return c, nil
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show the configuration", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var origin bool
	show := &cobra.Command{
		Use: "show", Short: "Print every setting as it counts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig(cmd)
			if err != nil {
				return err
			}
			return a.showConfig(c, origin)
		},
	}
	show.Flags().BoolVar(&origin, "origin", false, "also where each value comes from")
	settingFlags(show)
	cmd.AddCommand(show)
	return cmd
}

func (a *app) showConfig(c *config.Config, origin bool) error {
	type row struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
		Place  string `json:"place,omitempty"`
	}
	var all []row
	var rows [][]string
	header := []string{"KEY", "VALUE"}
	if origin {
		header = append(header, "ORIGIN", "PLACE")
	}
	for _, v := range c.Values {
		all = append(all, row{v.Key, v.Text, string(v.Origin), v.Place})
		line := []string{v.Key, v.Text}
		if origin {
			line = append(line, string(v.Origin), v.Place)
		}
		rows = append(rows, line)
	}
	return a.table(all, header, rows)
}
