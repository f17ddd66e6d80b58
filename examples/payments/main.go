// Command payments watches orders and payments: which orders were not paid in time, which cards are used too often, what each country earned in
// each minute. The business is in package shop; this is all it takes to run it.
//
//	go run ./examples/payments                            a log of its own, in ./payments-data: write to its topics with kcat
//	go run ./examples/payments --brokers 127.0.0.1:9092   the topics orders and payments of a cluster
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/examples/payments/shop"
	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/node"
	"github.com/millrace/millrace/streams"
)

func main() {
	brokers := flag.String("brokers", "", "host:port,… of a cluster; empty runs a log in this process")
	dir := flag.String("dir", "payments-data", "folder of the log and of the application's identity")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *brokers, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, brokers, dir string) error {
	c, done, err := connect(ctx, brokers, dir)
	if err != nil {
		return err
	}
	defer done()
	topo, err := shop.Topology(shop.DefaultRules())
	if err != nil {
		return err
	}
	fmt.Print(topo.Describe())
	app, err := streams.New(topo, streams.Config{ApplicationID: "payments", Log: c, StateDir: filepath.Join(dir, "streams")})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}

// connect reaches the cluster, or starts a node with the topics.
func connect(ctx context.Context, brokers, dir string) (c *client.Client, done func(), err error) {
	if brokers != "" {
		c, err = client.New(client.Config{Brokers: strings.Split(brokers, ",")})
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	}
	n, err := node.Start(ctx, node.Config{Dir: filepath.Join(dir, "log"), KafkaListen: "127.0.0.1:9092", NextFreePort: true})
	if err != nil {
		return nil, nil, err
	}
	fmt.Println("log on", n.KafkaAddr())
	_, err = n.Client().Admin().CreateTopics(ctx,
		client.TopicSpec{Name: shop.OrdersTopic, Partitions: shop.Partitions}, client.TopicSpec{Name: shop.PaymentsTopic, Partitions: shop.Partitions},
		client.TopicSpec{Name: shop.UnpaidTopic}, client.TopicSpec{Name: shop.RevenueTopic}, client.TopicSpec{Name: shop.FraudTopic})
	return n.Client(), func() { n.Close() }, err
}
