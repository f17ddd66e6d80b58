package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/log/client"
)

const (
	pollEvery   = 100 * time.Millisecond
	settle      = 2 * time.Second  // between the writing of the input and the start of the application
	runTimeout  = 10 * time.Minute // of the application
	exitTimeout = 30 * time.Second // after SIGTERM
)

// outcome is one line of the result file. CPU is in seconds of user and system time.
type outcome struct {
	Arm, Case  string
	Records    int   // of the input
	Outputs    int64 // of the output topic
	Digest     string
	Wall       float64 // from the start of the application until every output and offset is in the log
	AppCPU     float64
	BrokerCPU  float64
	AppPeakMiB int
	BrokerMiB  int // at the end
}

// sample is what has been used at one time since the application was started.
type sample struct {
	wall, app, broker time.Duration
	outputs           int64
}

type runner struct {
	log        *client.Client
	kind, name string
	broker     int // process id
	in         *input
	brokerCPU  time.Duration // before the application
	started    time.Time
	child      *exec.Cmd
	exited     chan error
}

// run measures one run of one arm and prints an outcome.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	arm := flags.String("arm", "", "name of the arm")
	kind := flags.String("case", "wordcount", "wordcount or join")
	name := flags.String("run", fmt.Sprintf("compare-%d", time.Now().UnixMilli()), "application id and beginning of topic names")
	brokers := flags.String("brokers", "127.0.0.1:9092", "host:port of the broker")
	pid := flags.Int("pid", 0, "process id of the broker")
	records := flags.Int("records", 1_000_000, "records of the stream")
	threads := flags.String("threads", "1", "worker threads of the application")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 || *pid == 0 {
		return errors.New(usage)
	}
	log, err := client.New(client.Config{Brokers: strings.Split(*brokers, ",")})
	if err != nil {
		return err
	}
	defer log.Close()
	r := &runner{log: log, kind: *kind, name: *name, broker: *pid, exited: make(chan error, 1)}
	if r.in, err = load(ctx, log, *kind, *name, *records); err != nil {
		return fmt.Errorf("cannot load: %w", err)
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	command := append(flags.Args(), *kind, *brokers, *name, *threads)
	out, err := r.measure(ctx, command)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", *arm, *kind, err)
	}
	out.Arm, out.Case, out.Records = *arm, *kind, *records
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return err
	}
	return r.clean(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *runner) measure(ctx context.Context, command []string) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var err error
	if r.brokerCPU, err = cpuOf(r.broker); err != nil {
		return nil, err
	}
	r.child = exec.Command(command[0], command[1:]...)
	r.child.Stdout, r.child.Stderr = os.Stderr, os.Stderr
	r.started = time.Now()
	if err := r.child.Start(); err != nil {
		return nil, err
	}
	go func() { r.exited <- r.child.Wait() }()
	last, err := r.watch(ctx)
	var out *outcome
	if err == nil {
		out, err = r.outcomeOf(last)
	}
	if err = errors.Join(err, r.end()); err != nil {
		return nil, err
	}
	digest, err := results(ctx, r.log, r.kind, r.name+"-output")
	if err != nil {
		return nil, fmt.Errorf("cannot read results: %w", err)
	}
	if digest != r.in.digest {
		return nil, fmt.Errorf("results are wrong: digest %x, not %x", digest, r.in.digest)
	}
	out.Digest = fmt.Sprintf("%016x", digest)
	return out, nil
}

// watch waits until everything is done, and returns what has been used until then.
func (r *runner) watch(ctx context.Context) (last sample, err error) {
	for {
		select {
		case err := <-r.exited:
			r.exited <- err
			return last, fmt.Errorf("application ended early: %w", err)
		case <-ctx.Done():
			return last, fmt.Errorf("after %v, %d of %d outputs: %w", last.wall, last.outputs, r.in.outputs, ctx.Err())
		case <-time.After(pollEvery):
		}
		if last, err = r.sample(ctx); err != nil {
			return last, err
		}
		if last.outputs > r.in.outputs {
			return last, fmt.Errorf("%d outputs, expected %d", last.outputs, r.in.outputs)
		}
		if last.outputs < r.in.outputs {
			continue
		}
		if done, err := r.committed(ctx); err != nil || done {
			return last, err
		}
	}
}

func (r *runner) sample(ctx context.Context) (s sample, err error) {
	s.wall = time.Since(r.started)
	if s.app, err = cpuOf(r.child.Process.Pid); err != nil {
		return s, err
	}
	if s.broker, err = cpuOf(r.broker); err != nil {
		return s, err
	}
	s.broker -= r.brokerCPU
	ends, err := endOffsets(ctx, r.log, r.name+"-output")
	for _, end := range ends {
		s.outputs += end
	}
	return s, err
}

// committed says whether the application's group has committed the ends of the input and of all that it has ever committed
// for, repartition topics among it.
func (r *runner) committed(ctx context.Context) (bool, error) {
	offsets, err := r.log.Admin().FetchOffsets(ctx, r.name)
	if err != nil {
		return false, err
	}
	seen := make(map[string]bool)
	topics := append([]string(nil), r.in.topics...)
	for _, t := range topics {
		seen[t] = true
	}
	for tp := range offsets {
		if !seen[tp.Topic] {
			seen[tp.Topic] = true
			topics = append(topics, tp.Topic)
		}
	}
	ends, err := endOffsets(ctx, r.log, topics...)
	if err != nil {
		return false, err
	}
	for tp, end := range ends {
		if end > 0 && offsets[tp].Offset != end {
			return false, nil
		}
	}
	return true, nil
}

func (r *runner) outcomeOf(last sample) (*outcome, error) {
	peak, err := memoryOf(r.child.Process.Pid, true)
	if err != nil {
		return nil, err
	}
	broker, err := memoryOf(r.broker, false)
	if err != nil {
		return nil, err
	}
	return &outcome{
		Outputs: last.outputs, Wall: last.wall.Seconds(), AppCPU: last.app.Seconds(), BrokerCPU: last.broker.Seconds(),
		AppPeakMiB: peak, BrokerMiB: broker,
	}, nil
}

// end stops the application and waits for it.
func (r *runner) end() error {
	if err := r.child.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-r.exited:
		return nil
	case <-time.After(exitTimeout):
		return errors.Join(fmt.Errorf("application did not end within %v", exitTimeout), r.child.Process.Kill())
	}
}

// clean deletes the topics and the group of the run.
func (r *runner) clean(ctx context.Context) error {
	all, err := r.log.Admin().Topics(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range all {
		if strings.HasPrefix(t.Name, r.name+"-") {
			names = append(names, t.Name)
		}
	}
	errs, err := r.log.Admin().DeleteTopics(ctx, names...)
	return errors.Join(append(errs, err)...)
}
