package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/log/client"
)

// The input is the same in every run: it depends on the number of records only.
const (
	partitions   = 4
	vocabulary   = 10_000
	wordsPerLine = 5
	customers    = 50_000
	strangers    = 5_000 // ids of orders without customer
	orderBytes   = 100
)

// input is what a run reads and what must come of it.
type input struct {
	topics  []string
	records int    // written, over all topics
	outputs int64  // records that the application writes to its output topic
	digest  uint64 // of the results: see results
}

func digestOf(key, value string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	h.Write([]byte{0})
	h.Write([]byte(value))
	return h.Sum64()
}

// makeInput calls write for each record, in order, with nil keys of lines, and returns what is expected. Tables come first, and
// with older timestamps.
func makeInput(kind, name string, n int, write func(*client.Record)) (*input, error) {
	switch kind {
	case "wordcount":
		return makeLines(name+"-lines", n, write), nil
	case "join":
		return makeOrders(name+"-customers", name+"-orders", n, write), nil
	}
	return nil, fmt.Errorf("cannot make input of %q: it is neither wordcount nor join", kind)
}

func makeLines(topic string, n int, write func(*client.Record)) *input {
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, vocabulary)
	for i := range words {
		words[i] = "w" + strconv.FormatUint(digestOf("word", strconv.Itoa(i))%(1<<40), 36)
	}
	counts := make(map[string]int64, vocabulary)
	line := make([]string, wordsPerLine)
	for i := range n {
		for j := range line {
			line[j] = words[random.IntN(vocabulary)]
			counts[line[j]]++
		}
		r := client.NewRecord(topic, nil, []byte(strings.Join(line, " ")))
		r.Partition = int32(i % partitions)
		write(r)
	}
	in := &input{topics: []string{topic}, records: n, outputs: int64(n) * wordsPerLine}
	for word, count := range counts {
		in.digest += digestOf(word, strconv.FormatInt(count, 10))
	}
	return in
}

func makeOrders(tables, orders string, n int, write func(*client.Record)) *input {
	random := rand.New(rand.NewPCG(3, 4))
	in := &input{topics: []string{tables, orders}, records: customers + n}
	earlier := time.Now().Add(-time.Hour).UnixMilli()
	put := func(topic, key, value string, timestamp int64) {
		r := client.NewRecord(topic, []byte(key), []byte(value))
		r.Partition = client.PartitionFor(r.Key, partitions)
		r.Timestamp = timestamp
		write(r)
	}
	id := func(i int) string { return fmt.Sprintf("customer-%06d", i) }
	for i := range customers {
		put(tables, id(i), fmt.Sprintf("name of %06d", i), earlier)
	}
	for i := range n {
		customer := random.IntN(customers + strangers)
		order := fmt.Sprintf("order %010d ", i)
		order += strings.Repeat("x", orderBytes-len(order))
		put(orders, id(customer), order, earlier+60_000+int64(i/100))
		if customer < customers {
			in.outputs++
			in.digest += digestOf(id(customer), order+"|"+fmt.Sprintf("name of %06d", customer))
		}
	}
	return in
}

// load creates the topics of a run and fills its input, with a client that is the same for every arm.
func load(ctx context.Context, log *client.Client, kind, name string, n int) (*input, error) {
	producer, err := log.NewProducer(client.ProducerConfig{Linger: 5 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	topics := map[string][]string{"wordcount": {"-lines", "-output"}, "join": {"-customers", "-orders", "-output"}}
	for _, t := range topics[kind] {
		errs, err := log.Admin().CreateTopics(ctx, client.TopicSpec{Name: name + t, Partitions: partitions})
		if err != nil {
			return nil, err
		}
		if errs[0] != nil {
			return nil, errs[0]
		}
	}
	in, err := makeInput(kind, name, n, func(r *client.Record) { producer.Produce(ctx, r, nil) })
	if err != nil {
		return nil, err
	}
	return in, producer.Flush(ctx)
}
