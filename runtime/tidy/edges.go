package tidy

// Module is the path of this module; our packages are named below it.
const Module = "github.com/millrace/millrace"

// everything may be imported by packages that put the product together.
const everything = "*"

// Edges are the imports between our packages: each package, and what it may import of ours (test files may import more: see testEdges). A
// package that is not listed may not exist; a listed edge that is not used is no error.
func Edges() map[string][]string {
	return map[string][]string{
		"log/record":      {},
		"log/disk":        {},
		"log/segment":     {"log/record", "log/disk"},
		"log/partition":   {"log/segment", "log/record", "log/disk"},
		"log/replica":     {"log/partition", "log/record"},
		"log/metadata":    {"log/record", "log/disk"},
		"log/coordinator": {"log/record"},
		"log/group":       {"log/record", "log/coordinator"},
		"log/wire":        {},
		"log/broker":      {"log/record", "log/disk", "log/partition", "log/replica", "log/metadata", "log/coordinator", "log/group", "log/wire"},
		"log/client":      {},

		"log/client/clienttest": {"log/client"},

		"streams/serde":           {},
		"streams/state":           {},
		"streams/state/statetest": {"streams/state"},
		"streams/topology":        {"streams/state"},
		"streams/internal/engine": {"streams/topology", "streams/state", "streams/serde"},
		"streams/internal/worker": {"streams/internal/engine", "streams/topology", "streams/state", "log/client"},
		"streams":                 {"streams/topology", "streams/state", "streams/serde", "streams/internal/engine", "streams/internal/worker", "log/client"},
		"streams/streamstest":     {"streams", "streams/serde", "streams/state", "streams/topology", "streams/internal/engine"},

		"streams/compare": {"streams", "streams/serde", "log/client"},

		"runtime/config":       {"log/partition"},
		"runtime/node":         {everything},
		"runtime/api":          {},
		"runtime/nodetest":     {"runtime/node", "runtime/config", "log/client", "log/partition"},
		"runtime/check":        {"log/client"},
		"runtime/cli":          {everything},
		"runtime/cmd/millrace": {"runtime/cli"},
		"runtime/tidy":         {},
		"runtime/clients":      {"runtime/nodetest"},
		"runtime/chaos":        {everything},
		"runtime/testreport":   {},
		"runtime/mutants":      {},
	}
}

// ExampleEdges is what each package below examples/ may import.
func ExampleEdges() []string {
	return []string{"streams", "streams/serde", "streams/streamstest", "log/client", "runtime/node", "runtime/nodetest"}
}

// Owners names the packages that may import each third-party module, in code that ships. One module, one package; kmsg and kerr are the
// protocol's vocabulary and belong to those that speak it.
func Owners() map[string][]string {
	return map[string][]string{
		"github.com/twmb/franz-go/pkg/kgo":        {"log/client"},
		"github.com/twmb/franz-go/pkg/kadm":       {"log/client"},
		"github.com/twmb/franz-go/pkg/kbin":       {"log/wire"},
		"github.com/twmb/franz-go/pkg/kmsg":       {"log/wire", "log/broker", "log/group", "log/coordinator", "log/client"},
		"github.com/twmb/franz-go/pkg/kerr":       {"log/broker", "log/group", "log/coordinator", "log/client"},
		"github.com/twmb/franz-go/pkg/kversion":   {"log/client"},
		"github.com/hashicorp/raft":               {"log/metadata"},
		"github.com/hashicorp/raft-boltdb/v2":     {"log/metadata"},
		"github.com/hashicorp/go-hclog":           {"log/metadata"},
		"github.com/klauspost/compress":           {"log/record"},
		"github.com/pierrec/lz4/v4":               {"log/record"},
		"golang.org/x/sys":                        {"log/disk", "log/wire", "runtime/node", "runtime/cli"},
		"golang.org/x/term":                       {"runtime/cli"},
		"github.com/spf13/cobra":                  {"runtime/cli"},
		"github.com/spf13/pflag":                  {"runtime/cli"},
		"github.com/prometheus/client_golang":     {"runtime/node"},
		"github.com/HdrHistogram/hdrhistogram-go": {"runtime/cli"},
		"github.com/guptarohit/asciigraph":        {"runtime/cli"},
		"github.com/brianvoe/gofakeit/v7":         {"examples/payments/shop"},
		"go.yaml.in/yaml/v4":                      {"runtime/config"},
	}
}

// TestModules are modules that only test files may import.
func TestModules() []string {
	return []string{
		"github.com/google/go-cmp", "pgregory.net/rapid", "github.com/rogpeppe/go-internal", "github.com/cockroachdb/datadriven",
		"github.com/IBM/sarama", "github.com/segmentio/kafka-go", "go.etcd.io/bbolt",
	}
}
