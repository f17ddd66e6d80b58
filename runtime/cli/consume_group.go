package cli

import (
	"context"
	"time"

	"github.com/millrace/millrace/log/client"
)

// leaveTimeout bounds the good-bye of a member.
const leaveTimeout = 5 * time.Second

// groupReader reads as a member of a group.
type groupReader struct {
	c      *client.Client
	member *client.Group
	out    *recordWriter
	reset  client.Reset
	exit   bool
	// left are the partitions of this member that have not reached the end they had when they were assigned, by that end; for --exit
	left   map[client.TopicPartition]int64
	joined bool
	failed error // of a callback
}

// consumeAsGroup reads as a member of a group and commits what was printed.
func consumeAsGroup(ctx context.Context, c *client.Client, topics []client.Topic, f consumeFlags, where span, out *recordWriter) error {
	g := &groupReader{c: c, out: out, exit: f.exit, left: make(map[client.TopicPartition]int64)}
	if where.from.anchor == fromEnd {
		g.reset = client.ResetLatest
	}
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	member, err := c.JoinGroup(client.GroupConfig{
		ID: f.group, Topics: names, Reset: g.reset,
		OnAssigned: func(a client.Assigned) { g.assigned(ctx, a.Added) },
		OnRevoked:  g.forget,
		OnLost:     g.forget,
	})
	if err != nil {
		return err
	}
	g.member = member
	err = g.run(ctx)
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if leaveErr := member.Leave(leaving); err == nil {
		err = leaveErr
	}
	return err
}

func (g *groupReader) run(ctx context.Context) error {
	for !g.exit || !g.joined || len(g.left) > 0 {
		all, err := g.member.Poll(ctx)
		if err == nil {
			err = g.failed
		}
		if err != nil {
			return err
		}
		commit := make(map[client.TopicPartition]client.OffsetAndMetadata)
		stop, err := g.print(all, commit)
		if err != nil {
			return err
		}
		// An interrupt does not lose the commit of what was printed.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		err = g.member.Commit(late, commit)
		cancel()
		if err != nil || stop {
			return err
		}
	}
	return nil
}

// print prints what was fetched and notes what may be committed. stop: the last record that was asked for is out.
func (g *groupReader) print(all []client.Fetched, commit map[client.TopicPartition]client.OffsetAndMetadata) (stop bool, err error) {
	for i := range all {
		f := &all[i]
		for j := range f.Records {
			r := &f.Records[j]
			commit[f.TopicPartition] = client.OffsetAndMetadata{Offset: r.Offset + 1, LeaderEpoch: r.LeaderEpoch}
			if stop, err := g.out.record(r); stop || err != nil {
				return stop, err
			}
		}
		if f.Err != nil {
			return false, f.Err
		}
		if end, ok := g.left[f.TopicPartition]; ok && f.Next >= end {
			delete(g.left, f.TopicPartition)
		}
	}
	return false, g.out.flush()
}

// assigned finds out, for --exit, which of the new partitions have something to read.
func (g *groupReader) assigned(ctx context.Context, added []client.TopicPartition) {
	g.joined = true
	if !g.exit || len(added) == 0 {
		return
	}
	starts, ends := make(map[client.TopicPartition]int64), make(map[client.TopicPartition]int64)
	for _, tp := range added {
		starts[tp], ends[tp] = client.Earliest, client.Latest
	}
	committed, err := g.member.Committed(ctx, added...)
	if err != nil {
		g.failed = err
		return
	}
	first := g.c.Admin().ListOffsets(ctx, client.ReadUncommitted, starts)
	for tp, last := range g.c.Admin().ListOffsets(ctx, client.ReadUncommitted, ends) {
		if last.Err != nil {
			g.failed = last.Err
			return
		}
		at := first[tp].Offset
		if o, ok := committed[tp]; ok {
			at = o.Offset
		} else if g.reset == client.ResetLatest {
			at = last.Offset
		}
		if at < last.Offset {
			g.left[tp] = last.Offset
		}
	}
}

func (g *groupReader) forget(gone []client.TopicPartition) {
	for _, tp := range gone {
		delete(g.left, tp)
	}
}
