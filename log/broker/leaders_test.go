package broker

import (
	"errors"
	"testing"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/partition"
)

// TestUnknownDirectoriesAreKept: that metadata does not know a directory is no reason to destroy it (mutant M24).
func TestUnknownDirectoriesAreKept(t *testing.T) {
	r := newRig(t, nil)
	stray := partition.ID{Topic: uuid.New()}
	r.must(r.dir.Create(partition.Spec{ID: stray, Name: "unknown"}))
	r.stop()
	r.start()
	strays, err := r.dir.Strays()
	r.must(err)
	if len(strays) != 1 || strays[0] != stray {
		t.Errorf("the directories that no topic owns are %v, want %v", strays, stray)
	}
}

// TestLostDirectoryIsNotMadeAgain: a partition whose directory is gone is offline. Making it empty would hand out its offsets a second time.
func TestLostDirectoryIsNotMadeAgain(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	topic, _ := r.quorum.Image().Topic("t")
	id := partition.ID{Topic: topic.ID}
	r.stop()
	entries, err := r.fs.List(id.String())
	r.must(err)
	for _, e := range entries {
		r.must(r.fs.Remove(id.String() + "/" + e.Name))
	}
	r.must(r.fs.Remove(id.String()))
	r.start()
	if _, err := r.dir.Log(id); err == nil {
		t.Fatal("the log is served")
	}
	req := versioned(kmsg.NewPtrMetadataRequest(), 9)
	name := "t"
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	resp := ask[*kmsg.MetadataResponse](r.dial(), req)
	if p := resp.Topics[0].Partitions[0]; p.Leader != -1 || !errors.Is(kerr.ErrorForCode(p.ErrorCode), kerr.LeaderNotAvailable) || len(p.OfflineReplicas) != 1 {
		t.Errorf("metadata shows %+v", p)
	}
}

// TestDirectoryThatACrashKeptFromBeingMadeIsMade: the topic is in the metadata, and nobody was told that it is there.
func TestDirectoryThatACrashKeptFromBeingMadeIsMade(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	topic, _ := r.quorum.Image().Topic("t")
	id := partition.ID{Topic: topic.ID}
	r.stop()
	r.must(madeMark{fs: r.fs}.store(topic.Created - 1))
	entries, err := r.fs.List(id.String())
	r.must(err)
	for _, e := range entries {
		r.must(r.fs.Remove(id.String() + "/" + e.Name))
	}
	r.must(r.fs.Remove(id.String()))
	r.start()
	_, err = r.dir.Log(id)
	r.must(err)
}
