package worker

import (
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams/topology"
)

// resets are the topics that do not start as the others: the program's own are always read whole.
func (w *worker) resets() map[string]client.Reset {
	by := make(map[string]client.Reset)
	for _, topic := range w.plan.topics() {
		switch w.startPolicy(topic).Policy {
		case topology.StartEarliest:
			by[topic] = client.ResetEarliest
		case topology.StartLatest:
			by[topic] = client.ResetLatest
		case topology.StartCommitted:
			by[topic] = client.ResetNone
		}
	}
	for topic, reset := range w.cfg.ResetByTopic {
		by[topic] = reset
	}
	for _, t := range w.plan.internal {
		by[t.Name] = client.ResetEarliest
	}
	return by
}

// startTimes are the topics that start at a time, in ms: those whose source says how far back.
func (w *worker) startTimes(now time.Time) map[string]int64 {
	at := make(map[string]int64)
	for _, topic := range w.plan.topics() {
		_, configured := w.cfg.ResetByTopic[topic]
		if start := w.startPolicy(topic); start.Policy == topology.StartBack && !configured {
			at[topic] = now.Add(-start.Back).UnixMilli()
		}
	}
	return at
}

// startPolicy is what the source of a topic says; that of the program's own topics says nothing.
func (w *worker) startPolicy(topic string) topology.Start {
	if n := w.cfg.Program.Graph.SourceOf(topic); n != nil {
		return n.Start
	}
	return topology.Start{}
}
