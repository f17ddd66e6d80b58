package client_test

import (
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/log/client/clienttest"
)

// TestSuite runs the conformance suite against the log at MILLRACE_TEST_BROKERS (host:port, comma-separated): Apache Kafka,
// Redpanda or ours.
func TestSuite(t *testing.T) {
	brokers := os.Getenv("MILLRACE_TEST_BROKERS")
	if brokers == "" {
		t.Skip("MILLRACE_TEST_BROKERS is not set: there is no log to test against")
	}
	clienttest.Run(t, func(*testing.T) client.Config {
		return client.Config{Brokers: strings.Split(brokers, ",")}
	})
}
