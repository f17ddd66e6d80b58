package metadata

import (
	"fmt"
	"testing"
	"time"
	"uuid"
)

// BenchmarkCreateTopic is one topic made and deleted again: two commands, one after the other, on disk.
func BenchmarkCreateTopic(b *testing.B) {
	q := open(b, b.TempDir())
	register(b, q, 1, false)
	for b.Loop() {
		made := create(b, q, topic("t", 1))
		if errs := q.DeleteTopics(b.Context(), []uuid.UUID{made[0].ID}); errs[0] != nil {
			b.Fatal(errs[0])
		}
	}
}

// large is an image of n topics of one partition.
func large(n int) *Image {
	i, _ := step(emptyImage(), &registerBroker{Registration{NodeID: 1, Incarnation: newID()}}, position{1, 1})
	c := &createTopics{limit: uint64(n)}
	for k := range n {
		c.topics = append(c.topics, newTopic{id: newID(), name: fmt.Sprintf("topic-%d", k), partitions: 1, replication: 1})
	}
	i, _ = step(i, c, position{2, 1})
	return i
}

func BenchmarkApplyCreate(b *testing.B) {
	i := large(10000)
	for b.Loop() {
		step(i, &createTopics{limit: 1 << 20, topics: []newTopic{{id: newID(), name: "new", partitions: 1, replication: 1}}}, position{3, 1})
	}
}

func BenchmarkTopicByID(b *testing.B) {
	i := large(10000)
	ids := i.byName
	for n := 0; b.Loop(); n++ {
		i.TopicByID(ids[n*7919%len(ids)].ID)
	}
}

func BenchmarkTopicByName(b *testing.B) {
	i := large(10000)
	for n := 0; b.Loop(); n++ {
		i.Topic(i.byID[n*7919%len(i.byID)].Name)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	i := large(10000)
	encoded := encodeImage(i)
	b.ReportMetric(float64(len(encoded)), "bytes")
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encodeImage(i)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeImage(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTopicConfig(b *testing.B) {
	q := open(b, b.TempDir())
	register(b, q, 1, false)
	t := create(b, q, TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "1"}})[0]
	image := q.Image()
	for b.Loop() {
		q.TopicConfig(image, t)
	}
}

// BenchmarkOpen is a start with nothing, and with 1,000 and 10,000 topics on disk.
func BenchmarkOpen(b *testing.B) {
	for _, topics := range []int{0, 1000, 10000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			dir := b.TempDir()
			q := open(b, dir)
			register(b, q, 1, false)
			for n := 0; n < topics; n += MaxTopicsPerRequest {
				specs := make([]TopicSpec, MaxTopicsPerRequest)
				for k := range specs {
					specs[k] = topic(fmt.Sprintf("t%d", n+k), 1)
				}
				create(b, q, specs...)
			}
			for b.Loop() {
				b.StopTimer()
				if err := q.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				q = open(b, dir)
			}
		})
	}
	b.Run("fresh", func(b *testing.B) {
		var spent time.Duration
		for b.Loop() {
			dir := b.TempDir()
			begin := time.Now()
			q := open(b, dir)
			spent += time.Since(begin)
			q.Kill()
		}
		b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "ms/open")
	})
}
