// Package engine runs a streams program: nodes compiled to typed closures, tasks that drive them, their state and what they
// commit.
//
// The core is pure. A [Task] takes raw records ([Input]) and gives raw records to a [Collector]; it starts no goroutine, takes
// no lock, reads no clock but the one it is given, and knows no log client. It is not the DSL (package streams makes the
// nodes) and not a store (streams/state).
//
// One goroutine owns a task. [Globals] alone is shared: its lock covers one lookup or update.
//
// The life of a task:
//
//  1. NewTask compiles the program; the stores are empty.
//  2. Restore applies the changelogs (Changelogs names them).
//  3. Start takes up the committed positions and initialises processors.
//  4. Add queues records, Process takes the one with the lowest timestamp through the topology; Punctuate fires wall-clock
//     punctuators between records.
//  5. To commit: Flush, then wait until the collector's records are durable, then commit Positions, all of them at once.
//  6. Close ends the processors. After an error of 4 or 5 the task can only be closed; go on from the last commit with a
//     new one.
//
// As the worker does it, errors left out:
//
//	task, err := engine.NewTask(program, engine.TaskConfig{ID: id, ApplicationID: "shop", Collector: producer, Now: wallClock})
//	task.Restore("counts", key, value, ts) // each record of the changelog
//	task.Start(committed)
//	task.Add("orders", 0, records)
//	task.ProcessAll(500)
//	task.Flush() // … and when the producer is flushed:
//	group.Commit(task.Positions())
package engine
