package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/log/client"
)

// ErrMissingTopics is topics that did not appear in time.
var ErrMissingTopics = errors.New("topics do not exist")

// topicPoll is the pause between two looks for a topic.
const topicPoll = 50 * time.Millisecond

// makePlan waits for the external topics and makes the internal ones.
func makePlan(ctx context.Context, cfg *Config) (*plan, error) {
	n := names{cfg.Program.Graph, cfg.ApplicationID}
	external := n.external()
	for _, h := range []string{cfg.OnDecode.Topic, cfg.OnProcess.Topic, cfg.OnEncode.Topic} {
		if h != "" && !slices.Contains(external, h) {
			external = append(external, h)
		}
	}
	counts, err := waitTopics(ctx, cfg, external)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(cfg.Program.Graph, cfg.ApplicationID, counts)
	if err != nil {
		return nil, err
	}
	return p, makeTopics(ctx, cfg, p.internal)
}

// waitTopics waits until all topics exist and have leaders, and returns their partition counts.
func waitTopics(ctx context.Context, cfg *Config, topics []string) (map[string]int32, error) {
	if len(topics) == 0 {
		return make(map[string]int32), nil
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.TopicTimeout)
	defer cancel()
	var missing []string
	var last error
	said := false
	for {
		counts, absent, err := lookUp(ctx, cfg.Log, topics)
		if err == nil {
			missing = absent
		}
		switch {
		case err == nil && len(missing) == 0:
			return counts, nil
		case err != nil && ctx.Err() == nil:
			last = err
		case !said && err == nil:
			said = true
			cfg.Logger.Info("waiting for topics", "topics", missing)
		}
		select {
		case <-time.After(topicPoll):
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
				return nil, cause
			}
			if missing == nil {
				return nil, fmt.Errorf("cannot look topics up within %v: %w", cfg.TopicTimeout, last)
			}
			return nil, fmt.Errorf("%w after %v: %s", ErrMissingTopics, cfg.TopicTimeout, strings.Join(missing, ", "))
		}
	}
}

// lookUp returns the partition counts of topics and names those that are not there, or not ready.
func lookUp(ctx context.Context, log *client.Client, topics []string) (map[string]int32, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	described, err := log.Admin().Topics(ctx, topics...)
	if err != nil {
		return nil, nil, err
	}
	counts := make(map[string]int32)
	for _, t := range described {
		ready := t.Err == nil && len(t.Partitions) > 0
		for _, part := range t.Partitions {
			ready = ready && part.Leader >= 0
		}
		if ready {
			counts[t.Name] = int32(len(t.Partitions))
		}
	}
	var missing []string
	for _, t := range topics {
		if counts[t] == 0 {
			missing = append(missing, t)
		}
	}
	return counts, missing, nil
}

// makeTopics makes the internal topics that do not exist yet and checks the others. Several instances may do so at once.
func makeTopics(ctx context.Context, cfg *Config, specs []client.TopicSpec) error {
	if len(specs) == 0 {
		return nil
	}
	wanted := make(map[string]client.TopicSpec)
	for _, s := range specs {
		wanted[s.Name] = s
	}
	counts, missing, err := lookUp(ctx, cfg.Log, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return err
	}
	if err := checkCounts(wanted, counts); err != nil {
		return err
	}
	var create []client.TopicSpec
	for _, name := range missing {
		create = append(create, wanted[name])
	}
	reqCtx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	errs, err := cfg.Log.Admin().CreateTopics(reqCtx, create...)
	if err != nil {
		return err
	}
	for i, err := range errs {
		if err != nil && !errors.Is(err, client.ErrTopicExists) {
			return fmt.Errorf("cannot make internal topic with %d partitions: %w", create[i].Partitions, err)
		}
	}
	if counts, err = waitTopics(ctx, cfg, slices.Sorted(maps.Keys(wanted))); err != nil {
		return err
	}
	return checkCounts(wanted, counts)
}

// checkCounts refuses internal topics that another topology, or other inputs, made: their keys lie elsewhere.
func checkCounts(wanted map[string]client.TopicSpec, counts map[string]int32) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if have, want := counts[name], wanted[name].Partitions; have != want {
			errs = append(errs, fmt.Errorf("internal topic %s has %d partitions, the topology needs %d: inputs or topology have changed; "+
				"delete the application's internal topics and its group, or use another application id", name, have, want))
		}
	}
	return errors.Join(errs...)
}
