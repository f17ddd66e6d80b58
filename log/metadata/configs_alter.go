package metadata

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// Limits of one AlterConfigs.
const (
	MaxConfigChangesPerRequest = 1000
	maxConfigOps               = 200 // of one resource
)

// ConfigChange is what is to happen to the configuration of one topic or broker.
type ConfigChange struct {
	Resource Resource
	Replace  bool // what was set before and is not set here is forgotten (Kafka's AlterConfigs, as opposed to the incremental one)
	Ops      []ConfigOp
}

// AlterConfigs changes configurations, each or not for itself, and returns one error per change, in their order: ErrUnknownTopic,
// ErrUnknownResource, ErrInvalidRequest, *ConfigError. When it returns, the subscribers of this node have seen the changes. With validateOnly
// nothing is changed.
func (q *Quorum) AlterConfigs(ctx context.Context, changes []ConfigChange, validateOnly bool) []error {
	errs := make([]error, len(changes))
	if len(changes) > MaxConfigChangesPerRequest {
		for i := range errs {
			errs[i] = fmt.Errorf("%w: %d resources in one request, %d are allowed", ErrPolicyViolation, len(changes), MaxConfigChangesPerRequest)
		}
		return errs
	}
	image := q.Image()
	command := &alterConfigs{}
	var asked []int // the change of each alteration of the command
	for i, change := range changes {
		twice := slices.ContainsFunc(changes[:i], func(c ConfigChange) bool { return c.Resource == change.Resource })
		a, err := q.alteration(image, change)
		switch {
		case twice:
			errs[i] = fmt.Errorf("%w: %q is in the request twice", ErrInvalidRequest, change.Resource.Name)
		case err != nil:
			errs[i] = err
		default:
			command.alterations = append(command.alterations, a)
			asked = append(asked, i)
		}
	}
	if validateOnly || len(asked) == 0 {
		return errs
	}
	result, err := q.propose(ctx, command)
	for k, i := range asked {
		if err != nil {
			errs[i] = err
		} else {
			errs[i] = result.([]error)[k]
		}
	}
	return errs
}

// alteration checks a change against the image: every operation, and what would come of them.
func (q *Quorum) alteration(image *Image, change ConfigChange) (alteration, error) {
	a := alteration{resource: change.Resource, replace: change.Replace}
	if len(change.Ops) > maxConfigOps {
		return a, fmt.Errorf("%w: %d keys of one resource, %d are allowed", ErrPolicyViolation, len(change.Ops), maxConfigOps)
	}
	var definitions []Definition
	switch change.Resource.Type {
	case TopicResource:
		t, ok := image.Topic(change.Resource.Name)
		if !ok {
			return a, fmt.Errorf("%w: %q", ErrUnknownTopic, change.Resource.Name)
		}
		a.topic, a.resource.Name = t.ID, ""
		definitions = TopicDefinitions()
	case BrokerResource:
		if err := checkBrokerName(image, change.Resource.Name); err != nil {
			return a, err
		}
		definitions = NodeDefinitions()
	default:
		return a, fmt.Errorf("%w: type %d", ErrUnknownResource, change.Resource.Type)
	}
	for i, op := range change.Ops {
		if slices.ContainsFunc(change.Ops[:i], func(o ConfigOp) bool { return o.Key == op.Key }) {
			return a, fmt.Errorf("%w: key %q is changed twice", ErrInvalidRequest, op.Key)
		}
		checked, err := q.operation(image, change.Resource, definitions, op)
		if err != nil {
			return a, err
		}
		a.ops = append(a.ops, checked)
	}
	return a, checkConfig(definitions, alter(image.Config(change.Resource), change.Replace, a.ops))
}

// operation checks one.
func (q *Quorum) operation(image *Image, r Resource, definitions []Definition, op ConfigOp) (configOp, error) {
	d, ok := find(definitions, op.Key)
	switch {
	case !ok:
		return configOp{}, &ConfigError{Key: op.Key, Reason: "there is no such key"}
	case d.ReadOnly:
		return configOp{}, &ConfigError{Key: op.Key, Reason: "it can only be set in the node's configuration file"}
	case op.Op < Set || op.Op > Subtract:
		return configOp{}, fmt.Errorf("%w: operation %d on key %q", ErrInvalidRequest, op.Op, op.Key)
	case (op.Op == Append || op.Op == Subtract) && d.Type != List:
		return configOp{}, &ConfigError{Key: op.Key, Reason: "it is not a list: it cannot be appended to or subtracted from"}
	case op.Op == Delete:
		op.Value = ""
	case op.Op == Set:
		return configOp{ConfigOp: op}, d.Check(op.Value)
	}
	checked := configOp{ConfigOp: op}
	if base := q.values(image, r, d)[0].Value; base != nil && op.Op != Delete {
		checked.base = *base
	}
	return checked, nil
}

// checkBrokerName: empty, for all brokers, or the id of a registered one.
func checkBrokerName(image *Image, name string) error {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if _, ok := image.Broker(int32(id)); err != nil || !ok || strconv.FormatInt(id, 10) != name {
		return fmt.Errorf("%w: no broker %q is registered", ErrUnknownResource, name)
	}
	return nil
}
