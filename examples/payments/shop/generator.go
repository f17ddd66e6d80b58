package shop

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// Mix is how unruly the generated data is: shares between 0 and 1.
type Mix struct {
	Unpaid   float64 // orders that are never paid
	Twice    float64 // payments that are sent twice
	Late     float64 // records whose event time lies back
	Bursts   float64 // orders that are paid with the same few cards, as a thief would
	MaxDelay time.Duration
}

// DefaultMix is a lively shop.
func DefaultMix() Mix {
	return Mix{Unpaid: 0.04, Twice: 0.02, Late: 0.05, Bursts: 0.01, MaxDelay: 8 * time.Second}
}

// lateBy is how far back the event time of a late record lies at most. It stays within the grace of DefaultRules.
const lateBy = 6 * time.Second

// Event is one record to write: exactly one of Order and Payment is set.
type Event struct {
	Order   *Order
	Payment *Payment
	Time    time.Time // event time
}

// Key is the key of the record: the order's id, for both topics.
func (e Event) Key() string {
	if e.Order != nil {
		return e.Order.ID
	}
	return e.Payment.Order
}

// Generator makes orders and, some time after each, its payment. It reads no clock: Next is told what time it is. One goroutine owns it.
type Generator struct {
	mix    Mix
	run    string
	random *rand.Rand
	fake   *gofakeit.Faker
	orders int64
	due    dueHeap // payments that are to come
}

// NewGenerator makes a generator. run makes the ids of one run differ from those of another; the same run and seed make the same events.
func NewGenerator(run string, seed uint64, mix Mix) *Generator {
	return &Generator{mix: mix, run: run, random: rand.New(rand.NewPCG(seed, 1)), fake: gofakeit.NewFaker(rand.NewPCG(seed, 2), false)}
}

// Next makes n orders at now and returns them with the payments that are due by now, in the order in which they are to be written.
func (g *Generator) Next(now time.Time, n int) []Event {
	var events []Event
	for range n {
		events = append(events, g.order(now))
	}
	for len(g.due) > 0 && !g.due[0].Time.After(now) {
		e := heap.Pop(&g.due).(Event)
		events = append(events, g.perhapsLate(e))
		if g.random.Float64() < g.mix.Twice {
			events = append(events, events[len(events)-1])
		}
	}
	return events
}

// order makes an order and plans its payment.
func (g *Generator) order(now time.Time) Event {
	g.orders++
	country := g.fake.RandomString([]string{"DE", "FR", "GB", "US", "BR", "IN", "JP"})
	o := &Order{
		ID: fmt.Sprintf("%s-%d", g.run, g.orders), Customer: g.fake.Name(), Country: country, Cents: 500 + g.random.Int64N(20_000),
	}
	e := g.perhapsLate(Event{Order: o, Time: now})
	if g.random.Float64() < g.mix.Unpaid {
		return e
	}
	card := fmt.Sprintf("%06d", g.random.IntN(1_000_000))
	if g.random.Float64() < g.mix.Bursts {
		card = fmt.Sprintf("stolen-%d", g.random.IntN(3))
	}
	p := &Payment{ID: "p-" + o.ID, Order: o.ID, Card: card, Cents: o.Cents}
	paid := now.Add(time.Duration(g.random.Int64N(int64(g.mix.MaxDelay))))
	heap.Push(&g.due, Event{Payment: p, Time: paid})
	return e
}

// perhapsLate moves the event time of some records back. A payment stays behind its order: only the arrival is out of order.
func (g *Generator) perhapsLate(e Event) Event {
	if e.Order != nil && g.random.Float64() < g.mix.Late {
		e.Time = e.Time.Add(-time.Duration(g.random.Int64N(int64(lateBy))))
	}
	return e
}

// dueHeap orders planned payments by time.
type dueHeap []Event

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Time.Before(h[j].Time) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push adds an event; for package heap.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(Event)) }

// Pop takes the last event; for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
