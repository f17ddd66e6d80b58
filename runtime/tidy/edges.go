package tidy

// Module is the path of this module; our packages are named below it.
const Module = "github.com/millrace/millrace"

// Edges are the imports between our packages: each package, and what code that ships in it imports of ours (test files may import more). A package
// that is not listed may not exist, and an edge that nothing uses may not be listed: this is the graph, not a wish.
func Edges() map[string][]string {
	return map[string][]string{
		"log/record":      {},
		"log/disk":        {},
		"log/segment":     {"log/record", "log/disk"},
		"log/partition":   {"log/segment", "log/record", "log/disk"},
		"log/replica":     {"log/partition", "log/record"},
		"log/metadata":    {"log/disk"},
		"log/coordinator": {"log/record"},
		"log/group":       {"log/coordinator"},
		"log/wire":        {},
		"log/broker":      {"log/record", "log/disk", "log/partition", "log/replica", "log/metadata", "log/coordinator", "log/group", "log/wire"},
		"log/client":      {},

		"log/client/clienttest": {"log/client"},

		"streams/serde":           {},
		"streams/state":           {},
		"streams/state/statetest": {"streams/state"},
		"streams/topology":        {},
		"streams/internal/engine": {"streams/topology", "streams/state"},
		"streams/internal/worker": {"streams/internal/engine", "streams/topology", "log/client"},
		"streams":                 {"streams/topology", "streams/serde", "streams/internal/engine", "streams/internal/worker", "log/client"},
		"streams/streamstest":     {"streams", "streams/serde", "streams/internal/engine"},
		"streams/compare":         {"streams", "streams/serde", "log/client"},

		"runtime/config":       {"log/partition"},
		"runtime/node":         {"log/broker", "log/metadata", "log/partition", "log/disk", "log/wire", "log/client"},
		"runtime/nodetest":     {"runtime/node"},
		"runtime/cli":          {"runtime/node", "runtime/config", "log/client", "log/partition", "log/segment", "log/record", "log/disk", "log/wire", "streams", "examples/payments/shop"},
		"runtime/cmd/millrace": {"runtime/cli"},

		// Tests, and what runs them.
		"runtime/chaos":      {},
		"runtime/clients":    {},
		"runtime/mutants":    {},
		"runtime/testreport": {},
		"runtime/tidy":       {},
	}
}

// ExampleEdges is what each package below examples/ may import, used or not.
func ExampleEdges() []string {
	return []string{"streams", "streams/serde", "streams/streamstest", "log/client", "runtime/node", "runtime/nodetest"}
}

// Owners names the packages that import each third-party module, in code that ships. One module, one package; kmsg and kerr are the
// protocol's vocabulary and belong to those that speak it, x/sys to those that speak to the kernel.
func Owners() map[string][]string {
	return map[string][]string{
		"github.com/twmb/franz-go/pkg/kgo":        {"log/client"},
		"github.com/twmb/franz-go/pkg/kadm":       {"log/client"},
		"github.com/twmb/franz-go/pkg/kmsg":       {"log/wire", "log/broker", "log/group", "log/coordinator", "log/client"},
		"github.com/twmb/franz-go/pkg/kerr":       {"log/broker", "log/client"},
		"github.com/hashicorp/raft":               {"log/metadata"},
		"github.com/hashicorp/raft-boltdb/v2":     {"log/metadata"},
		"github.com/hashicorp/go-hclog":           {"log/metadata"},
		"github.com/klauspost/compress":           {"log/record"},
		"github.com/pierrec/lz4/v4":               {"log/record"},
		"golang.org/x/sys":                        {"log/disk", "log/wire", "runtime/cli"},
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
		"github.com/twmb/franz-go/pkg/kbin", "github.com/twmb/franz-go/pkg/kversion",
	}
}

// Pure are the packages that are functions of their input: no goroutine, no clock, no file, no socket.
func Pure() []string {
	return []string{"log/record", "log/group", "streams/topology", "streams/serde", "streams/state", "streams/internal/engine"}
}

// GoroutineOwners are the packages that start goroutines. Each says in its doc.go which, and who stops them.
func GoroutineOwners() []string {
	return []string{
		"log/partition", "log/metadata", "log/coordinator", "log/wire", "log/client", "log/client/clienttest", "streams/internal/worker", "streams/compare",
		"runtime/node", "runtime/cli", "examples/wordcount",
	}
}

// Early are exported names that only tests use yet, by "package name", and what they wait for. One that is used by then may not be listed.
func Early() map[string]string {
	return map[string]string{
		"log/coordinator Resign":  "replication: on one node no leadership is ever lost",
		"log/metadata SetFeature": "transactions: their version is a feature level that is raised when they exist",
	}
}

// Unusual explains what is longer or wider than the style asks, by "file", "file function" or "package interface". A line that explains nothing
// that is there fails.
func Unusual() map[string]string {
	return map[string]string{
		"log/disk FS":                                   "a file system has that many verbs; each has an implementation in real, Memory and Faulty",
		"log/coordinator Machine":                       "the contract between host and machine is one: handle, tick, cancel, apply, unload, and when to tick next",
		"streams/state Session":                         "scans of sessions go by key or by time, forwards or backwards, and each is one ordered walk",
		"streams/chain_test.go TestEveryVerbInOneChain": "one expression on purpose: the verb that closes an instantiation cycle must not compile in it",
	}
}
