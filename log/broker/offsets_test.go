package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

func TestListOffsetsTimestamps(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.topic("empty", 1, nil)
	c := r.dial()
	// Offsets 0 to 4; the largest timestamp, 5000, is that of offset 1.
	b := record.NewBuilder(record.BuilderConfig{})
	for _, ts := range []int64{1000, 5000, 2000} {
		b.Add(ts, nil, []byte("v"))
	}
	batch, err := b.Build()
	r.must(err)
	c.mustProduce("t", batch)
	c.mustProduce("t", plain(t, "a", "b")) // 1000 and 1001
	r.deleteBefore("t", 1)
	const v = 11
	for _, tc := range []struct {
		name              string
		topic             string
		version           int16
		timestamp         int64
		offset, wantStamp int64
		code              *kerr.Error
	}{
		{"latest", "t", 1, -1, 5, -1, nil},
		{"latest", "t", v, -1, 5, -1, nil},
		{"earliest", "t", 1, -2, 1, -1, nil},
		{"max timestamp", "t", 7, -3, 1, 5000, nil},
		{"max timestamp too early", "t", 6, -3, -1, -1, kerr.UnsupportedVersion},
		{"earliest local", "t", 8, -4, 1, -1, nil},
		{"earliest local too early", "t", 7, -4, -1, -1, kerr.UnsupportedVersion},
		{"latest tiered", "t", 9, -5, -1, -1, nil},
		{"latest tiered too early", "t", 8, -5, -1, -1, kerr.UnsupportedVersion},
		{"earliest pending upload", "t", v, -6, -1, -1, nil},
		{"earliest pending upload too early", "t", 10, -6, -1, -1, kerr.UnsupportedVersion},
		{"a timestamp that means nothing", "t", v, -7, -1, -1, kerr.UnsupportedVersion},
		{"the first at or after", "t", 1, 1500, 1, 5000, nil},
		{"exactly", "t", v, 5000, 1, 5000, nil},
		{"later than all", "t", v, 5001, -1, -1, nil},
		{"the beginning of time", "t", v, 0, 1, 5000, nil},
		{"max timestamp of nothing", "empty", v, -3, -1, -1, nil},
		{"a timestamp in nothing", "empty", v, 0, -1, -1, nil},
		{"latest of nothing", "empty", v, -1, 0, -1, nil},
		{"an unknown topic", "nobody", v, -1, -1, -1, kerr.UnknownTopicOrPartition},
	} {
		p := c.listOffset(tc.version, tc.topic, tc.timestamp)
		want(t, tc.name, p.ErrorCode, tc.code)
		if p.Offset != tc.offset || p.Timestamp != tc.wantStamp {
			t.Errorf("%s, v%d: offset %d at %d, want %d at %d", tc.name, tc.version, p.Offset, p.Timestamp, tc.offset, tc.wantStamp)
		}
	}
}

func TestListOffsetsEpochs(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.dial().mustProduce("t", plain(t, "a"))
	r.kill()
	r.start()
	c := r.dial()
	now := r.epoch("t")
	c.mustProduce("t", plain(t, "b"))
	if p := c.listOffset(4, "t", -1); p.LeaderEpoch != now || p.Offset != 2 {
		t.Errorf("latest: offset %d in epoch %d, want 2 in %d", p.Offset, p.LeaderEpoch, now)
	}
	if p := c.listOffset(4, "t", -2); p.LeaderEpoch != 0 || p.Offset != 0 {
		t.Errorf("earliest: offset %d in epoch %d, want 0 in 0", p.Offset, p.LeaderEpoch)
	}
	for epoch, code := range map[int32]*kerr.Error{now - 1: kerr.FencedLeaderEpoch, now: nil, now + 1: kerr.UnknownLeaderEpoch} {
		req := listOffsetsOf(11, "t", -1)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
		want(t, "with an epoch", ask[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0].ErrorCode, code)
	}
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.dial().mustProduce("t", plain(t, "a", "b"))
	r.kill()
	r.start()
	c := r.dial()
	c.mustProduce("t", plain(t, "c"))
	now := r.epoch("t")
	for _, tc := range []struct{ asked, epoch, end int64 }{
		{0, 0, 2}, {int64(now), int64(now), 3}, {int64(now) + 1, -1, -1}, {1 << 30, -1, -1},
	} {
		for version := int16(2); version <= 4; version++ {
			p := ask[*kmsg.OffsetForLeaderEpochResponse](c, epochEndOf(version, "t", int32(tc.asked))).Topics[0].Partitions[0]
			want(t, "an epoch", p.ErrorCode, nil)
			if int64(p.LeaderEpoch) != tc.epoch || p.EndOffset != tc.end {
				t.Errorf("v%d, epoch %d: %d ends at %d, want %d at %d", version, tc.asked, p.LeaderEpoch, p.EndOffset, tc.epoch, tc.end)
			}
		}
	}
	for epoch, code := range map[int32]*kerr.Error{now - 1: kerr.FencedLeaderEpoch, now: nil, now + 1: kerr.UnknownLeaderEpoch} {
		req := epochEndOf(4, "t", 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
		want(t, "with an epoch", ask[*kmsg.OffsetForLeaderEpochResponse](c, req).Topics[0].Partitions[0].ErrorCode, code)
	}
	want(t, "an unknown topic", ask[*kmsg.OffsetForLeaderEpochResponse](c, epochEndOf(4, "nobody", 0)).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

// An epoch older than all is known to have ended where the first one starts.
func TestOffsetForLeaderEpochOlderThanAll(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	r.kill()
	r.start() // nothing was written in epoch 0
	c := r.dial()
	c.mustProduce("t", plain(t, "a"))
	p := ask[*kmsg.OffsetForLeaderEpochResponse](c, epochEndOf(4, "t", 0)).Topics[0].Partitions[0]
	if p.LeaderEpoch != 0 || p.EndOffset != 0 || p.ErrorCode != 0 {
		t.Errorf("epoch %d ends at %d (error %d), want epoch 0 at 0", p.LeaderEpoch, p.EndOffset, p.ErrorCode)
	}
}

func TestDeleteRecords(t *testing.T) {
	r := newRig(t, nil)
	r.topic("t", 1, nil)
	c := r.dial()
	c.coordinator("g")
	for range 4 {
		c.mustProduce("t", plain(t, "a"))
	}
	for _, tc := range []struct {
		name        string
		topic       string
		offset, low int64
		code        *kerr.Error
	}{
		{"in the middle", "t", 2, 2, nil},
		{"below the start", "t", 1, 2, nil},
		{"above the end", "t", 5, -1, kerr.OffsetOutOfRange},
		{"a negative offset", "t", -2, -1, kerr.OffsetOutOfRange},
		{"all", "t", -1, 4, nil},
		{"an internal topic", offsetsTopic, 0, -1, kerr.InvalidTopicException},
		{"an unknown topic", "nobody", 0, -1, kerr.UnknownTopicOrPartition},
	} {
		p := ask[*kmsg.DeleteRecordsResponse](c, deletionOf(2, tc.topic, tc.offset)).Topics[0].Partitions[0]
		want(t, tc.name, p.ErrorCode, tc.code)
		if p.LowWatermark != tc.low {
			t.Errorf("%s: low watermark %d, want %d", tc.name, p.LowWatermark, tc.low)
		}
	}
	if p := c.listOffset(11, "t", -2); p.Offset != 4 {
		t.Errorf("earliest is %d, want 4", p.Offset)
	}
	r.stop()
	r.start()
	if p := r.dial().listOffset(11, "t", -2); p.Offset != 4 {
		t.Errorf("earliest is %d after a restart, want 4", p.Offset)
	}
}
