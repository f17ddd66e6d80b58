package shop

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/streams/serde"
	"github.com/millrace/millrace/streams/streamstest"
)

// shopTest is the topology with its topics.
type shopTest struct {
	*streamstest.Driver
	orders   *streamstest.In[string, Order]
	payments *streamstest.In[string, Payment]
	unpaid   *streamstest.Out[string, Order]
	revenue  *streamstest.Out[string, Revenue]
	fraud    *streamstest.Out[string, Alert]
}

func newShopTest(t *testing.T) *shopTest {
	t.Helper()
	topo, err := Topology(DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	d := streamstest.New(t, topo)
	return &shopTest{
		Driver: d,
		orders: d.Input(OrdersTopic, serde.String, serde.JSON[Order]()), payments: d.Input(PaymentsTopic, serde.String, serde.JSON[Payment]()),
		unpaid: d.Output(UnpaidTopic, serde.String, serde.JSON[Order]()), revenue: d.Output(RevenueTopic, serde.String, serde.JSON[Revenue]()),
		fraud: d.Output(FraudTopic, serde.String, serde.JSON[Alert]()),
	}
}

func (s *shopTest) order(id string, cents int64, at time.Time) {
	s.orders.Pipe(id, Order{ID: id, Country: "DE", Cents: cents}, at)
}

func (s *shopTest) pay(id, card string, cents int64, at time.Time) {
	s.payments.Pipe(id, Payment{ID: "p-" + id, Order: id, Card: card, Cents: cents}, at)
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestRevenuePerCountryAndMinute(t *testing.T) {
	s := newShopTest(t)
	s.order("1", 1000, noon)
	s.pay("1", "c1", 1000, noon.Add(2*time.Second))
	s.pay("1", "c1", 1000, noon.Add(2*time.Second)) // sent twice: counts once
	s.order("2", 500, noon.Add(30*time.Second))
	s.pay("2", "c2", 500, noon.Add(31*time.Second))
	s.order("3", 700, noon.Add(59*time.Second))
	s.pay("3", "c3", 700, noon.Add(61*time.Second)) // the result's time is the payment's: the next minute
	var got []Revenue
	for _, r := range s.revenue.All() {
		got = append(got, r.Value)
	}
	want := []Revenue{
		{Country: "DE", Minute: noon, Orders: 1, Cents: 1000},
		{Country: "DE", Minute: noon, Orders: 2, Cents: 1500},
		{Country: "DE", Minute: noon.Add(time.Minute), Orders: 1, Cents: 700},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnpaidOrders(t *testing.T) {
	s := newShopTest(t)
	s.order("late", 100, noon)
	s.pay("late", "c", 100, noon.Add(25*time.Second)) // 5 s too late
	s.order("paid", 200, noon.Add(20*time.Second))
	s.pay("paid", "c", 200, noon.Add(26*time.Second))
	s.order("tick", 1, noon.Add(2*time.Minute)) // moves the time on
	got := s.unpaid.All()
	if len(got) != 1 || got[0].Key != "late" || got[0].Value.Cents != 100 {
		t.Errorf("got %+v, want the order late", got)
	}
}

func TestFraudAlerts(t *testing.T) {
	s := newShopTest(t)
	for i := range 5 {
		id := string(rune('a' + i))
		s.order(id, 100, noon)
		s.pay(id, "stolen", 100, noon.Add(time.Duration(i)*time.Second))
	}
	var times []int64
	for _, r := range s.fraud.All() {
		if r.Key != "stolen" || !r.Value.Minute.Equal(noon) {
			t.Errorf("got %+v", r)
		}
		times = append(times, r.Value.Times)
	}
	if diff := cmp.Diff([]int64{4, 5}, times); diff != "" {
		t.Error(diff)
	}
}

func TestGeneratorIsRepeatableAndUnruly(t *testing.T) {
	run := func() (events []Event) {
		g := NewGenerator("r", 7, DefaultMix())
		for i := range 300 {
			events = append(events, g.Next(noon.Add(time.Duration(i)*100*time.Millisecond), 10)...)
		}
		return events
	}
	events := run()
	if diff := cmp.Diff(events, run()); diff != "" {
		t.Fatal(diff)
	}
	orders, payments, twice, late := 0, map[string]int{}, 0, 0
	for i, e := range events {
		if e.Order != nil {
			orders++
			if e.Time.Before(noon.Add(time.Duration(i/20) * 100 * time.Millisecond).Add(-2 * time.Second)) {
				late++
			}
			continue
		}
		if payments[e.Payment.ID]++; payments[e.Payment.ID] == 2 {
			twice++
		}
	}
	if orders != 3000 || len(payments) < 1800 || len(payments) > 2950 || twice == 0 || late == 0 {
		t.Errorf("%d orders, %d paid, %d twice, %d late", orders, len(payments), twice, late)
	}
}
