// Package clients tests a node with the Kafka clients that people have: kcat (librdkafka), franz-go, sarama and segmentio/kafka-go, unmodified,
// over TCP. Each of them produces with each codec, consumes, commits, and rebalances as a group; the older ones in the protocol versions that
// nobody else speaks any more. The conformance suite of log/client runs here, too, through memory and over TCP, and franz-go's own group test.
//
// It has no code that ships, owns nothing, and decides nothing about the protocol: what a version must answer is tested in log/broker. A client
// that is missing fails the tests with the name of the package to install.
package clients
