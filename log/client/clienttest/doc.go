// Package clienttest is the conformance suite of a log as package client sees it: run it through the pipe of an embedded node,
// over TCP, and against Apache Kafka, and the same things must hold. Where Kafka's own answer is the definition, the suite
// asserts Kafka's answer.
//
//	func TestEmbedded(t *testing.T) {
//		clienttest.Run(t, func(t *testing.T) client.Config { return client.Config{Dial: node.Dial} })
//	}
//
// It is not a performance test and proves nothing about crashes. It owns no goroutines but those of the members it starts, which
// end with the test that started them.
package clienttest
