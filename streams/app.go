package streams

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/internal/worker"
)

// Config is what an application needs beside its topology. ApplicationID and Log are required; every other field may be zero.
type Config struct {
	// ApplicationID names the application: its consumer group, and the beginning of its internal topics' names. All processes
	// that give the same one share the work, and must run the same topology.
	ApplicationID string
	// Log is where the topics are. The application opens connections of its own and does not close it.
	Log *client.Client

	// Workers is how many goroutines run tasks in this process; default 1. There are as many tasks as partitions, and a worker
	// runs any number of them.
	Workers int
	// CommitInterval is how much work a crash may repeat; default 1 s. A commit makes outputs, changelogs and offsets durable.
	CommitInterval time.Duration
	// StateDir is a folder for what this process must remember across restarts: for now an identity, by which it takes its tasks
	// again without a rebalance if it is back within 6 s. No two processes may share it. Empty: nothing is remembered, and the
	// tasks are free as soon as Run returns.
	StateDir string

	// OnDecodeError, OnProcessError and OnProduceError say what happens to records that cannot be decoded, for which a function or
	// processor fails, or whose results cannot be encoded; OnError overrides them per verb. Default Fail. With Continue as
	// OnProduceError also results that the log refuses, as too large for example, are dropped and counted.
	OnDecodeError, OnProcessError, OnProduceError Action

	// MaxBufferedRecords bounds, per partition, the records that wait for their turn; default 1000.
	MaxBufferedRecords int
	// TaskIdle is how long a task that reads several partitions waits, in wall-clock time, for one that is empty, so that records
	// are taken in order of their timestamps. By default it waits only for what the log is known to hold already; below zero it
	// waits for nothing.
	TaskIdle time.Duration
	// Reset says where reading begins in topics that the application has not committed offsets for; default ResetEarliest.
	// ResetByTopic overrides it.
	Reset        Reset
	ResetByTopic map[string]Reset
	// Compression is the codec of what is written; default none.
	Compression client.Compression

	// TopicTimeout bounds the wait for topics that do not exist yet; default 10 s.
	TopicTimeout time.Duration
	// CloseTimeout bounds the last commit once Run's context has ended; default 10 s.
	CloseTimeout time.Duration
	// Logger gets transitions and warnings, never records. Nil: silence.
	Logger *slog.Logger
	// OnStateChange is called on one goroutine, in order. It must not block, nor wait for Run.
	OnStateChange func(from, to State)
}

// Reset says where reading begins without a committed offset.
type Reset = client.Reset

const (
	ResetEarliest = client.ResetEarliest
	ResetLatest   = client.ResetLatest
	ResetNone     = client.ResetNone // Run fails with client.ErrNoCommittedOffset
)

// State is where an application is in its life: Kafka Streams' states.
type State = worker.State

const (
	Created         = worker.Created
	Rebalancing     = worker.Rebalancing // waits for topics, tasks or their state
	Running         = worker.Running     // every task of this process runs
	PendingShutdown = worker.PendingShutdown
	NotRunning      = worker.NotRunning
	PendingError    = worker.PendingError
	Error           = worker.Error
)

// Stats is what this process's part of an application has done. Its fields: State; RecordsIn (processed), RecordsOut (written, changelogs
// included), Commits, Uncommitted and Repeated (records that the next crash, or an earlier one, does again) int64; Dropped, a
// map[string]int64 by reason, see the Dropped… constants; Partitions []PartitionStats; Workers []WorkerStats; Restores []RestoreStats.
type Stats = worker.Stats

// PartitionStats is how far one input partition has been processed. Its fields: Topic, Partition, Task; Position (the next offset to
// process), End (of the log as last seen) and Lag int64, -1 where unknown.
type PartitionStats = worker.PartitionStats

// WorkerStats is a worker's place in the application's group.
type WorkerStats = worker.WorkerStats

// RestoreStats is how far one store has been restored. Its fields: Topic and Partition of the changelog, Task, Store; Position (the next
// offset to read), Start and End int64.
type RestoreStats = worker.RestoreStats

// Errors of running an application.
var (
	// ErrMissingTopics is topics that the topology reads or writes and that did not appear within TopicTimeout.
	ErrMissingTopics = worker.ErrMissingTopics
	// ErrAlreadyRun is a second call of Run.
	ErrAlreadyRun = worker.ErrAlreadyRun
)

// App is this process's part of an application. Its methods may be called from any goroutine.
type App struct {
	instance *worker.Instance
	stateDir string
	id       string
}

// New prepares a topology to run. It reaches for nothing yet.
func New(topo *Topology, cfg Config) (*App, error) {
	if topo == nil {
		return nil, errors.New("cannot make application: no topology")
	}
	instance, err := worker.New(worker.Config{
		ApplicationID: cfg.ApplicationID, Program: topo.program, Log: cfg.Log,
		Workers: cfg.Workers, CommitInterval: cfg.CommitInterval, StateDir: cfg.StateDir,
		OnDecode: cfg.OnDecodeError.handler, OnProcess: cfg.OnProcessError.handler, OnEncode: cfg.OnProduceError.handler,
		MaxBuffered: cfg.MaxBufferedRecords, TaskIdle: cfg.TaskIdle, Reset: cfg.Reset, ResetByTopic: cfg.ResetByTopic,
		Compression: cfg.Compression, TopicTimeout: cfg.TopicTimeout, CloseTimeout: cfg.CloseTimeout,
		Logger: cfg.Logger, OnState: cfg.OnStateChange,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make application: %w", err)
	}
	return &App{instance: instance, stateDir: cfg.StateDir, id: cfg.ApplicationID}, nil
}

// Run works until ctx ends: then it finishes the record at hand, commits, leaves the group and returns nil. If something fails
// it returns why: ErrMissingTopics, ErrNotCopartitioned, a record that a function or serde refused (with its topic, partition
// and offset), a topic of the log that is gone. It runs once; what it did after the last commit is done again by the next Run of
// any process.
func (a *App) Run(ctx context.Context) error { return a.instance.Run(ctx) }

// State is where the application is in its life.
func (a *App) State() State { return a.instance.State() }

// Stats are the numbers of this process, at most a tenth of a second old.
func (a *App) Stats() Stats { return a.instance.Stats() }

// ErrRunning is a CleanUp beside Run.
var ErrRunning = errors.New("application is running")

// CleanUp deletes what the application keeps in StateDir: its identity. Its topics and offsets stay in the log.
func (a *App) CleanUp() error {
	if s := a.State(); s != Created && s != NotRunning && s != Error {
		return fmt.Errorf("cannot clean up application %s: %w", a.id, ErrRunning)
	}
	return worker.CleanUp(a.stateDir, a.id)
}
