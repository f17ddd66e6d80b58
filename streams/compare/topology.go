package main

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// topology is what both arms run; KafkaStreamsApp.java says the same. Topics begin with the name of the run.
func topology(kind, name string) (*streams.Topology, error) {
	b := streams.NewBuilder()
	switch kind {
	case "wordcount":
		streams.From(b, name+"-lines", serde.String, serde.String).
			FlatMapValues(func(line string) []string { return strings.Split(line, " ") }).
			GroupBy(func(_, word string) string { return word }, serde.String).
			Count(streams.As("counts")).
			ToStream().
			To(name+"-output", serde.String, serde.Int64)
	case "join":
		customers := streams.TableFrom(b, name+"-customers", serde.String, serde.String, streams.As("customers"))
		streams.From(b, name+"-orders", serde.String, serde.String).
			JoinTable(customers, func(order, customer string) string { return order + "|" + customer }).
			To(name+"-output", serde.String, serde.String)
	default:
		return nil, fmt.Errorf("cannot make topology %q: it is neither wordcount nor join", kind)
	}
	return b.Build()
}
