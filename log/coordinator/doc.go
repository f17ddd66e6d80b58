// Package coordinator hosts deterministic state machines whose memory is a partition of a topic.
//
// A [Host] serves one topic, such as __consumer_offsets. Where this node leads a partition, the broker calls [Host.Elect]; the host loads the
// partition into a new [Machine] and serves it till [Host.Resign]. A request is handled like this:
//
//	lock shard → Machine.Handle → append the records → Machine.Apply each → unlock
//	          → wait until the high watermark covers the log end seen under the lock → reply
//
// Loading is the same Apply, so a live machine and a loaded one cannot differ. Reads wait for the high watermark as well: nobody is told of
// state that a crash could take back. The wait is outside the lock, so one group commit covers every request that came meanwhile. An append
// that fails applies nothing: whoever it would have answered gets [ErrUnavailable].
//
// It refuses to know what the machines are about (groups, transactions), who leads what, and where the bytes are kept: [Log] is all it needs
// of a partition.
//
// Goroutines: one timer goroutine per host, started by [NewHost] and ended by [Host.Close], drives Machine.Tick; one per partition while it
// loads. A request runs on its caller's goroutine, the wait for the high watermark too.
// Locks: one mutex per shard, held over Handle, Append and Apply, never over a wait. The log's lock may be taken below it; a Log must not call back.
//
//	host := coordinator.NewHost(coordinator.Config{
//		Topic:      "__consumer_offsets",
//		Partitions: 50,
//		New:        func() coordinator.Machine { return group.New(group.Config{NewMemberID: newID}) },
//	})
//	defer host.Close()
//	host.Elect(7, epoch, log)
//	response, err := host.Submit(ctx, "my-group", coordinator.Client{ID: "kcat"}, request)
package coordinator
