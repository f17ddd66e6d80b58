package partition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/log/disk"
)

// BenchmarkAppend is one append in mode Replicated on the real disk. BenchmarkBare is its floor: CRC and a write to a preallocated file.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{16 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			fsys, err := disk.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			cfg := testConfig(fsys, Replicated)
			cfg.PreallocateStep, cfg.FlushInterval = 0, 0
			d := mustOpen(b, cfg)
			if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
				b.Fatal(err)
			}
			l := mustLog(b, d, testID(0))
			batch := plain(b, strings.Repeat("v", size))
			b.SetBytes(int64(len(batch)))
			for b.Loop() {
				if _, err := l.Append(AppendRequest{Batch: batch}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBare(b *testing.B) {
	for _, size := range []int{16 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			fsys, err := disk.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			f, err := fsys.Open("f", disk.Create)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			batch := plain(b, strings.Repeat("v", size))
			b.SetBytes(int64(len(batch)))
			at, have := int64(0), int64(0)
			for b.Loop() {
				if at+int64(len(batch)) > have {
					have += DefaultFlushDistance
					if err := f.Preallocate(have); err != nil {
						b.Fatal(err)
					}
				}
				if err := batch.Check(); err != nil {
					b.Fatal(err)
				}
				if _, err := f.WriteAt(batch, at); err != nil {
					b.Fatal(err)
				}
				at += int64(len(batch))
			}
		})
	}
}

// BenchmarkAppendFsync is one append until it is durable, with nobody to share the sync.
func BenchmarkAppendFsync(b *testing.B) {
	fsys, err := disk.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	cfg := testConfig(fsys, Fsync)
	cfg.PreallocateStep = 0
	d := mustOpen(b, cfg)
	if err := d.Create(Spec{ID: testID(0), Name: "t"}); err != nil {
		b.Fatal(err)
	}
	l := mustLog(b, d, testID(0))
	batch := plain(b, strings.Repeat("v", 16<<10))
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if err := await(l, mustAppend(b, l, batch).Next); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is one fetch of up to 1 MiB from a log of 64 MiB: finding the region, without reading its bytes.
func BenchmarkRead(b *testing.B) {
	fsys, err := disk.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	d := mustOpen(b, testConfig(fsys, Replicated))
	if err := d.Create(Spec{ID: testID(0), Name: "t", Config: Config{SegmentBytes: 16 << 20}}); err != nil {
		b.Fatal(err)
	}
	l := mustLog(b, d, testID(0))
	batch := plain(b, strings.Repeat("v", 16<<10))
	for range 4096 {
		mustAppend(b, l, batch)
	}
	if err := flushNow(l); err != nil {
		b.Fatal(err)
	}
	at := int64(0)
	for b.Loop() {
		r, err := l.Read(at, l.Watermark(), 1<<20, true)
		if err != nil || r.Size() == 0 {
			b.Fatal(r.Size(), err)
		}
		at = (at + int64(r.Size()/len(batch))) % 4096
		r.Release()
	}
}

// BenchmarkStart opens 1,000 partitions after a clean stop.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	var specs []Spec
	for n := range 1000 {
		specs = append(specs, Spec{ID: testID(n), Name: "t"})
	}
	open := func() *Directory {
		fsys, err := disk.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		d, err := OpenDirectory(testConfig(fsys, Fsync))
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	d := open()
	if err := d.Create(specs...); err != nil {
		b.Fatal(err)
	}
	for _, s := range specs {
		mustAppend(b, mustLog(b, d, s.ID), plain(b, "v"))
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d := open()
		if err := d.Load(specs...); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
