package cli

import (
	"context"
	"encoding/json/v2"
	"fmt"
	"sync"

	"github.com/millrace/millrace/examples/payments/shop"
	"github.com/millrace/millrace/log/client"
)

// demoNewest is how many of the newest alerts are shown.
const demoNewest = 4

// demoView reads the output topics from their start, so that what an earlier run left counts too.
type demoView struct {
	consumer *client.Consumer

	mu struct {
		sync.Mutex
		revenue map[string]shop.Revenue // by key: a later result replaces an earlier one
		last    shop.Revenue
		results int64
		unpaid  int64
		fraud   int64
		alerts  []string // newest first
	}
}

func newDemoView(c *client.Client) (*demoView, error) {
	consumer, err := c.NewConsumer(client.ConsumerConfig{})
	if err != nil {
		return nil, err
	}
	offsets := make(map[client.TopicPartition]int64)
	for _, topic := range demoOutputs() {
		offsets[client.TopicPartition{Topic: topic}] = client.Earliest
	}
	v := &demoView{consumer: consumer}
	v.mu.revenue = make(map[string]shop.Revenue)
	return v, consumer.Assign(offsets)
}

// run reads until ctx ends.
func (v *demoView) run(ctx context.Context) error {
	defer v.consumer.Close()
	for {
		batch, err := v.consumer.Poll(ctx)
		if err != nil {
			return err
		}
		for _, f := range batch {
			if f.Err != nil {
				return f.Err
			}
			for i := range f.Records {
				if err := v.take(&f.Records[i]); err != nil {
					return err
				}
			}
		}
	}
}

// take folds one result in.
func (v *demoView) take(r *client.Record) error {
	if r.Value == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.results++
	switch r.Topic {
	case shop.RevenueTopic:
		var revenue shop.Revenue
		if err := json.Unmarshal(r.Value, &revenue); err != nil {
			return fmt.Errorf("cannot read %s at offset %d: %w", r.Topic, r.Offset, err)
		}
		v.mu.revenue[string(r.Key)] = revenue
		v.mu.last = revenue
	case shop.UnpaidTopic:
		var o shop.Order
		if err := json.Unmarshal(r.Value, &o); err != nil {
			return fmt.Errorf("cannot read %s at offset %d: %w", r.Topic, r.Offset, err)
		}
		v.mu.unpaid++
		v.alert(fmt.Sprintf("unpaid  order %s of %s: %s", o.ID, o.Customer, cents(o.Cents)))
	case shop.FraudTopic:
		var alert shop.Alert
		if err := json.Unmarshal(r.Value, &alert); err != nil {
			return fmt.Errorf("cannot read %s at offset %d: %w", r.Topic, r.Offset, err)
		}
		v.mu.fraud++
		v.alert(fmt.Sprintf("fraud   card %s used %d times in minute %s", alert.Card, alert.Times, alert.Minute.Format("15:04")))
	}
	return nil
}

func (v *demoView) alert(text string) {
	v.mu.alerts = append([]string{text}, v.mu.alerts...)
	v.mu.alerts = v.mu.alerts[:min(len(v.mu.alerts), demoNewest)]
}

// demoLook is the demo at one moment.
type demoLook struct {
	orders, payments, results int64
	unpaid, fraud             int64
	processed                 int64
	lag                       int64 // records not processed yet; -1 unknown
	late                      int64 // dropped because they came after their window had closed
	revenue                   int64 // cents, all countries and minutes
	paid                      int64 // orders
	last                      shop.Revenue
	alerts                    []string
}

// look takes a picture of everything that is shown.
func (d *demo) look() demoLook {
	l := demoLook{orders: d.source.orders.Load(), payments: d.source.payments.Load(), lag: -1}
	s := d.app.Stats()
	l.processed = s.RecordsIn
	for _, p := range s.Partitions {
		if p.Lag >= 0 {
			l.lag = max(l.lag, 0) + p.Lag
		}
	}
	l.late = s.Dropped["late"] + s.Dropped["expired"]
	v := d.view
	v.mu.Lock()
	defer v.mu.Unlock()
	l.results, l.unpaid, l.fraud, l.last = v.mu.results, v.mu.unpaid, v.mu.fraud, v.mu.last
	l.alerts = append(l.alerts, v.mu.alerts...)
	for _, r := range v.mu.revenue {
		l.revenue += r.Cents
		l.paid += r.Orders
	}
	return l
}
