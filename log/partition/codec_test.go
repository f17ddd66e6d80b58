package partition

import (
	"bytes"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"testing"
)

// TestMarksBytes prints one round against the drawing in marks.go.
func TestMarksBytes(t *testing.T) {
	b := appendRound(nil, []markEntry{{testID(2), mark{start: 5, durable: 0x0102, segment: 3, position: 0x0a0b}}})
	want := "4d524b31" + "00000001" + "" // magic, count
	got := hex.EncodeToString(b)
	if got[:16] != want {
		t.Errorf("header is %s", got[:24])
	}
	if entry := "00000000000000000000000000000003" + "00000002" + "0000000000000005" + "0000000000000102" + "0000000000000003" + "0000000000000a0b"; got[24:] != entry {
		t.Errorf("entry is\n%s, want\n%s", got[24:], entry)
	}
	if crc := got[16:24]; crc != "704b8085" {
		t.Errorf("CRC is %s", crc)
	}
}

// TestSnapshotBytes prints a snapshot against the drawing in snapshot.go.
func TestSnapshotBytes(t *testing.T) {
	p := newProducers()
	h := header(0x11, 0x22)
	h.ProducerEpoch, h.BaseSequence, h.LastDelta, h.MaxTimestamp = 3, 4, 2, 0x55
	p.apply(h, math.MaxInt64)
	want := "4d525053" + "00000001" + "0000000000000099" + "0000000000000055" + "00000001" +
		"0000000000000022" + "0000000000000055" + "0003" + "0001" +
		"0000000000000011" + "00000004" + "00000006"
	got := hex.EncodeToString(p.encode(0x99))
	if got[:len(got)-8] != want {
		t.Errorf("snapshot is\n%s, want\n%s", got, want)
	}
	if crc := got[len(got)-8:]; crc != "7422e3e7" {
		t.Errorf("CRC is %s", crc)
	}
}

func TestEpochCheckpointText(t *testing.T) {
	e := epochs{{0, 0}, {3, 1500}}
	if got := string(e.encode()); got != "1\n2\n0 0\n3 1500\ncrc b794b2b2\n" {
		t.Errorf("checkpoint is %q", got)
	}
}

func TestTornMarksRoundEndsTheFile(t *testing.T) {
	b := appendRound(nil, []markEntry{{testID(0), mark{durable: 5}}, {testID(1), mark{durable: 6}}})
	whole := len(b)
	b = appendRound(b, []markEntry{{testID(0), mark{durable: 9}}})
	for cut := whole; cut < len(b); cut++ {
		marks, size := decodeMarks(b[:cut])
		if size != int64(whole) || marks[testID(0)].durable != 5 {
			t.Fatalf("cut at %d: %d bytes, %v", cut, size, marks)
		}
	}
	b = appendRound(b, []markEntry{{testID(1), mark{durable: -1}}})
	b = append(b, make([]byte, 100)...) // preallocated
	marks, _ := decodeMarks(b)
	if len(marks) != 1 || marks[testID(0)].durable != 9 {
		t.Errorf("marks %v", marks)
	}
}

func TestMarksNeverGoBack(t *testing.T) {
	old := mark{start: 4, durable: 10, segment: 8, position: 100}
	for _, m := range []mark{{start: 2, durable: 9, segment: 0, position: 50}, {start: 4, durable: 10, segment: 0, position: 500}} {
		if got := m.after(old); got != old {
			t.Errorf("%+v after %+v is %+v", m, old, got)
		}
	}
	if got := (mark{start: 3, durable: 11, segment: 11}).after(old); got != (mark{start: 4, durable: 11, segment: 11}) {
		t.Errorf("%+v", got)
	}
}

func FuzzMarks(f *testing.F) {
	f.Add(appendRound(appendRound(nil, []markEntry{{testID(0), mark{durable: 5}}}), []markEntry{{testID(1), mark{start: 1, durable: 7, segment: 7}}}))
	f.Add([]byte("MRK1\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		marks, whole := decodeMarks(b)
		if whole < 0 || whole > int64(len(b)) {
			t.Fatalf("%d of %d bytes", whole, len(b))
		}
		again, size := decodeMarks(b[:whole])
		if size != whole || !maps.Equal(again, marks) {
			t.Error("the whole rounds decode to something else")
		}
		for id, m := range marks {
			if m.start < 0 || m.start > m.durable || m.segment > m.durable || m.position < 0 {
				t.Errorf("%v: %+v", id, m)
			}
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	p := newProducers()
	for n := range int64(8) {
		p.apply(header(n, n%3), math.MaxInt64)
	}
	f.Add(p.encode(8), true)
	f.Add([]byte("MRPS"), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) >= 4 { // behind a right CRC
			b = slices.Clone(b)
			sum := checksum(b[:len(b)-4])
			copy(b[len(b)-4:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
		}
		p, err := decodeProducers(b, 8)
		if err != nil {
			return
		}
		if again := p.encode(8); !bytes.Equal(again, b) {
			t.Errorf("%x is encoded as %x", b, again)
		}
		p.apply(header(9, 1), 5)
	})
}

func FuzzEpochs(f *testing.F) {
	f.Add([]byte("1\n2\n0 0\n3 1500\n"))
	f.Add([]byte("1\n0\n"))
	f.Add([]byte("1\n1\n+1 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := (epochs{}).encode()
		if _, err := decodeEpochs(text); err == nil {
			b = text
		}
		e, err := decodeEpochs(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeEpochs(e.encode()); err != nil || !slices.Equal(again, e) {
			t.Errorf("%v becomes %v, %v", e, again, err)
		}
		sealed := append(slices.Clone(text), []byte(sealLine(text))...)
		if e, err := decodeEpochs(sealed); err == nil {
			for i := 1; i < len(e); i++ {
				if e[i].epoch <= e[i-1].epoch || e[i].start <= e[i-1].start {
					t.Errorf("%v does not rise", e)
				}
			}
		}
	})
}

func sealLine(text []byte) string {
	const digits = "0123456789abcdef"
	sum := checksum(text)
	line := []byte("crc ")
	for shift := 28; shift >= 0; shift -= 4 {
		line = append(line, digits[sum>>shift&15])
	}
	return string(append(line, '\n'))
}
