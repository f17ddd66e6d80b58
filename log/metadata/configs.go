package metadata

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ConfigType is how a value is written; the values are Kafka's.
type ConfigType int8

const (
	Boolean ConfigType = 1
	String  ConfigType = 2
	Int     ConfigType = 3
	Long    ConfigType = 5
	Double  ConfigType = 6
	List    ConfigType = 7
)

// maxConfigValue bounds the text of one value in bytes.
const maxConfigValue = 4096

// Definition describes one key: DescribeConfigs, validation and TopicConfig derive from it.
type Definition struct {
	Name     string
	Type     ConfigType
	Default  string
	NoValue  bool     // there is no default: the key is null until it is set
	Min, Max int64    // inclusive bounds of Int and Long; both 0: those of the type. Doubles here are all within [0, 1]
	Valid    []string // what a String, or each element of a List, may be; none: anything
	Unserved string   // why no value other than the default is served; empty: all are
	ReadOnly bool     // can be set in the node's configuration file only
	Doc      string
	Synonyms []Synonym // of a topic key: what a node calls it, the most specific first
}

// Synonym is a node's key whose value, times Factor, is the default of a topic's key.
type Synonym struct {
	Name   string
	Factor int64 // 1, or what converts minutes and hours to milliseconds
}

// find is the definition of a key.
func find(definitions []Definition, key string) (*Definition, bool) {
	at := slices.IndexFunc(definitions, func(d Definition) bool { return d.Name == key })
	if at < 0 {
		return nil, false
	}
	return &definitions[at], true
}

// Check says whether value is one for this key; the error is a *ConfigError.
func (d *Definition) Check(value string) error {
	reason := d.refuse(strings.TrimSpace(value))
	if reason == "" && len(value) > maxConfigValue {
		reason = fmt.Sprintf("the value is longer than %d bytes", maxConfigValue)
	}
	if reason == "" && d.Unserved != "" && strings.TrimSpace(value) != d.Default {
		reason = fmt.Sprintf("%q is not served: %s", strings.TrimSpace(value), d.Unserved)
	}
	if reason != "" {
		return &ConfigError{Key: d.Name, Reason: reason}
	}
	return nil
}

// refuse is why value is not of the type or out of bounds, empty if it is neither.
func (d *Definition) refuse(value string) string {
	switch d.Type {
	case Boolean:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return fmt.Sprintf("%q is neither true nor false", value)
		}
	case Int, Long:
		n, err := strconv.ParseInt(value, 10, 64)
		low, high := d.bounds()
		if err != nil {
			return fmt.Sprintf("%q is not a whole number", value)
		}
		if n < low || n > high {
			return fmt.Sprintf("%d is not between %d and %d", n, low, high)
		}
	case Double:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return fmt.Sprintf("%q is not a number between 0 and 1", value)
		}
	case String:
		if len(d.Valid) > 0 && !slices.Contains(d.Valid, value) {
			return fmt.Sprintf("%q is none of %s", value, strings.Join(d.Valid, ", "))
		}
	case List:
		elements := splitList(value)
		if len(elements) == 0 && len(d.Valid) > 0 {
			return "the list is empty"
		}
		for _, e := range elements {
			if len(d.Valid) > 0 && !slices.Contains(d.Valid, e) {
				return fmt.Sprintf("%q is none of %s", e, strings.Join(d.Valid, ", "))
			}
		}
	}
	return ""
}

func (d *Definition) bounds() (low, high int64) {
	switch {
	case d.Min != 0 || d.Max != 0:
		return d.Min, d.Max
	case d.Type == Int:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// CheckTopicConfig validates what is to be set on a topic: every key by itself, and those that must fit together. The error is a *ConfigError.
func CheckTopicConfig(config map[string]string) error {
	if len(config) == 0 {
		return nil
	}
	return checkConfig(TopicDefinitions(), config)
}

func checkConfig(definitions []Definition, config map[string]string) error {
	for _, key := range sortedKeys(config) {
		d, ok := find(definitions, key)
		if !ok {
			return &ConfigError{Key: key, Reason: "there is no such key"}
		}
		if err := d.Check(config[key]); err != nil {
			return err
		}
	}
	low, lowSet := config["min.compaction.lag.ms"]
	high, highSet := config["max.compaction.lag.ms"]
	if lowSet && highSet && number(low) > number(high) {
		return &ConfigError{Key: "min.compaction.lag.ms", Reason: "it is larger than max.compaction.lag.ms"}
	}
	return nil
}

// checkStatic validates one value of the node's configuration file.
func checkStatic(key, value string) error {
	d, ok := find(NodeDefinitions(), key)
	if !ok {
		return &ConfigError{Key: key, Reason: "there is no such key"}
	}
	return d.Check(value)
}

// number reads a value that Check let through.
func number(value string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	return n
}
