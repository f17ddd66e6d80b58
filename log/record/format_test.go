package record_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/record"
)

var sample = []rec{
	{Offset: 4711, Timestamp: 1700000000000, Key: []byte("key"), Value: []byte("value"),
		Headers: []record.Header{{Key: []byte("h"), Value: []byte("x")}, {Key: []byte("n")}}},
	{Offset: 4712, Timestamp: 1700000000100, Value: []byte{}},
	{Offset: 4713, Timestamp: 1699999999999, Key: []byte("gone")},
}

// The drawing of doc.go, line by line, with the bytes of sample.
const drawing = `
0000 base offset       0000000000001267
0008 length            0000005a
0012 leader epoch      00000005
0016 magic             02
0017 crc               007c00c9
0021 attributes        0010
0023 last offset delta 00000002
0027 base timestamp    0000018bcfe56800
0035 max timestamp     0000018bcfe56864
0043 producer id       0000000000000063
0051 producer epoch    0003
0053 base sequence     00000011
0057 count             00000003
0061 records           2a000000066b65790a76616c75650402680278026e010e00c801020100001400010408676f6e650100`

func dump(b []byte) string {
	var s strings.Builder
	at := 0
	for _, f := range []struct {
		name string
		size int
	}{{"base offset", 8}, {"length", 4}, {"leader epoch", 4}, {"magic", 1}, {"crc", 4}, {"attributes", 2},
		{"last offset delta", 4}, {"base timestamp", 8}, {"max timestamp", 8}, {"producer id", 8}, {"producer epoch", 2},
		{"base sequence", 4}, {"count", 4}, {"records", len(b) - record.HeaderBytes}} {
		fmt.Fprintf(&s, "\n%04d %-17s %x", at, f.name, b[at:at+f.size])
		at += f.size
	}
	return s.String()
}

// reference encodes sample with Kafka's message definitions as another project has them.
func reference() []byte {
	rs := make([]kmsg.Record, len(sample))
	var records []byte
	for i, r := range sample {
		rs[i] = kmsg.Record{TimestampDelta64: r.Timestamp - sample[0].Timestamp, OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			rs[i].Headers = append(rs[i].Headers, kmsg.Header{Key: string(h.Key), Value: h.Value})
		}
		rs[i].Length = int32(len(rs[i].AppendTo(nil)) - 1) // a length of 0 takes one byte
		records = rs[i].AppendTo(records)
	}
	batch := kmsg.RecordBatch{FirstOffset: 4711, Length: int32(49 + len(records)), PartitionLeaderEpoch: 5, Magic: 2,
		Attributes: 0x10, LastOffsetDelta: 2, FirstTimestamp: sample[0].Timestamp, MaxTimestamp: sample[1].Timestamp,
		ProducerID: 99, ProducerEpoch: 3, FirstSequence: 17, NumRecords: 3, Records: records}
	return resum(batch.AppendTo(nil))
}

func sampleConfig() record.BuilderConfig {
	return record.BuilderConfig{BaseOffset: 4711, LeaderEpoch: 5, Transactional: true,
		Producer: &record.Producer{ID: 99, Epoch: 3, Sequence: 17}}
}

func TestLayout(t *testing.T) {
	ours := build(t, sampleConfig(), sample...)
	if diff := cmp.Diff(drawing, dump(ours)); diff != "" {
		t.Errorf("bytes against the drawing (-want +got):\n%s", diff)
	}
	if theirs := reference(); !bytes.Equal(ours, theirs) {
		t.Errorf("another encoder writes\n%s\nand we\n%s", dump(theirs), dump(ours))
	}
	if err := ours.Check(); err != nil {
		t.Error(err)
	}
	got := []any{ours.BaseOffset(), ours.LastOffset(), ours.NextOffset(), ours.LeaderEpoch(), ours.Magic(), ours.Codec(),
		ours.LogAppendTime(), ours.Transactional(), ours.Control(), ours.LastOffsetDelta(),
		ours.BaseTimestamp(), ours.MaxTimestamp(), ours.ProducerID(), ours.ProducerEpoch(), ours.BaseSequence(),
		ours.Count()}
	want := []any{int64(4711), int64(4713), int64(4714), int32(5), int8(2), record.None,
		false, true, false, int32(2),
		int64(1700000000000), int64(1700000000100), int64(99), int16(3), int32(17),
		int32(3)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("getters (-want +got):\n%s", diff)
	}
}

// Each codec against another implementation's framing, in both directions.
func TestCodecsOfAnotherClient(t *testing.T) {
	theirs := map[record.Codec]kgo.CompressionCodec{record.Gzip: kgo.GzipCompression(), record.Snappy: kgo.SnappyCompression(),
		record.LZ4: kgo.Lz4Compression(), record.Zstd: kgo.ZstdCompression()}
	plain := build(t, sampleConfig(), sample...)
	for codec, option := range theirs {
		t.Run(codec.String(), func(t *testing.T) {
			c, err := kgo.DefaultCompressor(option)
			if err != nil {
				t.Fatal(err)
			}
			raw, used := c.Compress(new(bytes.Buffer), plain[record.HeaderBytes:])
			if record.Codec(used) != codec {
				t.Fatalf("compressed with %d", used)
			}
			b := craft(codec, 3, raw)
			copy(b[27:43], plain[27:43]) // timestamps
			b.SetBaseOffset(4711)
			if err := resum(b).Check(); err != nil {
				t.Fatal(err)
			}
			got, err := collect(b, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}

			cfg := sampleConfig()
			cfg.Codec = codec
			ours := build(t, cfg, sample...)
			back, err := kgo.DefaultDecompressor().Decompress(ours[record.HeaderBytes:], kgo.CompressionCodecType(codec))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back, plain[record.HeaderBytes:]) {
				t.Errorf("they decompress %x, want %x", back, plain[record.HeaderBytes:])
			}
		})
	}
}
