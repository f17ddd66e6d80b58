package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/engine"
)

// globalReader feeds the global tables of an instance: all partitions of their topics, from the start and for as long as the
// instance runs. It commits nothing. engine.Globals lets tasks read meanwhile: its lock covers one lookup or update.
type globalReader struct {
	cfg      *Config
	log      *slog.Logger
	globals  *engine.Globals
	consumer *client.Consumer
	next     map[client.TopicPartition]int64
	ends     map[client.TopicPartition]int64 // as they were at the start
}

// openGlobals returns nil if the program has no global table.
func openGlobals(cfg *Config) (*globalReader, error) {
	globals, err := engine.NewGlobals(cfg.Program)
	if err != nil || globals == nil {
		return nil, err
	}
	consumer, err := cfg.Log.NewConsumer(client.ConsumerConfig{FetchConfig: client.FetchConfig{MaxWait: fetchWait}})
	if err != nil {
		return nil, err
	}
	return &globalReader{cfg: cfg, log: cfg.Logger, globals: globals, consumer: consumer}, nil
}

// load reads the topics to the ends they have now.
func (g *globalReader) load(ctx context.Context, p *plan) error {
	ask := make(map[client.TopicPartition]int64)
	for _, topic := range p.globals {
		for i := range p.partitions[topic] {
			ask[client.TopicPartition{Topic: topic, Partition: i}] = client.Latest
		}
	}
	var err error
	if g.ends, err = listOffsets(ctx, g.cfg.Log, ask); err != nil {
		return err
	}
	for tp := range ask {
		ask[tp] = client.Earliest
	}
	if g.next, err = listOffsets(ctx, g.cfg.Log, ask); err != nil {
		return err
	}
	if err := g.consumer.Assign(g.next); err != nil {
		return err
	}
	logged := time.Now()
	for {
		missing := g.missing()
		if missing == 0 {
			return nil
		}
		if err := g.poll(ctx); err != nil {
			return err
		}
		if time.Since(logged) > restoreLogInterval {
			logged = time.Now()
			g.log.Info("loading global tables", "offsets", missing)
		}
	}
}

// missing is how many offsets are left to read.
func (g *globalReader) missing() int64 {
	var n int64
	for tp, end := range g.ends {
		n += max(0, end-g.next[tp])
	}
	return n
}

// follow keeps the tables up to date until ctx ends.
func (g *globalReader) follow(ctx context.Context) error {
	for {
		if err := g.poll(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

func (g *globalReader) poll(ctx context.Context) error {
	fetched, err := g.consumer.Poll(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		g.log.Warn("cannot read global tables, trying on", "err", err)
	}
	for i := range fetched {
		f := &fetched[i]
		for j := range f.Records {
			in := input(&f.Records[j])
			if err := g.globals.Apply(&in); err != nil {
				return fmt.Errorf("cannot load global table from %s@%d: %w", f.TopicPartition, in.Offset, err)
			}
		}
		g.next[f.TopicPartition] = max(g.next[f.TopicPartition], f.Next)
		if err := g.cure(f); err != nil {
			return err
		}
	}
	return nil
}

// cure moves a partition on that an error has stopped.
func (g *globalReader) cure(f *client.Fetched) error {
	switch {
	case f.Err == nil || errors.Is(f.Err, client.ErrDataLoss):
		return nil
	case errors.Is(f.Err, client.ErrOffsetOutOfRange) && f.LogStart >= 0:
		g.next[f.TopicPartition] = max(g.next[f.TopicPartition], f.LogStart)
	case !client.IsRetriable(f.Err):
		return fmt.Errorf("cannot load global table: %w", f.Err)
	}
	return g.consumer.Assign(map[client.TopicPartition]int64{f.TopicPartition: g.next[f.TopicPartition]})
}

// input is a record as tasks and global tables take it. It shares the record's memory, which nobody writes to.
func input(r *client.Record) engine.Input {
	in := engine.Input{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value,
	}
	if len(r.Headers) > 0 {
		in.Headers = make([]engine.Header, len(r.Headers))
		for i, h := range r.Headers {
			in.Headers[i] = engine.Header(h)
		}
	}
	return in
}
