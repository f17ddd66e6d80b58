package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// app is what every command shares.
type app struct {
	env Env
	// global flags
	configFile string
	output     string
	quiet      bool
	brokers    []string

	// what --output json prints when the command has ended
	command, summary string
	result           any
	hasResult        bool
	streaming        bool // the command prints records, not one result
}

// Main runs the command line and returns the exit code.
func Main(args []string, env Env) int {
	a := &app{env: env, command: "millrace"}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(context.Background())
	if exitCode(err) == ExitOK {
		err = a.printEnvelope(nil)
	} else {
		err = errors.Join(err, a.printEnvelope(err))
	}
	if err != nil {
		a.report(err)
	}
	return exitCode(err)
}

// report prints an error as one sentence, or one line each where several were joined, and the hint.
func (a *app) report(err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(a.env.Stderr, "error: %s\n", line)
	}
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		fmt.Fprintf(a.env.Stderr, "hint: %s\n", e.Hint)
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "millrace",
		Short:         "A Kafka-compatible log and streams in one binary",
		Long:          "Millrace is a log that every Kafka client can use, with stateful stream processing in Go, in one binary.\n\nStart with:  millrace demo",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &Error{Code: ExitUsage, Err: err, Hint: fmt.Sprintf("%s --help lists the flags", cmd.CommandPath())}
	})
	root.PersistentFlags().StringVarP(&a.configFile, "config", "c", "", "configuration file (default millrace.yaml, if it is there)")
	root.PersistentFlags().StringVar(&a.output, "output", outputTable, "how results are printed: table or json")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress on standard error")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if a.output != outputTable && a.output != outputJSON {
			return usageError("--output is table or json, not %q", a.output)
		}
		a.command = cmd.CommandPath()
		return nil
	}
	root.AddCommand(a.commands()...)
	root.AddCommand(exitCodesTopic())
	usageOnWrongArguments(root)
	return root
}

// commands are the top level, in the order of help.
func (a *app) commands() []*cobra.Command {
	produce, consume := a.produceCommand(), a.consumeCommand()
	a.brokersFlag(produce)
	a.brokersFlag(consume)
	return []*cobra.Command{
		a.demoCommand(), a.startCommand(), a.topicCommand(), a.groupCommand(), produce, consume,
		a.benchCommand(), a.debugCommand(), a.configCommand(), a.versionCommand(),
	}
}

// usageOnWrongArguments makes a wrong number of arguments, and an unknown command, a usage error.
func usageOnWrongArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &Error{Code: ExitUsage, Err: err, Hint: hintFor(cmd, args)}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageOnWrongArguments(sub)
	}
}

// hintFor is what somebody may have meant who gave a command the wrong arguments: a name near to it, or the words the other way round, as other
// tools have them.
func hintFor(cmd *cobra.Command, args []string) string {
	if len(args) > 1 && cmd.HasSubCommands() {
		noun := strings.TrimSuffix(args[1], "s")
		if found, rest, err := cmd.Find([]string{noun, args[0]}); err == nil && len(rest) == 0 && found != cmd {
			return "did you mean: " + found.CommandPath() + "?"
		}
	}
	if len(args) > 0 && cmd.HasSubCommands() {
		var names, near []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		for _, name := range nearest(args[0], names) {
			near = append(near, cmd.CommandPath()+" "+name)
		}
		if len(near) > 0 {
			return "did you mean: " + strings.Join(near, ", ") + "?"
		}
	}
	if cmd.HasSubCommands() {
		return cmd.CommandPath() + " --help lists the commands"
	}
	return "usage: " + cmd.UseLine()
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `exit codes:
    0  ok
    1  something failed while it ran
    2  wrong flags, arguments or configuration: nothing was started
    3  the world is not as needed: broker unreachable, port taken, directory locked
    4  what was asserted does not hold
  130  a second interrupt cut the clean stop short`,
	}
}
