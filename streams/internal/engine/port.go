package engine

import (
	"context"
	"fmt"
)

// Next takes one record and everything that follows from it.
type Next[R any] func(r *R) error

// Port is a node's output while the program is built: the recipes of all nodes below. Compiling it for a task gives one Next.
type Port[R any] struct {
	children []child[R]
}

type child[R any] struct {
	name    string // of the node
	compile func(*Build) Next[R]
}

// To adds a node below.
func (p *Port[R]) To(name string, compile func(*Build) Next[R]) {
	p.children = append(p.children, child[R]{name, compile})
}

// compile makes the nodes below for one task. They run in the order in which they were added.
func (p *Port[R]) compile(b *Build) Next[R] {
	next, _ := p.compileNamed(b)
	return next
}

// compileNamed is compile that also gives each of the nodes by its name.
func (p *Port[R]) compileNamed(b *Build) (Next[R], map[string]Next[R]) {
	all := make([]Next[R], len(p.children))
	byName := make(map[string]Next[R], len(p.children))
	for i, c := range p.children {
		all[i] = c.compile(b)
		byName[c.name] = all[i]
	}
	return inOrder(all), byName
}

// inOrder hands a record to one node after the other.
func inOrder[R any](all []Next[R]) Next[R] {
	switch len(all) {
	case 0:
		return func(*R) error { return nil }
	case 1:
		return all[0]
	}
	return func(r *R) error {
		for _, next := range all {
			if err := next(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// Build is the compilation of a program for one task.
type Build struct {
	task   *Task
	ctx    context.Context
	shared map[any]any
	err    error // the first mistake that a recipe found
}

// Maker makes a node's function for one task. ctx is the task's: see TaskConfig.Context.
type Maker[F any] func(ctx context.Context) F

// Always is the Maker of a function that needs no context.
func Always[F any](f F) Maker[F] { return func(context.Context) F { return f } }

// Shared compiles what several parents lead to, once per task: key identifies it, usually a pointer to its Port.
func Shared[T any](b *Build, key any, compile func(*Build) T) T {
	if made, ok := b.shared[key]; ok {
		return made.(T)
	}
	made := compile(b)
	b.shared[key] = made
	return made
}

// Site is what a node knows of its place: its name, its task and what to do with errors.
type Site struct {
	task    *Task
	name    string
	on      Handler
	dropped map[string]int64 // by reason; nil at first
}

func (b *Build) site(n Node) *Site {
	s := &Site{task: b.task, name: n.Name, on: n.OnError}
	b.task.sites = append(b.task.sites, s)
	return s
}

// here marks the node as the one at work, to which a panic is put down. A node says so before it calls a function or codec of
// the user; again, when nodes below have worked meanwhile.
func (s *Site) here() { s.task.at = s }

// Node is what all nodes have.
type Node struct {
	Name    string
	OnError Handler // the zero Handler leaves it to the task's configuration
}

func (s *Site) scratch() *Scratch { return &s.task.scratch }

// Stage is where an error came from.
type Stage uint8

const (
	Decoding   Stage = iota // bytes that are no value
	Processing              // a function of the user
	Encoding                // a value that has no bytes
)

func (s Stage) String() string {
	switch s {
	case Decoding:
		return "decode"
	case Encoding:
		return "encode"
	}
	return "process"
}

// Action is what to do with a record that failed.
type Action uint8

const (
	Unset    Action = iota
	Fail            // stop the task with the error
	Continue        // drop the record at this node, and count it
	DeadLetter
)

// Handler decides about failed records.
type Handler struct {
	Action Action
	Topic  string // of DeadLetter
}

// failed decides about an error of this node: nil means that the record ends here, and the task goes on.
func (s *Site) failed(stage Stage, err error) error {
	h := s.on
	if h.Action == Unset {
		h = s.task.cfg.onError(stage)
	}
	switch h.Action {
	case Continue:
		s.drop(stage.String())
		return nil
	case DeadLetter:
		if s.task.cur == s.task.idle {
			break // no record is to blame
		}
		s.drop(stage.String())
		return s.task.deadLetter(h.Topic, s.name, stage, err)
	}
	return s.wrap(stage, err)
}

func (s *Site) wrap(stage Stage, err error) error {
	return &RecordError{
		Task: s.task.id, Node: s.name, Stage: stage,
		Topic: s.task.cur.Topic, Partition: s.task.cur.Partition, Offset: s.task.cur.Offset, Err: err,
	}
}

// RecordError is the failure of one record, with its place.
type RecordError struct {
	Task      TaskID
	Node      string
	Stage     Stage
	Topic     string
	Partition int32
	Offset    int64
	Err       error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("cannot %s record %s-%d@%d in node %s of task %s: %v",
		e.Stage, e.Topic, e.Partition, e.Offset, e.Node, e.Task, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }
