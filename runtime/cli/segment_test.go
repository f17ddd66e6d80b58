package cli

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"uuid"

	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/segment"
)

// stored is one batch of two records.
func stored(t testing.TB, offset int64, epoch int32) []byte {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{BaseOffset: offset, LeaderEpoch: epoch})
	b.Add(1000, []byte("k"), []byte("v"))
	b.Add(1001, nil, nil)
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(batch)
}

// partitionDir writes segments, by their base offset, as a partition's directory of a data directory.
func partitionDir(t *testing.T, clean bool, segments map[int64][]byte) (dataDir string) {
	t.Helper()
	dataDir = t.TempDir()
	dir := filepath.Join(dataDir, "p-0")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if clean {
		write(filepath.Join(dataDir, ".clean"), nil)
	}
	write(filepath.Join(dir, "partition.metadata"), []byte("version: 0\npartition: 0\ntopic: orders\n"))
	for base, content := range segments {
		write(filepath.Join(dir, segment.FileName(base, segment.LogSuffix)), content)
	}
	return dataDir
}

func TestVerifyLogFinds(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	flipped := stored(t, 2, 0)
	flipped[len(flipped)-1] ^= 1
	good, next, zeros := stored(t, 0, 0), stored(t, 2, 0), make([]byte, 5000)
	size := len(good)
	for name, c := range map[string]struct {
		segments map[int64][]byte
		killed   bool
		want     string // in the output; every finding has one line with its place
	}{
		"nothing":                {segments: map[int64][]byte{0: join(good, next, zeros)}},
		"nothing, two segments":  {segments: map[int64][]byte{0: join(good, next), 4: stored(t, 4, 1)}},
		"nothing, empty segment": {segments: map[int64][]byte{0: good, 2: nil}},
		"a flipped bit":          {segments: map[int64][]byte{0: join(good, flipped, stored(t, 4, 0))}, want: fmt.Sprintf("00.log:%d: offset 2: corrupt batch: CRC", size)},
		"an offset that goes back": {segments: map[int64][]byte{0: join(good, next, good)},
			want: fmt.Sprintf("00.log:%d: offset 0: the batch begins at offset 0, the one before ends at 4", 2*size)},
		"an epoch that goes back": {segments: map[int64][]byte{0: join(stored(t, 0, 5), stored(t, 2, 4))},
			want: fmt.Sprintf("00.log:%d: offset 2: the leader epoch goes back from 5 to 4", size)},
		"an epoch that goes back in the next segment": {segments: map[int64][]byte{0: stored(t, 0, 5), 2: stored(t, 2, 4)}, want: "02.log:0: offset 2: the leader epoch goes back from 5 to 4"},
		"a hole":                            {segments: map[int64][]byte{0: good, 9: stored(t, 9, 0)}, want: "09.log:0: offset 2: the segment begins at offset 9, the one before ends at 2"},
		"a torn tail":                       {segments: map[int64][]byte{0: join(good, next[:40])}, want: fmt.Sprintf("00.log:%d: offset 2: ", size)},
		"garbage":                           {segments: map[int64][]byte{0: join(good, []byte(strings.Repeat("garbage", 20)))}, want: fmt.Sprintf("00.log:%d: offset 2: ", size)},
		"a torn tail of a killed node":      {killed: true, segments: map[int64][]byte{0: join(good, next[:40], zeros)}},
		"a torn tail and nothing behind it": {killed: true, segments: map[int64][]byte{0: join(good, next[:40])}},
		"a bad batch before a good one":     {killed: true, segments: map[int64][]byte{0: join(good, flipped, stored(t, 4, 0))}, want: fmt.Sprintf("00.log:%d: offset 2: corrupt batch: CRC", size)},
		"a torn tail of an earlier segment": {killed: true, segments: map[int64][]byte{0: join(good, next[:40]), 2: next}, want: fmt.Sprintf("00.log:%d: offset 2: ", size)},
	} {
		var out, errs strings.Builder
		dir := partitionDir(t, !c.killed, c.segments)
		code := Main([]string{"debug", "verify-log", dir}, Env{Stdout: &out, Stderr: &errs})
		switch {
		case c.want == "" && (code != ExitOK || !strings.Contains(out.String(), "everything is as it was written")):
			t.Errorf("%s: exit code %d\n%s%s", name, code, out.String(), errs.String())
		case c.want != "" && (code != ExitRuntime || !strings.Contains(out.String(), c.want) || !strings.Contains(errs.String(), "error: 1 finding")):
			t.Errorf("%s: exit code %d, want %q in\n%s%s", name, code, c.want, out.String(), errs.String())
		case c.killed && c.want == "" && !strings.Contains(errs.String(), "the next start cuts it off"):
			t.Errorf("%s: the tail is not mentioned: %s", name, errs.String())
		}
	}
}

// What had been made durable must be there, whatever has happened to the node.
func TestVerifyLogHoldsTheDurableMark(t *testing.T) {
	name := uuid.New().String() + "-0"
	good, next := stored(t, 0, 0), stored(t, 2, 0)
	flipped := bytes.Clone(next)
	flipped[70] ^= 1
	size := int64(len(good))
	for what, c := range map[string]struct {
		log  []byte
		mark partition.DurableMark
		want []string
	}{
		"all":                     {slices.Concat(good, next), partition.DurableMark{Durable: 4, Position: 2 * size}, nil},
		"more":                    {slices.Concat(good, next), partition.DurableMark{Durable: 2, Position: size}, nil},
		"a torn tail above":       {slices.Concat(good, flipped), partition.DurableMark{Durable: 2, Position: size}, nil},
		"damage below":            {slices.Concat(good, flipped), partition.DurableMark{Durable: 4, Position: 2 * size}, []string{"offset 2: corrupt batch", "offset 2: the log ends here, and was on disk up to offset 4"}},
		"a log that is too short": {good, partition.DurableMark{Durable: 4, Position: 2 * size}, []string{"offset 2: the log ends here, and was on disk up to offset 4"}},
	} {
		dir := partitionDir(t, false, map[int64][]byte{0: c.log})
		if err := os.Rename(filepath.Join(dir, "p-0"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		// An older round, this one, and one that is torn.
		marks := slices.Concat(round(t, name, partition.DurableMark{}), round(t, name, c.mark), round(t, name, partition.DurableMark{Durable: 99})[:30], make([]byte, 100))
		if err := os.WriteFile(filepath.Join(dir, "marks.log"), marks, 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		code := Main([]string{"debug", "verify-log", dir}, Env{Stdout: &out, Stderr: io.Discard})
		if (code == ExitOK) != (c.want == nil) {
			t.Errorf("%s: exit code %d\n%s", what, code, out.String())
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", what, want, out.String())
			}
		}
	}
}

// round is a round of marks.log with one entry.
func round(t *testing.T, name string, m partition.DurableMark) []byte {
	t.Helper()
	id, err := uuid.Parse(strings.TrimSuffix(name, "-0"))
	if err != nil {
		t.Fatal(err)
	}
	be := binary.BigEndian
	entry := append(be.AppendUint32(id[:], 0), make([]byte, 8)...)
	entry = be.AppendUint64(be.AppendUint64(be.AppendUint64(entry, uint64(m.Durable)), uint64(m.Segment)), uint64(m.Position))
	summed := append(be.AppendUint32(nil, 1), entry...)
	sum := crc32.Checksum(summed, crc32.MakeTable(crc32.Castagnoli))
	return slices.Concat([]byte("MRK1"), be.AppendUint32(nil, 1), be.AppendUint32(nil, sum), entry)
}

func TestVerifyLogFindsQuarantined(t *testing.T) {
	dir := partitionDir(t, true, map[int64][]byte{0: stored(t, 0, 0)})
	path := filepath.Join(dir, "p-0", segment.FileName(0, segment.LogSuffix)+".quarantined")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := Main([]string{"debug", "verify-log", dir}, Env{Stdout: &out, Stderr: io.Discard}); code != ExitRuntime || !strings.Contains(out.String(), path+":0: ") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}

// Whatever is in a file, the walk ends within it, passes on batches that lie behind each other, and never more bytes than there are.
func FuzzWalkSegment(f *testing.F) {
	good := stored(f, 0, 0)
	f.Add(good)
	f.Add(append(bytes.Clone(good), make([]byte, 100)...))
	f.Add(append(bytes.Clone(good), good[:30]...))
	f.Add(bytes.Repeat([]byte{0xff}, 80))
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		at := int64(0)
		end, tail, err := walkSegment(bytes.NewReader(data), int64(len(data)), func(s storedBatch) error {
			if s.position != at || !bytes.Equal(s.batch, data[at:at+int64(len(s.batch))]) {
				t.Fatalf("a batch at %d, the one before ended at %d", s.position, at)
			}
			at += int64(len(s.batch))
			describeBatch(s)
			return nil
		})
		if err != nil || end != at || end > int64(len(data)) {
			t.Fatalf("%d of %d bytes, batches end at %d: %v", end, len(data), at, err)
		}
		if rest := bytes.Trim(data[end:], "\x00"); (len(rest) > 0) != (tail != nil) {
			t.Fatalf("%d bytes behind the batches are not zero, and the tail is %v", len(rest), tail)
		}
	})
}

func TestWalkSegmentPassesErrorsOn(t *testing.T) {
	stop := errors.New("stop")
	good := stored(t, 0, 0)
	if _, _, err := walkSegment(bytes.NewReader(good), int64(len(good)), func(storedBatch) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	// A file that shrinks while it is read is an error, and no end.
	if _, _, err := walkSegment(bytes.NewReader(good[:70]), int64(len(good)), func(storedBatch) error { return nil }); err == nil {
		t.Error("a file that is shorter than it was passes")
	}
}
