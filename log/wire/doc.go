// Package wire carries Kafka's protocol between sockets and a [Handler]: frames, request and response headers, the
// order of replies, limits on what clients can do, TCP and a pipe in memory.
//
// It knows no API beyond what framing needs, holds no state of topics or groups, and dials nobody.
//
// # Life of a request
//
//	4 bytes size, key → limits → room on the connection → budget of the node → frame into a pooled buffer → header
//	→ Handler.Serve → Reply: at once, or queued behind others, or Later → written → buffers back to the pool
//
// No byte reaches kmsg unchecked: [Decode] first walks the body with a schema (schema.go) that bounds every count,
// length and tag, and charges the memory that decoding will take.
//
// # Goroutines and locks
//
// A [Server] owns one goroutine per listener, that of the caller of Serve, and two per connection:
//
//   - The reader reads frames and calls Handler.Serve. When nothing is queued and no further request is in its buffer
//     it also writes the reply: the common case costs no hand-over. When it must not read (pipeline full, budget used
//     up, throttled) it parks, and still notices that the client hung up.
//   - The writer takes replies from the front of the queue, runs Later where it must, and writes what is ready in one
//     vectored write; regions of files go by sendfile on Linux.
//
// The outbox with the buffers of a write belongs to the writer while the queue is not empty, else to the reader. Locks:
// one per connection over its queue, one for the budget, one for admission, one for the sets of connections. None is
// held across I/O or a call of the handler, and none is taken while another is held. Server.Close waits for all
// goroutines.
//
// A panic of a handler closes its connection, is counted and logged with its stack; it touches nothing else.
//
// # Example
//
//	server := wire.NewServer(wire.Config{Handler: broker, Versions: versions, Logger: logger})
//	ln, err := wire.Listen("127.0.0.1:9092", false)
//	…
//	go server.Serve(ln, wire.ListenerInfo{Name: "plain", Host: "127.0.0.1", Port: 9092})
//	pipe := wire.Pipe()
//	go server.Serve(pipe, wire.ListenerInfo{Name: "internal", Internal: true})
//	conn, err := pipe.Dial(ctx)
//	…
//	server.Close()
package wire
