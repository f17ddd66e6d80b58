package config

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/log/partition"
)

// Setting is one key of the configuration.
type Setting struct {
	Key     string // in the file, with dots where it is nested
	Default string
	Doc     string
	Check   func(text string) error // nil: any text
}

// Env is the environment variable of the setting.
func (s Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Key))
}

// Flag is its command line flag, without dashes.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, ".", "-") }

const (
	// EnvPrefix begins the name of every environment variable that is read.
	EnvPrefix = "MILLRACE_"
	// BrokerSection holds, in the file, values by Kafka's own names: the defaults of topics and groups.
	BrokerSection = "broker"
)

// Settings are all keys, in the order in which they are shown.
func Settings() []Setting {
	return []Setting{
		{"data-dir", "millrace-data", "Directory of the log; made if it is missing.", notEmpty},
		{"node-id", "0", "Id of this node in its cluster.", wholeNumber},
		{"kafka.listen", "127.0.0.1:9092", "Address of the Kafka protocol, host:port.", address},
		{"http.listen", "127.0.0.1:8080", "Address of /metrics and /healthz, host:port.", address},
		{"durability", partition.Fsync.String(), "What an ack means: fsync (on disk) or replicated (in memory of the in-sync replicas; on one node its page cache).", durability},
		{"insecure-listen", "false", "Allow listeners off loopback although there is neither TLS nor authentication.", boolean},
		{"auto-create-topics", "true", "Make a topic when a client asks for one that is not there.", boolean},
		{"default-partitions", "1", "Partitions of a topic that is made without saying how many.", positive},
		{"offsets-partitions", "4", "Partitions of __consumer_offsets, fixed when it is first made.", positive},
		{"initial-rebalance-delay", "0s", "How long a new consumer group waits for more members.", duration},
		{"log.level", "info", "debug, info, warn or error.", level},
		{"log.format", "auto", "text, json, or auto: text on a terminal, json elsewhere.", oneOf("auto", "text", "json")},
	}
}

// Find is the setting with this key.
func Find(key string) (Setting, bool) {
	all := Settings()
	at := slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })
	if at < 0 {
		return Setting{}, false
	}
	return all[at], true
}

func notEmpty(text string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("must not be empty")
	}
	return nil
}

func wholeNumber(text string) error {
	if n, err := strconv.ParseInt(text, 10, 32); err != nil || n < 0 {
		return fmt.Errorf("%q is not a whole number of 0 or more", text)
	}
	return nil
}

func positive(text string) error {
	if n, err := strconv.ParseInt(text, 10, 32); err != nil || n < 1 {
		return fmt.Errorf("%q is not a whole number of 1 or more", text)
	}
	return nil
}

func boolean(text string) error {
	if _, err := strconv.ParseBool(text); err != nil {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

func duration(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration such as 500ms, 3s or 1m30s", text)
	}
	return nil
}

// address accepts host:port, and "" or "off" for no listener.
func address(text string) error {
	if text == "" || text == Off {
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not host:port", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port between 0 and 65535", text)
	}
	return nil
}

// Off as an address opens no listener.
const Off = "off"

func durability(text string) error {
	return oneOf(partition.Fsync.String(), partition.Replicated.String())(text)
}

func level(text string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn, error", text)
	}
	return nil
}

func oneOf(values ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(values, text) {
			return fmt.Errorf("%q is none of %s", text, strings.Join(values, ", "))
		}
		return nil
	}
}
