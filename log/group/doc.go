// Package group is the group coordinator as a pure machine: classic consumer groups and their committed offsets.
//
// A [Machine] holds every group of one partition of __consumer_offsets. It is a function of (state, request, now) to (replies, records), for the
// APIs 8, 9, 11–16, 42 and 47. A host (log/coordinator) appends the records, applies them, and sends the replies when the records are committed.
// It starts no goroutine, takes no lock, reads no clock of its own and touches no disk or socket; it does not authorise, and it does not know which
// partition a group belongs to ([Split] cuts requests about several groups).
//
// # One way in
//
// [Machine.Apply] is the only code that changes durable state, live and while loading. What a request wants to become durable, it emits as a record;
// what is not durable (a rebalance under way, parked requests, timers, member ids that were given out) it changes at once. So an append that fails
// leaves nothing to undo, and a restart cannot differ: it finds each group at its last Empty or Stable state, and members that were about to join
// join again. The tests load a second machine after every single step and compare.
//
// # The life of a group
//
//	        first join            all joined, or time is up            leader's sync is applied
//	Empty ─────────────► Preparing ─────────────► Completing ─────────────► Stable
//	  ▲                      ▲   generation + 1        │ a join, a leave,      │
//	  │                      └─────────────────────────┴───────────────────────┘
//	  └── the last member leaves or its session ends: generation + 1
//
// Joins are parked in PreparingRebalance, syncs in CompletingRebalance. A member may commit, heartbeat and sync only with the generation that is;
// in PreparingRebalance it still owns what it had, in CompletingRebalance nobody owns anything.
//
// # Records
//
// The formats are Kafka's, so that its tools read them: OffsetCommitKey v1 with value v4 (v3 if the topic's id is unknown), GroupMetadataKey v2 with value v3.
//
//	offset  key    version(2)=1 group(str) topic(str) partition(4)
//	        value  version(2)=4 offset(8) leaderEpoch(4) metadata(compact str) commitTime(8) tags: 0 = topic id(16)
//	group   key    version(2)=2 group(str)
//	        value  version(2)=3 protocolType(str) generation(4) protocol(str?) leader(str?) stateTime(8)
//	               members: id(str) instance(str?) client(str) host(str) rebalance ms(4) session ms(4) subscription(bytes) assignment(bytes)
//
// A group's record is written when it becomes Stable or Empty and when a static member changes its id. The offset record with the higher offset in
// the log counts. An offset belongs to a topic id: a topic that is made again under an old name has none.
//
// # Where it differs from Kafka
//
//   - A static member that comes back wanting other topics starts a rebalance. Kafka compares the name of the protocol only.
//   - A parked join whose connection died counts as not joined, so a dead client does not become a member of the next generation.
//   - The retention of an empty group's offset counts from the later of its commit and the end of the last member.
//   - There are limits: see Config.
//
// Example:
//
//	m := group.New(group.Config{NewMemberID: func(prefix string) string { return prefix + "-" + uuid.New().String() }})
//	effects := m.Handle(now, token, group.Client{ID: "app"}, request)
//	// append effects.Records; for each: m.Apply(record, itsOffset); then send effects.Replies
package group
