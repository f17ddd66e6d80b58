package client

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ConfigEntry is one config of a topic or broker.
type ConfigEntry struct {
	Name      string
	Value     string
	Null      bool // there is no value, or it is Sensitive and not shown
	Sensitive bool
	Default   bool   // nobody has set it
	Source    string // Kafka's name for where it comes from, as DYNAMIC_TOPIC_CONFIG
}

// TopicConfigs returns every config of a topic, by name.
func (a *Admin) TopicConfigs(ctx context.Context, topic string) ([]ConfigEntry, error) {
	rs, err := a.adm.DescribeTopicConfigs(ctx, topic)
	return configEntries("topic", topic, rs, err)
}

// BrokerConfigs returns every config of a broker, by name.
func (a *Admin) BrokerConfigs(ctx context.Context, broker int32) ([]ConfigEntry, error) {
	rs, err := a.adm.DescribeBrokerConfigs(ctx, broker)
	return configEntries("broker", strconv.Itoa(int(broker)), rs, err)
}

func configEntries(kind, name string, rs kadm.ResourceConfigs, err error) ([]ConfigEntry, error) {
	if err == nil {
		var r kadm.ResourceConfig
		if r, err = rs.On(name, nil); err == nil {
			if err = r.Err; err == nil {
				return convertConfigs(r.Configs), nil
			}
			err = translateDetail(err, r.ErrMessage)
		}
	}
	return nil, fmt.Errorf("cannot describe configs of %s %q: %w", kind, name, translate(err))
}

func convertConfigs(configs []kadm.Config) []ConfigEntry {
	entries := make([]ConfigEntry, 0, len(configs))
	for _, c := range configs {
		e := ConfigEntry{Name: c.Key, Null: c.Value == nil, Sensitive: c.Sensitive, Source: c.Source.String()}
		if c.Value != nil {
			e.Value = *c.Value
		}
		e.Default = e.Source == "DEFAULT_CONFIG"
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b ConfigEntry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

// ConfigOp is what to do to a config (KIP-339).
type ConfigOp int8

// The operations. Append and Subtract are for configs that are lists.
const (
	ConfigSet ConfigOp = iota
	ConfigDelete
	ConfigAppend
	ConfigSubtract
)

// ConfigChange changes one config.
type ConfigChange struct {
	Op    ConfigOp
	Name  string
	Value string // not for ConfigDelete
}

// AlterTopicConfigs changes some configs of a topic: all of them or, on ErrInvalidConfig or ErrUnknownTopic, none.
func (a *Admin) AlterTopicConfigs(ctx context.Context, topic string, changes ...ConfigChange) error {
	rs, err := a.adm.AlterTopicConfigs(ctx, alterations(changes), topic)
	return alterError("topic", topic, rs, err)
}

// AlterBrokerConfigs changes some configs of a broker.
func (a *Admin) AlterBrokerConfigs(ctx context.Context, broker int32, changes ...ConfigChange) error {
	rs, err := a.adm.AlterBrokerConfigs(ctx, alterations(changes), broker)
	return alterError("broker", strconv.Itoa(int(broker)), rs, err)
}

func alterations(changes []ConfigChange) []kadm.AlterConfig {
	ops := map[ConfigOp]kadm.IncrementalOp{
		ConfigSet: kadm.SetConfig, ConfigDelete: kadm.DeleteConfig, ConfigAppend: kadm.AppendConfig, ConfigSubtract: kadm.SubtractConfig,
	}
	var out []kadm.AlterConfig
	for _, c := range changes {
		alter := kadm.AlterConfig{Op: ops[c.Op], Name: c.Name}
		if c.Op != ConfigDelete {
			alter.Value = kadm.StringPtr(c.Value)
		}
		out = append(out, alter)
	}
	return out
}

func alterError(kind, name string, rs kadm.AlterConfigsResponses, err error) error {
	if err == nil {
		var r kadm.AlterConfigsResponse
		if r, err = rs.On(name, nil); err == nil {
			err = translateDetail(r.Err, r.ErrMessage)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot alter configs of %s %q: %w", kind, name, translate(err))
	}
	return nil
}
