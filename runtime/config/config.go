package config

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/millrace/millrace/log/partition"
)

// Config is a checked configuration.
type Config struct {
	DataDir               string
	NodeID                int32
	KafkaListen           string // "" without a listener
	HTTPListen            string // "" without a listener
	Durability            partition.Durability
	InsecureListen        bool
	AutoCreateTopics      bool
	DefaultPartitions     int32
	OffsetsPartitions     int32
	InitialRebalanceDelay time.Duration
	LogLevel              slog.Level
	LogFormat             string            // auto, text or json
	Broker                map[string]string // by Kafka's names; not checked here: metadata knows them

	// Values are the texts of all settings with where they came from, in the order of Settings, then those of Broker by name.
	Values []Value
}

// Origin is where a value came from.
type Origin string

// The four sources, the weakest first.
const (
	FromDefault Origin = "default"
	FromFile    Origin = "file"
	FromEnv     Origin = "env"
	FromFlag    Origin = "flag"
)

// Value is one setting as it counts.
type Value struct {
	Key    string
	Text   string
	Origin Origin
	Place  string // file:line:column, the variable or the flag; "" for a default
}

// fill turns checked texts into the typed fields.
func (c *Config) fill() {
	text := make(map[string]string, len(c.Values))
	for _, v := range c.Values {
		text[v.Key] = v.Text
	}
	whole := func(key string) int32 {
		n, _ := strconv.ParseInt(text[key], 10, 32) // checked
		return int32(n)
	}
	yes := func(key string) bool {
		b, _ := strconv.ParseBool(text[key]) // checked
		return b
	}
	listen := func(key string) string {
		if text[key] == Off {
			return ""
		}
		return text[key]
	}
	c.DataDir, c.NodeID = text["data-dir"], whole("node-id")
	c.KafkaListen, c.HTTPListen = listen("kafka.listen"), listen("http.listen")
	c.InsecureListen, c.AutoCreateTopics = yes("insecure-listen"), yes("auto-create-topics")
	c.DefaultPartitions, c.OffsetsPartitions = whole("default-partitions"), whole("offsets-partitions")
	c.InitialRebalanceDelay, _ = time.ParseDuration(text["initial-rebalance-delay"]) // checked
	if text["durability"] == partition.Replicated.String() {
		c.Durability = partition.Replicated
	}
	_ = c.LogLevel.UnmarshalText([]byte(text["log.level"])) // checked
	c.LogFormat = text["log.format"]
}
