package broker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/coordinator"
	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/replica"
)

// fill leaves no room on the disk; the function that it returns gives it back.
func (r *rig) fill() (empty func()) {
	r.t.Helper()
	free, err := r.fs.Free()
	r.must(err)
	r.fs.SetCapacity(disk.DefaultCapacityBytes - free)
	return func() { r.fs.SetCapacity(disk.DefaultCapacityBytes) }
}

func (r *rig) tryTopic(name string) error {
	r.t.Helper()
	result := r.quorum.CreateTopics(r.t.Context(), []metadata.TopicSpec{{Name: name, Partitions: 2, ReplicationFactor: 1}}, false)[0]
	r.must(result.Err)
	return r.broker.leaders.madeHere(result.Topic)
}

// TestTopicThatHadNoSpaceIsMadeLater: the topic is in the metadata, the directories could not be made. It is served once there is space, without a restart.
func TestTopicThatHadNoSpaceIsMadeLater(t *testing.T) {
	r := newRig(t, nil)
	empty := r.fill()
	if err := r.tryTopic("t"); !errors.Is(err, partition.ErrNoSpace) {
		t.Fatalf("the topic is made on a full disk: %v", err)
	}
	c := r.dial()
	want(t, "produce to a topic that is not made", c.produce("t", plain(t, "a")).ErrorCode, kerr.KafkaStorageError)
	empty()
	await(t, "the topic is made", func() bool { return c.produce("t", plain(t, "a")).ErrorCode == 0 })
	r.kill()
	r.start()
	if end := r.dial().end("t"); end != 1 {
		t.Errorf("the log ends at %d, want 1", end)
	}
}

// TestTopicThatHadNoSpaceIsMadeAtTheNextStart: the mark of made topics does not pass it, though a later topic is made.
func TestTopicThatHadNoSpaceIsMadeAtTheNextStart(t *testing.T) {
	r := newRig(t, nil)
	empty := r.fill()
	if err := r.tryTopic("early"); !errors.Is(err, partition.ErrNoSpace) {
		t.Fatalf("the topic is made on a full disk: %v", err)
	}
	empty()
	r.must(r.tryTopic("late"))
	c := r.dial()
	await(t, "there is space", func() bool { return c.produce("late", plain(t, "a")).ErrorCode == 0 })
	r.kill()
	r.start()
	c = r.dial()
	c.mustProduce("early", plain(t, "a"))
	if end := c.end("late"); end != 1 {
		t.Errorf("the log of the later topic ends at %d, want 1", end)
	}
}

// TestCreateTopicsOnAFullDisk: nobody is told that a topic is there whose directories are not.
func TestCreateTopicsOnAFullDisk(t *testing.T) {
	r := newRig(t, nil)
	empty := r.fill()
	c := r.dial()
	for range 2 { // before and after the directory knows that the disk is full
		for _, name := range []string{"a", "b"} {
			resp := ask[*kmsg.CreateTopicsResponse](c, createRequest(name))
			if code := resp.Topics[0].ErrorCode; code != kerr.KafkaStorageError.Code && code != kerr.TopicAlreadyExists.Code {
				t.Errorf("create %s: %v", name, kerr.ErrorForCode(code))
			}
		}
	}
	if _, ok := r.quorum.Image().Topic("b"); ok {
		t.Error("a topic was made after the disk was known to be full")
	}
	empty()
	await(t, "topics can be made", func() bool {
		code := ask[*kmsg.CreateTopicsResponse](c, createRequest("b")).Topics[0].ErrorCode
		return code == 0 || code == kerr.TopicAlreadyExists.Code
	})
	c.mustProduce("b", plain(t, "x"))
}

func createRequest(name string) *kmsg.CreateTopicsRequest {
	req := versioned(kmsg.NewPtrCreateTopicsRequest(), 7)
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	req.Topics = append(req.Topics, topic)
	return req
}

// TestOffsetsTopicIsReserved: made by a client, with another number of partitions, it would take every group down.
func TestOffsetsTopicIsReserved(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial()
	resp := ask[*kmsg.CreateTopicsResponse](c, createRequest(offsetsTopic))
	want(t, "create the offsets topic", resp.Topics[0].ErrorCode, kerr.InvalidTopicException)
	for i := range 8 {
		c.coordinator(fmt.Sprint("group", i))
	}
}

// TestStorageErrorsOfGroups: members of groups know no storage errors, and retry when the coordinator is not available.
func TestStorageErrorsOfGroups(t *testing.T) {
	for _, cause := range []error{partition.ErrNoSpace, partition.ErrDirectoryFailed, replica.ErrNotLeader, &partition.OfflineError{}} {
		if got := codeOf(fmt.Errorf("%w: cannot append: %w", coordinator.ErrUnavailable, cause)); got != kerr.CoordinatorNotAvailable {
			t.Errorf("%v becomes %v", cause, got)
		}
	}
	if got := codeOf(fmt.Errorf("%w: %w", coordinator.ErrTooLarge, partition.ErrTooLargeForSegment)); got != kerr.UnknownServerError {
		t.Errorf("records that never fit become %v", got)
	}
}
