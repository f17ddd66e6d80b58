// Package broker is the Kafka API: the table between frames and their owners. One file per API key, named after it, so that a listing of the
// folder is the list of what is served; a new key is one file and one row in table.go.
//
// A handler decodes (the bounded walker of wire runs first), calls one owner (replica, metadata, coordinator) and encodes. It decides nothing
// about records, topics or groups; codes.go turns the owners' errors into Kafka's codes. What the broker itself owns: the fetch sessions
// (sessions.go), the leaders of this node's partitions, kept in step with the metadata image (leaders.go), and the current block of producer ids.
//
// It starts no goroutine. Handlers run on the connection's reading goroutine; what has to wait (a high watermark, a group) is returned as a
// function that the connection's writing goroutine runs when the reply's turn has come. Locks: one over the table of fetch sessions, one in each
// of them and one over the leaders guard memory alone. Three more keep a slow thing from being done twice and are held while it is done: making (directories of new
// topics; the leaders' lock nests in it), the block of producer ids, the making of the offsets topic.
//
// What it refuses to be: a second place for rules. A handler that has to know what a record, a topic or a group may do asks the package that does.
//
//	b, err := broker.New(broker.Config{NodeID: 1, Quorum: quorum, Directory: directory, FS: fs})
//	server := wire.NewServer(wire.Config{Handler: b, Versions: b.Versions()})
//	go server.Serve(listener, wire.ListenerInfo{Name: "kafka", Host: "127.0.0.1", Port: 9092})
package broker
