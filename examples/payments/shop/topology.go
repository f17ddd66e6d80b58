package shop

import (
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// Rules are the times and limits of the business. All times are event time.
type Rules struct {
	PayWithin time.Duration // an order must be paid that soon
	Grace     time.Duration // how late a record may come and still count
	CardLimit int64         // uses of one card in a minute that are still no fraud
}

// DefaultRules suit live data.
func DefaultRules() Rules {
	return Rules{PayWithin: 10 * time.Second, Grace: 8 * time.Second, CardLimit: 3}
}

// minute is the window of revenue and fraud.
const minute = time.Minute

// Topology watches orders and payments.
func Topology(r Rules) (*streams.Topology, error) {
	b := streams.NewBuilder()
	b.AddStore(streams.WindowStore(seenStore, serde.String, serde.Bool, seenWindow, r.PayWithin+r.Grace+seenWindow))

	orders := streams.From(b, OrdersTopic, serde.String, serde.JSON[Order]())
	payments := streams.From(b, PaymentsTopic, serde.String, serde.JSON[Payment]()).
		Process(newDeduplicate, serde.String, serde.JSON[Payment](), streams.Named("once"), streams.Uses(seenStore))

	settled := orders.LeftJoin(payments, settle, streams.Between(0, r.PayWithin).Grace(r.Grace), streams.As("settlements"))
	settled.
		Filter(func(_ string, s Settlement) bool { return s.Payment == nil }).
		MapValues(func(s Settlement) Order { return s.Order }).
		To(UnpaidTopic, serde.String, serde.JSON[Order]())
	settled.
		Filter(func(_ string, s Settlement) bool { return s.Payment != nil }).
		GroupBy(func(_ string, s Settlement) string { return s.Order.Country }, serde.String, streams.As("by-country")).
		Window(streams.Tumbling(minute).Grace(r.Grace)).
		Aggregate(func() Revenue { return Revenue{} }, addRevenue, streams.As("revenue")).
		ToStream().
		Map(func(k streams.Windowed[string], v Revenue) (string, Revenue) {
			v.Country, v.Minute = k.Key, k.Window.Start()
			return k.Key + "@" + v.Minute.Format("2006-01-02T15:04"), v
		}, serde.String).
		To(RevenueTopic, serde.String, serde.JSON[Revenue]())

	payments.
		GroupBy(func(_ string, p Payment) string { return p.Card }, serde.String, streams.As("by-card")).
		Window(streams.Tumbling(minute).Grace(r.Grace)).
		Count(streams.As("card-uses")).
		Filter(func(_ streams.Windowed[string], times int64) bool { return times > r.CardLimit }).
		ToStream().
		Map(func(k streams.Windowed[string], times int64) (string, Alert) {
			return k.Key, Alert{Card: k.Key, Minute: k.Window.Start(), Times: times}
		}, serde.String).
		To(FraudTopic, serde.String, serde.JSON[Alert]())
	return b.Build()
}

func settle(o Order, p *Payment) Settlement { return Settlement{Order: o, Payment: p} }

func addRevenue(_ string, s Settlement, sum Revenue) Revenue {
	sum.Orders++
	sum.Cents += s.Payment.Cents
	return sum
}
