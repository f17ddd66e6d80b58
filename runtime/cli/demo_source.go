package cli

import (
	"context"
	"crypto/rand"
	"encoding/json/v2"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/examples/payments/shop"
	"github.com/millrace/millrace/log/client"
)

const (
	// demoSourceTick is how often the generator writes a handful of records.
	demoSourceTick = 50 * time.Millisecond
	// demoStopTimeout bounds the wait for the last acks.
	demoStopTimeout = 500 * time.Millisecond
)

// demoSource writes generated orders and payments.
type demoSource struct {
	producer  *client.Producer
	generator *shop.Generator
	rate      int
	orders    atomic.Int64 // acked
	payments  atomic.Int64
	failed    atomic.Pointer[error]
}

func newDemoSource(c *client.Client, rate int) (*demoSource, error) {
	p, err := c.NewProducer(client.ProducerConfig{Linger: 5 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	var run [4]byte
	rand.Read(run[:])
	seed := uint64(run[0])<<24 | uint64(run[1])<<16 | uint64(run[2])<<8 | uint64(run[3])
	return &demoSource{producer: p, rate: rate, generator: shop.NewGenerator(fmt.Sprintf("%x", run), seed, shop.DefaultMix())}, nil
}

// run writes until ctx ends.
func (s *demoSource) run(ctx context.Context) error {
	defer s.producer.Close()
	tick := time.NewTicker(demoSourceTick)
	defer tick.Stop()
	begun, written := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return s.stop()
		case now := <-tick.C:
			due := int(now.Sub(begun).Seconds() * float64(s.rate))
			for _, e := range s.generator.Next(now, due-written) {
				if err := s.write(ctx, e); err != nil {
					return err
				}
			}
			written = due
			if err := s.failed.Load(); err != nil {
				return *err
			}
		}
	}
}

func (s *demoSource) write(ctx context.Context, e shop.Event) error {
	topic, value, count := shop.PaymentsTopic, any(e.Payment), &s.payments
	if e.Order != nil {
		topic, value, count = shop.OrdersTopic, e.Order, &s.orders
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cannot write an event: %w", err)
	}
	r := client.NewRecord(topic, []byte(e.Key()), text)
	r.Timestamp = e.Time.UnixMilli()
	s.producer.Produce(ctx, r, func(_ *client.Record, err error) {
		switch {
		case err == nil:
			count.Add(1)
		case !errors.Is(err, context.Canceled):
			s.failed.CompareAndSwap(nil, &err)
		}
	})
	return nil
}

// stop waits for the acks of what is under way.
func (s *demoSource) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), demoStopTimeout)
	defer cancel()
	s.producer.Flush(ctx) // what is not acked by then was not counted
	return nil
}
