// Package metadata is the controller quorum: one raft group that holds what every broker must agree on (topics, partitions, leaders and epochs,
// brokers, configurations, producer ids, feature levels), and never a record. A node alone is a quorum of one voter and runs the same code as a
// quorum of three; only the transport and raft's patience differ.
//
// What it refuses to be: a store for data, offsets or group state; a place that deletes anything on disk; a judge of liveness (there are no
// heartbeats of brokers yet); a forwarder of proposals: a voter that does not lead answers ErrNotController.
//
// # State
//
// The state is an Image: immutable, behind an atomic pointer. A change is a command, encoded as one entry of raft's log; applying it is a pure
// function of image, command and log position, so that every node and every replay comes to the same image. Whatever is random, of today's clock or
// of today's limits is put into the command by who proposes it. What a client asks for is checked by the proposer against its own image; what
// depends on order (the name is free, the nodes have room) is checked again when it is applied. Entries and snapshots carry a version: a newer one
// is refused, at the start with an error, later by stopping the node.
//
// # Goroutines and locks
//
// raft owns its goroutines; one of them applies. Quorum owns one that claims every leadership it wins with an entry of its own, which is what makes
// the leader "caught up" and lets Open return. Each proposal waits on one short-lived goroutine, at most maxProposals of them. Subscribers run on
// the applying goroutine, in order, and before the proposer's call returns. There is no recover: a panic while applying ends the process. The locks
// (subscribers, latch) nest in nothing and are held over no call of others, but for the latch, which tells raft to stop.
//
// # Disk
//
// raft.db is bbolt's, snapshots/ is hashicorp/raft's; both stand outside the disk seam. A latch stands between them and raft: the first error of
// any of them stops this member for good (Failed, Err), because raft alone would only log it. If it is the vote or the term that cannot be saved
// raft itself panics, which ends the process, too.
//
// # Example
//
//	quorum, err := metadata.Open(metadata.Config{Dir: "data/raft", NodeID: 1})
//	if err != nil {
//		return err
//	}
//	defer quorum.Close()
//	_, err = quorum.RegisterBroker(ctx, metadata.Registration{NodeID: 1, Incarnation: uuid.New(), Unclean: !directory.CleanStart()})
//	results := quorum.CreateTopics(ctx, []metadata.TopicSpec{{Name: "orders", Partitions: 12, ReplicationFactor: metadata.UseDefault}}, false)
//	topic, ok := quorum.Image().Topic("orders")
package metadata
