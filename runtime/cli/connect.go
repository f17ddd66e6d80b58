package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

const (
	// brokersVariable names the environment variable behind --brokers.
	brokersVariable = "MILLRACE_BROKERS"
	defaultBrokers  = "127.0.0.1:9092"
	defaultPort     = "9092"
	// probeTimeout bounds the first dial of each broker: a command says at once that nobody is there.
	probeTimeout = 3 * time.Second
	// requestTimeout bounds the retries of one request.
	requestTimeout = 10 * time.Second

	hintNoNode    = "is a node running? Start one with: millrace start"
	hintNotKafka  = "the broker does not answer as a Kafka broker does: is --brokers the Kafka port?"
	hintTopicList = "millrace topic list names those there are"
)

// brokersFlag adds --brokers to a command and those below it.
func (a *app) brokersFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringSliceVar(&a.brokers, "brokers", nil, "host:port of brokers, separated by commas ("+brokersVariable+"; default "+defaultBrokers+")")
}

// brokerList is --brokers, else the environment, else the default.
func (a *app) brokerList() ([]string, error) {
	list := a.brokers
	if len(list) == 0 {
		if text, ok := a.env.LookupEnv(brokersVariable); ok && text != "" {
			list = strings.Split(text, ",")
		} else {
			list = []string{defaultBrokers}
		}
	}
	var out []string
	for _, addr := range list {
		addr = strings.TrimSpace(addr)
		if _, port, err := net.SplitHostPort(addr); err != nil || strings.Contains(port, "/") {
			if withPort := net.JoinHostPort(strings.Trim(addr, "[]"), defaultPort); addr != "" && !strings.Contains(addr, "/") {
				addr = withPort
			} else {
				return nil, usageError("--brokers is a list of host:port, not %q", addr)
			}
		}
		out = append(out, addr)
	}
	return out, nil
}

// connect returns a client of the brokers, one of which answers. The caller closes it.
func (a *app) connect(ctx context.Context) (*client.Client, error) {
	brokers, err := a.brokerList()
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, brokers, probeTimeout); err != nil {
		return nil, err
	}
	return client.New(client.Config{Brokers: brokers, ClientID: "millrace-cli", RetryTimeout: requestTimeout})
}

// probe dials until one of the brokers accepts.
func probe(ctx context.Context, brokers []string, timeout time.Duration) error {
	dialer := net.Dialer{Timeout: timeout}
	var failures []error
	for _, addr := range brokers {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failures = append(failures, fmt.Errorf("cannot reach a broker at %s: %w", addr, plainDialError(err)))
	}
	return environmentError(errors.Join(failures...), hintNoNode)
}

// plainDialError drops the address, which is said already.
func plainDialError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// withClient runs work with a connected client until it returns or the user interrupts, and classes its error.
func (a *app) withClient(cmd *cobra.Command, work func(context.Context, *client.Client) error) error {
	ctx, stop := a.env.Interrupts(cmd.Context())
	defer stop()
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return classify(work(ctx, c))
}

// classify gives errors of the log their exit code and a hint, unless they have them.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, io.EOF) {
		return environmentError(err, hintNotKafka)
	}
	switch {
	case errors.Is(err, client.ErrInvalidConfig), errors.Is(err, client.ErrInvalidTopic), errors.Is(err, client.ErrInvalidPartitions):
		return &Error{Code: ExitUsage, Err: err}
	case errors.Is(err, client.ErrNotAuthorized):
		return environmentError(err, "")
	case errors.Is(err, client.ErrTimeout):
		return environmentError(err, "the broker did not answer in time")
	}
	return err
}

// findTopics describes topics; a name that is not known is an error with what it may have meant.
func findTopics(ctx context.Context, c *client.Client, names ...string) ([]client.Topic, error) {
	for _, name := range names {
		if name == "" {
			return nil, usageError("a topic needs a name")
		}
	}
	topics, err := c.Admin().Topics(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		switch {
		case t.Err == nil:
		case errors.Is(t.Err, client.ErrUnknownTopic):
			return nil, unknownTopic(ctx, c, t.Name)
		default:
			return nil, t.Err
		}
	}
	return topics, nil
}

// matchTopics returns the topics whose whole name a regular expression matches; internal ones never do.
func matchTopics(ctx context.Context, c *client.Client, patterns []string) ([]client.Topic, error) {
	var compiled []*regexp.Regexp
	for _, p := range patterns {
		re, err := regexp.Compile("^(?:" + p + ")$")
		if err != nil {
			return nil, usageError("cannot read the regular expression %q: %w", p, err)
		}
		compiled = append(compiled, re)
	}
	all, err := c.Admin().Topics(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t client.Topic) bool {
		return t.Internal || !slices.ContainsFunc(compiled, func(re *regexp.Regexp) bool { return re.MatchString(t.Name) })
	}), nil
}

func unknownTopic(ctx context.Context, c *client.Client, name string) error {
	e := &Error{Code: ExitRuntime, Err: fmt.Errorf("unknown topic %q", name), Hint: hintTopicList}
	all, err := c.Admin().Topics(ctx)
	if err != nil {
		return e
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	switch near := nearest(name, names); {
	case len(near) > 0:
		e.Hint = "did you mean: " + strings.Join(near, ", ") + "?"
	case len(names) == 0:
		e.Hint = "there are no topics yet: millrace topic create " + name
	}
	return e
}

// unknownGroup is the error for a group that is not there.
func unknownGroup(ctx context.Context, c *client.Client, id string) error {
	e := &Error{Code: ExitRuntime, Err: fmt.Errorf("unknown group %q", id), Hint: "millrace group list names those there are"}
	groups, err := c.Admin().ListGroups(ctx)
	if err != nil {
		return e
	}
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	if near := nearest(id, ids); len(near) > 0 {
		e.Hint = "did you mean: " + strings.Join(near, ", ") + "?"
	}
	return e
}
