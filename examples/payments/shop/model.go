package shop

import "time"

// The topics that the topology reads and writes. Orders and payments are keyed by order id.
const (
	OrdersTopic   = "orders"
	PaymentsTopic = "payments"
	UnpaidTopic   = "unpaid-orders"
	RevenueTopic  = "revenue-per-minute"
	FraudTopic    = "fraud-alerts"
)

// Partitions of each of the two input topics: as many tasks can work side by side.
const Partitions = 4

// Order is what a customer bought.
type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Country  string `json:"country"` // ISO 3166 code
	Cents    int64  `json:"cents"`
}

// Payment pays an order, or should.
type Payment struct {
	ID    string `json:"id"`
	Order string `json:"order"`
	Card  string `json:"card"` // last digits
	Cents int64  `json:"cents"`
}

// Settlement is an order with its payment; Payment is nil when none came in time.
type Settlement struct {
	Order   Order    `json:"order"`
	Payment *Payment `json:"payment,omitempty"`
}

// Revenue is what was paid for orders of one country in one minute of event time. A later record of the same key replaces an earlier one.
type Revenue struct {
	Country string    `json:"country"`
	Minute  time.Time `json:"minute"`
	Orders  int64     `json:"orders"`
	Cents   int64     `json:"cents"`
}

// Alert is a card that was used too often in one minute.
type Alert struct {
	Card   string    `json:"card"`
	Minute time.Time `json:"minute"`
	Times  int64     `json:"times"`
}
