package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/runtime/node"
)

// open opens a log with the two topics, a new one if there are no brokers, and sends the lines of the terminal to it.
func open(ctx context.Context, brokers string) (log *client.Client, done func(), err error) {
	if brokers != "" {
		log, err = client.New(client.Config{Brokers: strings.Split(brokers, ",")})
		if err != nil {
			return nil, nil, err
		}
		done = log.Close
	} else if log, done, err = embed(ctx); err != nil {
		return nil, nil, err
	}
	if err := createTopics(ctx, log); err != nil {
		done()
		return nil, nil, err
	}
	go func() {
		if err := send(ctx, log, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return log, done, nil
}

// embed starts a log in this process, in a temporary folder.
func embed(ctx context.Context) (*client.Client, func(), error) {
	dir, err := os.MkdirTemp("", "wordcount-")
	if err != nil {
		return nil, nil, err
	}
	n, err := node.Start(ctx, node.Config{Dir: dir})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n.Client(), func() {
		if err := errors.Join(n.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}, nil
}

func createTopics(ctx context.Context, log *client.Client) error {
	const partitions = 3
	errs, err := log.Admin().CreateTopics(ctx,
		client.TopicSpec{Name: "lines", Partitions: partitions}, client.TopicSpec{Name: "word-counts", Partitions: partitions})
	for _, e := range errs {
		if !errors.Is(e, client.ErrTopicExists) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// send writes each line of r to the topic.
func send(ctx context.Context, log *client.Client, r io.Reader) error {
	p, err := log.NewProducer(client.ProducerConfig{})
	if err != nil {
		return err
	}
	defer p.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.Produce(ctx, client.NewRecord("lines", nil, []byte(lines.Text())), nil)
	}
	return errors.Join(lines.Err(), p.Flush(ctx))
}
