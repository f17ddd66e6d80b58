package state

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestVolume drives a store far beyond what the walks reach: many keys, values that grow and shrink over all classes, and
// compares with a map. The order must survive splits, the arena compactions.
func TestVolume(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := NewKeyValue()
	model := make(map[string][]byte)
	for i := range 60_000 {
		key := fmt.Appendf(nil, "key-%d", random.IntN(5_000))
		switch op := random.IntN(10); {
		case op < 7:
			n := random.IntN(64)
			if op == 0 {
				n = random.IntN(5_000)
			}
			if i%5_000 == 0 {
				n = ownChunkBytes + random.IntN(maxChunkBytes)
			}
			value := bytes.Repeat([]byte{byte(i)}, n)
			s.Put(key, value, int64(i))
			model[string(key)] = value
		case op < 9:
			s.Delete(key)
			delete(model, string(key))
		default:
			if value, _, ok := s.Get(key); ok != (model[string(key)] != nil) || !bytes.Equal(value, model[string(key)]) {
				t.Fatalf("step %d: %s has %d bytes, want %d", i, key, len(value), len(model[string(key)]))
			}
		}
		if i%10_000 == 9_999 {
			checkVolume(t, s, model)
			if err := s.Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
				t.Fatal(err)
			}
			checkVolume(t, s, model)
		}
	}
	if len(s.order.blocks) < 3 {
		t.Errorf("the order has %d blocks: no split was tested", len(s.order.blocks))
	}
	for key := range model {
		s.Delete([]byte(key))
	}
	if err := s.Flush(func(_, _ []byte, _ int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if s.table.arena.used != 0 || s.table.arena.size > compactSlackBytes {
		t.Errorf("the arena of an empty store has %d bytes, %d in use", s.table.arena.size, s.table.arena.used)
	}
}

// checkVolume compares a scan with the map, and the arena's books with the entries.
func checkVolume(t *testing.T, s *MemoryKeyValue, model map[string][]byte) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(model))
	i := 0
	for key, value := range s.Range(nil, nil) {
		if i == len(keys) || string(key) != keys[i] || !bytes.Equal(value.Bytes, model[keys[i]]) {
			t.Fatalf("entry %d of the scan is %q", i, key)
		}
		i++
	}
	if i != len(keys) || s.Len() != len(keys) {
		t.Fatalf("the scan has %d entries, Len %d, want %d", i, s.Len(), len(keys))
	}
	var used int64
	occupied := 0
	for i := range s.table.entries {
		used += int64(s.table.entries[i].capacity)
		if s.table.entries[i].capacity > 0 {
			occupied++
		}
	}
	if a := &s.table.arena; used != a.used || a.size < a.used {
		t.Fatalf("the arena says %d of %d bytes in use, the entries %d", a.used, a.size, used)
	}
	if occupied+len(s.table.spare) != len(s.table.entries) {
		t.Fatalf("%d entries, %d occupied, %d spare", len(s.table.entries), occupied, len(s.table.spare))
	}
}

// TestGrowingValues has each value grow from 1 to 4,000 bytes, which leaves a trail of small records: compaction must keep the
// arena within a small factor of what is in use.
func TestGrowingValues(t *testing.T) {
	s := NewKeyValue()
	for n := 1; n <= 4_000; n += 40 {
		for k := range 200 {
			s.Put(fmt.Appendf(nil, "%d", k), bytes.Repeat([]byte{byte(n)}, n), 0)
		}
	}
	a := &s.table.arena
	if a.size > 3*a.used {
		t.Errorf("the arena has %d bytes for %d in use", a.size, a.used)
	}
	for k := range 200 {
		value, _, _ := s.Get(fmt.Appendf(nil, "%d", k))
		if len(value) != 3_961 || value[0] != byte(3_961&0xff) {
			t.Fatalf("key %d has %d bytes", k, len(value))
		}
	}
}

// TestOwnSlices puts values that are slices of the same store, at the sizes where a record moves.
func TestOwnSlices(t *testing.T) {
	for n := 1; n < 300; n++ {
		s := NewKeyValue()
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i)
		}
		s.Put([]byte("k"), want, 0)
		for range 3 {
			value, _, _ := s.Get([]byte("k"))
			s.Put([]byte("other"), value, 0)
			other, _, _ := s.Get([]byte("other"))
			s.Put([]byte("k"), other, 0)
		}
		if value, _, _ := s.Get([]byte("k")); !bytes.Equal(value, want) {
			t.Fatalf("%d bytes have changed", n)
		}
		value, _, _ := s.Get([]byte("k"))
		s.table.move(s.table.find([]byte("k")), 2*n+1, value)
		if value, _, _ := s.Get([]byte("k")); !bytes.Equal(value, want) {
			t.Fatalf("%d bytes have changed in a move", n)
		}
	}
}

func TestClasses(t *testing.T) {
	number, size := 0, 0
	for n := 1; n < 1<<16; n++ {
		c, s := class(n)
		if s < n || c < number || c == number && s != size && n > 1 || n > minRecordBytes && float64(s) > 1.25*float64(n)+8 {
			t.Fatalf("class(%d) = %d, %d after %d, %d", n, c, s, number, size)
		}
		if again, same := class(s); again != c || same != s {
			t.Fatalf("class(%d) = %d, %d, but class(%d) = %d, %d", n, c, s, s, again, same)
		}
		number, size = c, s
	}
	if c, s := class(maxRecordBytes); c != classCount-1 || s != maxRecordBytes {
		t.Errorf("the largest record has class %d of %d, size %d", c, classCount, s)
	}
}

// TestOrder inserts and removes at random places and compares with a sorted slice; ascending runs leave full blocks.
func TestOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var o order
	var want []uint32
	find := func(n uint32) position { return o.search(func(other uint32) bool { return other < n }) }
	for range 20_000 {
		n := random.Uint32N(8_000)
		at, found := slices.BinarySearch(want, n)
		if found {
			o.remove(find(n))
			want = slices.Delete(want, at, at+1)
		} else {
			o.insert(find(n), n)
			want = slices.Insert(want, at, n)
		}
	}
	var got []uint32
	for p := (position{}); o.at(p) != none; p = o.next(p) {
		got = append(got, o.at(p))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the order has %d numbers, want %d", len(got), len(want))
	}
	slices.Reverse(want)
	got = got[:0]
	for p := o.previous(position{block: len(o.blocks)}); o.at(p) != none; p = o.previous(p) {
		got = append(got, o.at(p))
	}
	if !slices.Equal(got, want) {
		t.Fatal("the order differs backwards")
	}
	o.reset()
	for n := range uint32(10 * maxBlock) {
		o.insert(find(n), n)
	}
	if len(o.blocks) != 10 {
		t.Errorf("ascending inserts fill %d blocks, want 10", len(o.blocks))
	}
}
