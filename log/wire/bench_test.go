package wire

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// trivial answers heartbeats with one response for all, so that what is measured is wire.
func trivial() handlerFunc {
	resp := kmsg.NewPtrHeartbeatResponse()
	return func(context.Context, *Request) (Reply, error) { return Reply{Response: resp}, nil }
}

func roundTrips(b testing.TB, nc net.Conn, frame []byte, n int) {
	reply := make([]byte, 4+4+2)
	for range n {
		if _, err := nc.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, reply); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTripPipe(b *testing.B) {
	s := serve(b, trivial(), Limits{})
	s.pool.poison = false
	c := s.dial()
	b.ReportAllocs()
	b.ResetTimer()
	roundTrips(b, c.Conn, request(heartbeat, 0, 1, make([]byte, 60)), b.N)
	b.StopTimer()
	c.Close()
	s.stop()
}

func BenchmarkRoundTripTCP(b *testing.B) {
	s := serve(b, trivial(), Limits{})
	s.pool.poison = false
	c := s.tcp()
	b.ReportAllocs()
	b.ResetTimer()
	roundTrips(b, c.Conn, request(heartbeat, 0, 1, make([]byte, 60)), b.N)
	b.StopTimer()
	c.Close()
	s.stop()
}

// BenchmarkProduceFrameTCP reads frames of 128 KiB and answers them through Later, eight in flight.
func BenchmarkProduceFrameTCP(b *testing.B) {
	resp := kmsg.NewPtrProduceResponse()
	s := serve(b, func(context.Context, *Request) (Reply, error) {
		return Reply{Later: func(context.Context) (Reply, error) { return Reply{Response: resp}, nil }}, nil
	}, Limits{})
	s.pool.poison = false
	c := s.tcp()
	frame := request(keyProduce, 3, 1, make([]byte, 128<<10))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	b.ResetTimer()
	slots := make(chan struct{}, 8)
	go func() {
		for range b.N {
			slots <- struct{}{}
			c.Write(frame)
		}
	}()
	for range b.N {
		if _, err := readFrame(c); err != nil {
			b.Fatal(err)
		}
		<-slots
	}
	b.StopTimer()
	c.Close()
	s.stop()
}

func BenchmarkWalkFetch(b *testing.B) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 13
	for range 10 {
		topic := kmsg.NewFetchRequestTopic()
		for range 10 {
			topic.Partitions = append(topic.Partitions, kmsg.NewFetchRequestTopicPartition())
		}
		req.Topics = append(req.Topics, topic)
	}
	body := req.AppendTo(nil)
	s := newSchemas()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.walk(keyFetch, 13, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewSchemas(b *testing.B) {
	for b.Loop() {
		newSchemas()
	}
}

// TestAllocationsPerRequest: two at most, client included.
func TestAllocationsPerRequest(t *testing.T) {
	for _, over := range []string{"pipe", "tcp"} {
		s := serve(t, trivial(), Limits{})
		c := s.dial()
		if over == "tcp" {
			c = s.tcp()
		}
		frame := request(heartbeat, 0, 1, make([]byte, 60))
		roundTrips(t, c.Conn, frame, 100)
		if n := testing.AllocsPerRun(500, func() { roundTrips(t, c.Conn, frame, 1) }); n > 2 {
			t.Errorf("%s: %v allocations per request", over, n)
		}
		c.Close()
		s.stop()
	}
}
