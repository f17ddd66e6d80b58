// Wordcount counts the words of the lines that it reads. Lines typed go to the topic "lines", totals come from "word-counts":
//
//	go run ./examples/wordcount                            # with a log of its own, which it throws away
//	go run ./examples/wordcount --brokers localhost:9092   # on yours; run it twice and the two share the work
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// topology counts words; the totals go to a topic, and print sees each of them.
func topology(print func(word string, n int64)) (*streams.Topology, error) {
	b := streams.NewBuilder()
	streams.From(b, "lines", serde.String, serde.String).
		FlatMapValues(strings.Fields).
		GroupBy(func(_, word string) string { return strings.ToLower(word) }, serde.String).
		Count(streams.As("counts")).
		ToStream().
		Peek(print).
		To("word-counts", serde.String, serde.Int64)
	return b.Build()
}

func run(ctx context.Context, log *client.Client, print func(string, int64)) error {
	topo, err := topology(print)
	if err != nil {
		return err
	}
	app, err := streams.New(topo, streams.Config{ApplicationID: "wordcount", Log: log})
	if err != nil {
		return err
	}
	return app.Run(ctx) // until ctx ends
}

func main() {
	brokers := flag.String("brokers", "", "host:port,… of a log; empty: one inside this process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log, done, err := open(ctx, *brokers)
	if err == nil {
		defer done()
		err = run(ctx, log, func(word string, n int64) { fmt.Println(word, n) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		defer os.Exit(1)
	}
}
