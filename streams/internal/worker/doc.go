// Package worker runs a topology against a log: it makes the topics the topology needs, joins the application's group, makes
// tasks (package engine) for the partitions this process is given, restores their state, feeds them, and commits.
//
//	i, err := worker.New(worker.Config{ApplicationID: "shop", Program: program, Log: log})
//	err = i.Run(ctx)
//
// It is not the engine (which knows no log), has no state on disk but an identity, and leaves out what at-least-once does not
// need: transactions, and fencing of writes.
//
// # Goroutines and locks
//
// Instance.Run starts and waits for all of them: per worker one that owns the worker's tasks, and one that restores new tasks
// (restorer), which owns a task from add to take or remove; one that feeds the global tables. Callbacks of the group run on the
// worker's goroutine. What crosses between them: the restorer's inbox and results (restorer.mu), the end of a poll (worker.mu),
// the fate of outputs, which the client tells on a goroutine of its own (producer.mu), what this member holds (balancer.mu),
// published numbers (an atomic pointer), and the state (Instance.mu). No lock is held across a call to the client or to a
// callback of the user, and none nests in another.
//
// # What a worker guarantees
//
// A commit covers all tasks of a worker and has one order: stores' changes to their changelogs, flush of the producer, offsets.
// So whatever an offset says is done, is in the log. Work after the last commit is done again, by whoever has the task next.
package worker
