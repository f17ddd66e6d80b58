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
		memory := disk.NewMemory()
		cfg := testConfig(memory, Replicated)
		cfg.OpenFiles = 2
		spec := Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: rapid.Int64Range(400, 3000).Draw(r, "segment"), IndexIntervalBytes: rapid.IntRange(1, 400).Draw(r, "interval"), RetentionAge: -1}}
		var m model
		var d *Directory
		var l *Log
		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		start := func(first bool) {
			var err error
			d, err = OpenDirectory(cfg)
			must(err)
			if first {
				must(d.Create(spec))
			} else {
				must(d.Load(spec))
			}
			l, err = d.Log(spec.ID)
			must(err)
		}
		start(true)
		defer func() { d.Kill() }()
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				v := fmt.Sprintf("%d %s", len(m.values), strings.Repeat("v", rapid.IntRange(0, 250).Draw(r, "size")))
				a, err := l.Append(AppendRequest{Batch: idempotent(t, 1, 0, int32(len(m.values)), v), LeaderEpoch: max(l.Epoch(), 0)})
				if err != nil || a.Base != int64(len(m.values)) {
					r.Fatalf("append: %+v, %v", a, err)
				}
				m.values = append(m.values, v)
			},
			"duplicate": func(r *rapid.T) {
				back := rapid.IntRange(1, rememberedBatches).Draw(r, "back")
				if n := len(m.values) - back; n >= int(m.start) {
					a, err := l.Append(AppendRequest{Batch: idempotent(t, 1, 0, int32(n), m.values[n]), LeaderEpoch: max(l.Epoch(), 0)})
					if err != nil || !a.Duplicate || a.Base != int64(n) {
						r.Fatalf("duplicate of %d: %+v, %v", n, a, err)
					}
				}
			},
			"flush": func(r *rapid.T) {
				must(flushNow(l))
				m.durable = int64(len(m.values))
			},
			"epoch": func(*rapid.T) { must(l.StartEpoch(l.Epoch() + 1)) },
			"delete before": func(r *rapid.T) {
				offset := rapid.Int64Range(m.start, int64(len(m.values))).Draw(r, "offset")
				_, err := l.DeleteBefore(offset)
				must(err)
				m.start, m.durable = offset, l.Durable()
				must(l.removeSegments())
			},
			"retention": func(r *rapid.T) {
				c := spec.Config
				c.RetentionBytes = rapid.Int64Range(0, 3000).Draw(r, "bytes")
				l.SetConfig(c)
				must(l.retain(time.UnixMilli(testNow)))
				m.start, m.durable = l.Start(), l.Durable()
			},
			"restart": func(*rapid.T) {
				must(d.Close())
				start(false)
				if !d.CleanStart() {
					r.Fatal("not clean")
				}
				m.durable = int64(len(m.values))
			},
			"kill": func(*rapid.T) {
				d.Kill()
				start(false)
				m.durable = int64(len(m.values))
			},
			"power cut": func(r *rapid.T) {
				keep, seed := rapid.IntRange(0, 100).Draw(r, "keep"), rapid.Uint64().Draw(r, "seed")
				d.Kill()
				memory = memory.Crash(keep, rand.New(rand.NewPCG(seed, 1)))
				cfg.FS = memory
				start(false)
				if l.End() < m.durable || l.End() > int64(len(m.values)) || keep == 100 && l.End() != int64(len(m.values)) {
					r.Fatalf("after a power cut the log ends at %d: %d were durable, %d written", l.End(), m.durable, len(m.values))
				}
				m.values = m.values[:l.End()]
				m.durable = l.End()
			},
			"": func(r *rapid.T) { m.compare(r, l) },
		})
	})
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
