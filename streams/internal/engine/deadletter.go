package engine

import (
	"errors"
	"fmt"
	"strconv"
)

// The headers of a dead letter, as Kafka Streams names them (KIP-1034).
const (
	headerException = "__streams.errors.exception"
	headerMessage   = "__streams.errors.message"
	headerStack     = "__streams.errors.stacktrace"
	headerTopic     = "__streams.errors.topic"
	headerPartition = "__streams.errors.partition"
	headerOffset    = "__streams.errors.offset"
)

// deadLetter writes the record in work, as it was read, to topic: with its own headers and those that say what happened. It
// goes the way of all outputs, so that it is committed together with the record's offset.
func (t *Task) deadLetter(topic, node string, stage Stage, cause error) error {
	in := t.cur
	headers := make([]Header, 0, len(in.Headers)+6)
	headers = append(headers, in.Headers...)
	message, stack := cause.Error(), fmt.Sprintf("%s in node %s of task %s", stage, node, t.id)
	if p, ok := errors.AsType[*PanicError](cause); ok {
		message, stack = fmt.Sprintf("panic: %v", p.Value), stack+"\n"+p.Stack
	}
	for _, h := range [...][2]string{
		{headerException, fmt.Sprintf("%T", cause)},
		{headerMessage, message},
		{headerStack, stack},
		{headerTopic, in.Topic},
		{headerPartition, strconv.Itoa(int(in.Partition))},
		{headerOffset, strconv.FormatInt(in.Offset, 10)},
	} {
		headers = append(headers, Header{Key: h[0], Value: []byte(h[1])})
	}
	out := Output{
		Topic: topic, Partition: AnyPartition, Timestamp: in.Timestamp,
		Key: in.Key, PartitionKey: in.Key, Value: in.Value, Headers: headers,
	}
	return t.cfg.Collector.Send(&out)
}
