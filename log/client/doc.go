// Package client is all that streams, connect and the command line know of a log: producing, reading, membership of groups and
// administration, in plain types of its own. It is the only package that imports franz-go.
//
// It speaks the Kafka protocol: to a node in the same process over an in-memory pipe (Config.Dial), to a cluster of ours, to
// Apache Kafka and to Redpanda over TCP (Config.Brokers). What all of them must do alike is written down as a test suite in
// package clienttest.
//
//	c, err := client.New(client.Config{Brokers: []string{"127.0.0.1:9092"}})
//	p, err := c.NewProducer(client.ProducerConfig{Compression: client.Zstd})
//	p.Produce(ctx, client.NewRecord("lines", key, value), nil)
//	err = p.Flush(ctx)
//
//	r, err := c.NewConsumer(client.ConsumerConfig{})
//	err = r.Assign(map[client.TopicPartition]int64{{Topic: "lines", Partition: 0}: client.Earliest})
//	for {
//		fetched, err := r.Poll(ctx)
//		…
//	}
//
// # What it refuses to be
//
// It has no automatic commit, no automatic creation of topics, no jump over records that are gone (unless GroupConfig.Reset says
// so), no serialisation, and no state of its own on disk.
//
// # Memory
//
// Keys, values and header values of a record that was read are slices of the fetch response (or of the decompressed batch). They
// belong to the caller, are never written to again, and keep that response alive as long as one of them lives. One Poll makes one
// slice of records per partition; nothing is allocated per record beyond what the library itself does. A record handed to Produce
// belongs to the producer until its done function runs.
//
// # Goroutines and locks
//
// The library runs goroutines per Client, Producer, Consumer and Group; Close of each stops its own and waits for them. The
// package starts one more, in Group.Leave, for as long as Leave runs. A Consumer and a Group belong to one goroutine each, except
// for Close (and Group.Rejoin); Client, Admin and Producer may be shared. Callbacks of a Group run inside Poll and Leave on the
// caller's goroutine. There are three locks (Producer.mu, callbacks.mu, balancerAdapter.mu); none is held across a call to the
// library or to a callback, so none nests in another.
package client
