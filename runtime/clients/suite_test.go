package clients

import (
	"testing"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/log/client/clienttest"
	"github.com/millrace/millrace/runtime/nodetest"
)

// The conformance suite of log/client, on both ways into a node.
func TestSuite(t *testing.T) {
	t.Run("Pipe", func(t *testing.T) {
		n := nodetest.New(t)
		clienttest.Run(t, func(*testing.T) client.Config { return client.Config{Brokers: []string{"pipe:1"}, Dial: n.Dial} })
	})
	t.Run("TCP", func(t *testing.T) {
		n := nodetest.New(t, nodetest.TCP)
		clienttest.Run(t, func(*testing.T) client.Config { return client.Config{Brokers: []string{n.KafkaAddr()}} })
	})
}
