package partition

import (
	"fmt"
	"io"
	"testing"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/record"
)

// testNow is the wall clock of most tests, in ms; record timestamps are near it.
const testNow = 1_760_000_000_000

// testTimeout bounds every wait in real time: only a hanging test meets it.
const testTimeout = 20 * time.Second

func testID(n int) ID {
	return ID{Topic: uuid.UUID{15: byte(n + 1)}, Partition: int32(n)}
}

func testConfig(fsys disk.FS, mode Durability) DirectoryConfig {
	return DirectoryConfig{
		FS: fsys, ClusterID: "c", NodeID: 1, Durability: mode,
		Now:             func() time.Time { return time.UnixMilli(testNow) },
		PreallocateStep: 16 << 10, ReserveBytes: -1,
		RetentionInterval: time.Hour, FlushInterval: time.Hour, DeleteDelay: time.Hour,
	}
}

func mustOpen(t testing.TB, cfg DirectoryConfig) *Directory {
	t.Helper()
	d, err := OpenDirectory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	return d
}

func mustLog(t testing.TB, d *Directory, id ID) *Log {
	t.Helper()
	l, err := d.Log(id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newLog is a fresh log on a fresh memory disk.
func newLog(t testing.TB, mode Durability, cfg Config) *Log {
	t.Helper()
	d := mustOpen(t, testConfig(disk.NewMemory(), mode))
	if err := d.Create(Spec{ID: testID(0), Name: "t", Config: cfg}); err != nil {
		t.Fatal(err)
	}
	return mustLog(t, d, testID(0))
}

func reopen(t testing.TB, cfg DirectoryConfig, specs ...Spec) *Directory {
	t.Helper()
	d := mustOpen(t, cfg)
	if err := d.Load(specs...); err != nil {
		t.Fatal(err)
	}
	return d
}

func build(t testing.TB, producer *record.Producer, ms int64, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{Producer: producer})
	for _, v := range values {
		b.Add(ms, []byte("k"), []byte(v))
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func plain(t testing.TB, values ...string) record.Batch { return build(t, nil, testNow, values...) }

func idempotent(t testing.TB, id int64, epoch int16, sequence int32, values ...string) record.Batch {
	return build(t, &record.Producer{ID: id, Epoch: epoch, Sequence: sequence}, testNow, values...)
}

func mustAppend(t testing.TB, l *Log, b record.Batch) Appended {
	t.Helper()
	a, err := l.Append(AppendRequest{Batch: b, LeaderEpoch: max(l.Epoch(), 0)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// await waits until the log is durable up to an offset, or says why it will not be.
func await(l *Log, offset int64) error {
	moved := make(chan struct{}, 1)
	l.SetProgress(func() {
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	defer l.SetProgress(nil)
	timeout := time.NewTimer(testTimeout)
	defer timeout.Stop()
	for l.Watermark() < offset {
		if err := l.Err(); err != nil {
			return err
		}
		select {
		case <-moved:
		case <-l.dir.Failed():
		case <-timeout.C:
			return fmt.Errorf("nothing happens: watermark %d, want %d", l.Watermark(), offset)
		}
	}
	return nil
}

// flushNow does what the flusher does in its own time.
func flushNow(l *Log) error {
	l.dir.flushOne(l)
	l.dir.settle([]*Log{l})
	return l.dir.Err()
}

// readAllBatches reads a log from its start up to a limit.
func readAllBatches(l *Log, limit int64) ([]record.Batch, error) {
	var batches []record.Batch
	for at := l.Start(); at < limit; {
		r, err := l.Read(at, limit, 1<<20, true)
		if err != nil {
			return nil, err
		}
		if r.Size() == 0 {
			return nil, fmt.Errorf("nothing to read at %d, below %d", at, limit)
		}
		b := make([]byte, r.Size())
		if n, err := r.ReadAt(b, 0); n < len(b) || err != nil && err != io.EOF {
			return nil, fmt.Errorf("cannot read %d bytes: %v", len(b), err)
		}
		r.Release()
		for len(b) > 0 {
			first, rest, err := record.Split(b)
			if err == nil {
				err = first.CheckStored()
			}
			if err != nil {
				return nil, err
			}
			batches, b, at = append(batches, first), rest, first.NextOffset()
		}
	}
	return batches, nil
}

func valuesOf(t testing.TB, l *Log) []string {
	t.Helper()
	batches, err := readAllBatches(l, l.End())
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, b := range batches {
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(r.Value))
		}
	}
	return values
}
