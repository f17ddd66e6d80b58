package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/partition"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func TestNearerSourceCounts(t *testing.T) {
	file := write(t, "kafka:\n  listen: 127.0.0.1:1\nhttp:\n  listen: 127.0.0.1:2\ndata-dir: from-file\n")
	c, err := Load(Sources{
		File:  file,
		Env:   env(map[string]string{"MILLRACE_KAFKA_LISTEN": "127.0.0.1:3", "MILLRACE_HTTP_LISTEN": "127.0.0.1:4"}),
		Flags: map[string]string{"kafka-listen": "127.0.0.1:5"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.KafkaListen != "127.0.0.1:5" || c.HTTPListen != "127.0.0.1:4" || c.DataDir != "from-file" || c.Durability != partition.Fsync {
		t.Errorf("got %+v", c)
	}
	want := map[string]Origin{"kafka.listen": FromFlag, "http.listen": FromEnv, "data-dir": FromFile, "durability": FromDefault}
	for _, v := range c.Values {
		if o, ok := want[v.Key]; ok && v.Origin != o {
			t.Errorf("%s comes from %s (%s), want %s", v.Key, v.Origin, v.Place, o)
		}
		if v.Key == "data-dir" && v.Place != file+":5:11" {
			t.Errorf("data-dir stands at %s", v.Place)
		}
	}
}

func TestEveryMistakeAtOnceWithItsPlace(t *testing.T) {
	file := write(t, "kafka:\n  lisen: 127.0.0.1:1\ndurability: maybe\nnode-id: [1]\ndata-dir: a\ndata-dir: b\n")
	_, err := Load(Sources{File: file, Env: env(map[string]string{"MILLRACE_LOG_LEVEL": "loud"}), Flags: map[string]string{"http-listen": "nowhere"}})
	if err == nil {
		t.Fatal("no error")
	}
	var p *Problem
	if !errors.As(err, &p) {
		t.Errorf("%T holds no Problem", err)
	}
	for _, want := range []string{
		file + `:2:3: kafka.lisen: there is no such setting; did you mean "kafka.listen"?`,
		file + `:3:13: durability: "maybe" is none of fsync, replicated`,
		file + ":4:10: node-id: expected a single value",
		"data-dir", "MILLRACE_LOG_LEVEL: log.level", "--http-listen: http.listen",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
}

func TestBrokerSectionKeepsKafkaNames(t *testing.T) {
	c, err := Load(Sources{File: write(t, "broker:\n  log.retention.ms: 1000\n  num.partitions: 3\n")})
	if err != nil {
		t.Fatal(err)
	}
	if c.Broker["log.retention.ms"] != "1000" || c.Broker["num.partitions"] != "3" {
		t.Errorf("got %v", c.Broker)
	}
}

func TestMissingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Load(Sources{}); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if _, err := Load(Sources{File: "named.yaml"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a named file that is missing: %v", err)
	}
}
