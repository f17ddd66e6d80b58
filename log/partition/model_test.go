package partition

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/log/disk"
)

// model is a log as a slice: one record a batch, so that the index is the offset.
type model struct {
	values  []string
	start   int64
	durable int64
}

// TestModel compares a log with a plain slice under any sequence of operations, power cuts among them. After a cut the log is a prefix that holds
// everything durable.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &modelled{t: t, memory: disk.NewMemory(), spec: Spec{ID: testID(0), Name: "t", Config: Config{
			SegmentBytes:       rapid.Int64Range(400, 3000).Draw(r, "segment"),
			IndexIntervalBytes: rapid.IntRange(1, 400).Draw(r, "interval"),
			RetentionAge:       -1,
		}}}
		m.open(r, (*Directory).Create)
		defer func() { m.directory.Kill() }()
		r.Repeat(map[string]func(*rapid.T){
			"append":        m.append,
			"duplicate":     m.duplicate,
			"flush":         m.flush,
			"epoch":         func(r *rapid.T) { must(r, m.log.StartEpoch(m.log.Epoch()+1)) },
			"delete before": m.deleteBefore,
			"retention":     m.retain,
			"restart":       m.restart,
			"kill":          m.kill,
			"power cut":     m.cutPower,
			"":              func(r *rapid.T) { m.compare(r, m.log) },
		})
	})
}

// modelled is a log beside its model; each method does something to both.
type modelled struct {
	model
	t         *testing.T
	memory    *disk.Memory
	spec      Spec
	directory *Directory
	log       *Log
}

func must(r *rapid.T, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// open opens the directory on what is in memory; load makes the partition or loads it.
func (m *modelled) open(r *rapid.T, load func(*Directory, ...Spec) error) {
	cfg := testConfig(m.memory, Replicated)
	cfg.OpenFiles = 2
	d, err := OpenDirectory(cfg)
	must(r, err)
	must(r, load(d, m.spec))
	l, err := d.Log(m.spec.ID)
	must(r, err)
	m.directory, m.log = d, l
}

// batch is the n-th record, as an idempotent producer sends it.
func (m *modelled) batch(n int, value string) AppendRequest {
	return AppendRequest{Batch: idempotent(m.t, 1, 0, int32(n), value), LeaderEpoch: max(m.log.Epoch(), 0)}
}

func (m *modelled) append(r *rapid.T) {
	v := fmt.Sprintf("%d %s", len(m.values), strings.Repeat("v", rapid.IntRange(0, 250).Draw(r, "size")))
	a, err := m.log.Append(m.batch(len(m.values), v))
	if err != nil || a.Base != int64(len(m.values)) {
		r.Fatalf("append: %+v, %v", a, err)
	}
	m.values = append(m.values, v)
}

func (m *modelled) duplicate(r *rapid.T) {
	n := len(m.values) - rapid.IntRange(1, rememberedBatches).Draw(r, "back")
	if n < int(m.start) {
		return
	}
	a, err := m.log.Append(m.batch(n, m.values[n]))
	if err != nil || !a.Duplicate || a.Base != int64(n) {
		r.Fatalf("duplicate of %d: %+v, %v", n, a, err)
	}
}

func (m *modelled) flush(r *rapid.T) {
	must(r, flushNow(m.log))
	m.durable = int64(len(m.values))
}

func (m *modelled) deleteBefore(r *rapid.T) {
	offset := rapid.Int64Range(m.start, int64(len(m.values))).Draw(r, "offset")
	_, err := m.log.DeleteBefore(offset)
	must(r, err)
	m.start, m.durable = offset, m.log.Durable()
	must(r, m.log.removeSegments())
}

func (m *modelled) retain(r *rapid.T) {
	c := m.spec.Config
	c.RetentionBytes = rapid.Int64Range(0, 3000).Draw(r, "bytes")
	m.log.SetConfig(c)
	must(r, m.log.retain(time.UnixMilli(testNow)))
	m.start, m.durable = m.log.Start(), m.log.Durable()
}

func (m *modelled) restart(r *rapid.T) {
	must(r, m.directory.Close())
	m.open(r, (*Directory).Load)
	if !m.directory.CleanStart() {
		r.Fatal("not clean")
	}
	m.durable = int64(len(m.values))
}

func (m *modelled) kill(r *rapid.T) {
	m.directory.Kill()
	m.open(r, (*Directory).Load)
	m.durable = int64(len(m.values))
}

func (m *modelled) cutPower(r *rapid.T) {
	keep, seed := rapid.IntRange(0, 100).Draw(r, "keep"), rapid.Uint64().Draw(r, "seed")
	m.directory.Kill()
	m.memory = m.memory.Crash(keep, rand.New(rand.NewPCG(seed, 1)))
	m.open(r, (*Directory).Load)
	end := m.log.End()
	if end < m.durable || end > int64(len(m.values)) || keep == 100 && end != int64(len(m.values)) {
		r.Fatalf("after a power cut the log ends at %d: %d were durable, %d written", end, m.durable, len(m.values))
	}
	m.values, m.durable = m.values[:end], end
}

func (m *model) compare(r *rapid.T, l *Log) {
	if l.Start() != m.start || l.End() != int64(len(m.values)) || l.Durable() < m.durable {
		r.Fatalf("log [%d, %d) durable %d, model [%d, %d) durable %d", l.Start(), l.End(), l.Durable(), m.start, len(m.values), m.durable)
	}
	batches, err := readAllBatches(l, l.End())
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	for _, b := range batches {
		if b.BaseOffset() < m.start {
			continue // the segment that holds the start
		}
		for rec, err := range b.Records(1 << 20) {
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, string(rec.Value))
		}
	}
	if !slices.Equal(got, m.values[m.start:]) {
		r.Fatalf("log %q, model %q", got, m.values[m.start:])
	}
}
