package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill sets every field of a kmsg struct at random; arrays have up to three elements, unknown tags appear.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			tags := v.Addr().Interface().(*kmsg.Tags)
			for n := max(0, r.IntN(6)-3); n > 0; n-- {
				tags.Set(1000+uint32(r.IntN(1<<20)), make([]byte, r.IntN(40)))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				fill(r, v.Field(i))
			}
		}
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
		if n == 0 && r.IntN(2) == 0 && v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetZero()
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("s", r.IntN(200)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(r.Uint32()) >> (32 - v.Type().Bits()))
	default:
		panic("BUG: no way to fill " + v.Type().String())
	}
}

// eachVersion calls fn with every request that the walker knows, in every version.
func eachVersion(fn func(s *schemas, key, version int16, req kmsg.Request)) {
	s := newSchemas()
	for key, m := range s.byKey {
		if m == nil {
			continue
		}
		for v := int16(0); v <= m.max; v++ {
			req := kmsg.RequestForKey(int16(key))
			req.SetVersion(v)
			fn(s, int16(key), v, req)
		}
	}
}

func TestWalkerConsumesWhatKmsgEncodes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	eachVersion(func(s *schemas, key, version int16, req kmsg.Request) {
		for range 60 {
			fill(r, reflect.ValueOf(req).Elem())
			body := req.AppendTo(nil)
			if _, err := s.walk(key, version, body); err != nil {
				t.Fatalf("%s v%d: %v\n%+v\n% x", s.byKey[key].name, version, err, req, body)
			}
			if _, err := s.walk(key, version, append(body[:len(body):len(body)], 0)); err == nil {
				t.Fatalf("%s v%d: a byte behind the request was accepted", s.byKey[key].name, version)
			}
			cut := r.IntN(len(body) + 1)
			if _, err := s.walk(key, version, body[:cut]); err == nil && cut < len(body) {
				t.Fatalf("%s v%d: %d of %d bytes were accepted", s.byKey[key].name, version, cut, len(body))
			}
		}
	})
}

func TestSchemasMatchKmsg(t *testing.T) {
	for key, m := range newSchemas().byKey {
		if m == nil {
			continue
		}
		if req := kmsg.RequestForKey(int16(key)); req.MaxVersion() != m.max {
			t.Errorf("%s: the schema ends at version %d, kmsg at %d", m.name, m.max, req.MaxVersion())
		}
		if from := flexibleFrom(int16(key)); from != m.flexibleFrom {
			t.Errorf("%s: flexible from %d in the schema, from %d in kmsg", m.name, m.flexibleFrom, from)
		}
	}
}

// TestSchemaNamesEveryField: a field that the schema forgot would make a request of some version fail to walk, unless
// it is tagged and so may be skipped as unknown.
func TestSchemaNamesEveryField(t *testing.T) {
	var lines []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Name == "Version" || f.Name == "UnknownTags" {
				continue
			}
			lines = append(lines, prefix+f.Name)
			ft := f.Type
			if ft.Kind() == reflect.Slice {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				walk(prefix+"  ", ft)
			}
		}
	}
	for key, m := range newSchemas().byKey {
		if m != nil {
			lines = append(lines, m.name)
			walk("  ", reflect.TypeOf(kmsg.RequestForKey(int16(key))).Elem())
		}
	}
	want := map[string]int{}
	for _, l := range lines {
		want[l]++
	}
	for _, l := range strings.Split(strings.TrimSpace(messages), "\n") {
		words := strings.Fields(l)
		name := words[0]
		if !strings.HasPrefix(l, " ") {
			name = words[1]
		} else {
			name = l[:strings.Index(l, name)] + name
		}
		want[name]--
	}
	for name, n := range want {
		if n != 0 {
			t.Errorf("%q: %d times more in kmsg than in the schema", name, n)
		}
	}
}

func TestWalkerRefusesNullWhereItIsNotAllowed(t *testing.T) {
	s := newSchemas()
	null4 := []byte{0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		ok           bool
	}{
		{"Metadata v0 topics", 3, 0, null4, false},
		{"Metadata v1 topics", 3, 1, null4, true},
		{"Metadata v1 topics -2", 3, 1, []byte{0xff, 0xff, 0xff, 0xfe}, false},
		{"OffsetFetch v1 topics", 9, 1, append([]byte{0, 1, 'g'}, null4...), false},
		{"OffsetFetch v2 topics", 9, 2, append([]byte{0, 1, 'g'}, null4...), true},
		{"DescribeGroups groups", 15, 0, null4, false},
		{"SASLHandshake mechanism", 17, 0, []byte{0xff, 0xff}, false},
		{"SASLAuthenticate bytes", 36, 0, null4, false},
		{"DeleteGroups compact", 42, 2, []byte{0, 0}, false},
		{"empty arrays", 42, 2, []byte{1, 0}, true},
	} {
		if _, err := s.walk(c.key, c.version, c.body); (err == nil) != c.ok {
			t.Errorf("%s: error %v, accepted should be %t", c.name, err, c.ok)
		}
	}
}

// bombs are bodies that cost kmsg gigabytes or minutes.
func bombs() map[string]struct {
	key, version int16
	body         []byte
} {
	type bomb = struct {
		key, version int16
		body         []byte
	}
	count := func(n uint32, prefix ...byte) []byte { return binary.BigEndian.AppendUint32(prefix, n) }
	big := func(body []byte, size int) []byte { return append(body, make([]byte, size)...) }
	fetch := make([]byte, 4+4+4+4+1+4+4)
	return map[string]bomb{
		"ApiVersions of 7 bytes, 2^32-1 tags": {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		"ApiVersions of 6 bytes, 2^28 tags":   {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0x7f}},
		"Fetch v11 of 8 MiB, 4 Mi topics":     {1, 11, big(count(4<<20, fetch...), 8<<20)},
		"Fetch v11 of 8 MiB, 1 Mi topics":     {1, 11, big(count(1_000_000, fetch...), 8<<20)},
		"CreateTopics v4 of 8 MiB":            {19, 4, big(count(900_000), 8<<20)},
		"DeleteGroups, 2^31-1 groups":         {42, 0, count(1<<31 - 1)},
		"count × size beyond 32 bits":         {1, 11, count(0x7fffffff, fetch...)},
		"array of minus two":                  {42, 0, count(0xfffffffe)},
		"varint of six bytes":                 {42, 2, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
		"10,001 tags":                         {42, 2, big(append([]byte{1}, binary.AppendUvarint(nil, 10_001)...), 40_000)},
	}
}

func TestWalkerStopsBombs(t *testing.T) {
	s := newSchemas()
	for name, b := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		memory, err := s.walk(b.key, b.version, b.body)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: memory %d, error %v", name, memory, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("%s: the walker allocated %d bytes", name, got)
		}
	}
}

func tagged(count int, size int) []byte {
	b := []byte{1} // no groups
	b = binary.AppendUvarint(b, uint64(count))
	for i := range count {
		b = binary.AppendUvarint(b, uint64(1000+i))
		b = binary.AppendUvarint(b, uint64(size))
		b = append(b, make([]byte, size)...)
	}
	return b
}

func TestWalkerLimits(t *testing.T) {
	s := newSchemas()
	array := func(n int) []byte { // DeleteGroups v0 with n empty names
		return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, 2*n)...)
	}
	partitions := func(n int) []byte { // OffsetFetch v1: one topic with n partitions
		b := []byte{0, 0, 0, 0, 0, 1, 0, 0}
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		return append(b, make([]byte, 4*n)...)
	}
	// Memory for n empty names of DeleteGroups is 16·n for the slice and 16·n for rounding; the frame is 4 + 2·n.
	atLimit := (MemoryPerRequest + MemoryPerFrameByte*4 - allocationRound) / (32 - 2*MemoryPerFrameByte)
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		ok           bool
	}{
		{"1,000,000 elements", 9, 1, partitions(MaxArrayElements), true},
		{"1,000,001 elements", 9, 1, partitions(MaxArrayElements + 1), false},
		{"10,000 tagged fields", 42, 2, tagged(MaxTaggedFields, 0), true},
		{"10,001 tagged fields", 42, 2, tagged(MaxTaggedFields+1, 0), false},
		{"unknown tag of 128 KiB", 42, 2, tagged(1, MaxUnknownTagBytes), true},
		{"unknown tag of 128 KiB and a byte", 42, 2, tagged(1, MaxUnknownTagBytes+1), false},
		{"memory at the limit", 42, 0, array(atLimit), true},
		{"memory above the limit", 42, 0, array(atLimit + 1), false},
	} {
		if _, err := s.walk(c.key, c.version, c.body); (err == nil) != c.ok {
			t.Errorf("%s: error %v, accepted should be %t", c.name, err, c.ok)
		}
	}
}

// TestChargedMemoryCoversDecoding holds the charge of the walker against what kmsg really allocates.
func TestChargedMemoryCoversDecoding(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	eachVersion(func(s *schemas, key, version int16, req kmsg.Request) {
		fill(r, reflect.ValueOf(req).Elem())
		checkDecode(t, s, key, version, req.AppendTo(nil))
	})
	topics := kmsg.NewPtrMetadataRequest()
	topics.Version = 12
	for i := range 3000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(fmt.Sprintf("topic-%d", i))
		topic.UnknownTags.Set(77, []byte("x"))
		topics.Topics = append(topics.Topics, topic)
	}
	checkDecode(t, newSchemas(), 3, 12, topics.AppendTo(nil))
}

// checkDecode walks and, if the walker lets it through, decodes: kmsg must neither panic nor take more memory than the
// walker charged (and a little, because other goroutines allocate too).
func checkDecode(t *testing.T, s *schemas, key, version int16, body []byte) {
	t.Helper()
	memory, err := s.walk(key, version, body)
	if err != nil {
		return
	}
	if limit := MemoryPerFrameByte*int64(len(body)) + MemoryPerRequest; memory > limit {
		t.Fatalf("key %d v%d: %d bytes charged, %d allowed", key, version, memory, limit)
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = req.ReadFrom(body)
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(memory)+memory64(memory)+16<<10; got > limit {
		t.Fatalf("key %d v%d: decoding %d bytes took %d, %d were charged (error %v)", key, version, len(body), got, memory, err)
	}
}

// memory64 is the slack for size classes of the allocator: an eighth.
func memory64(charged int64) uint64 { return uint64(charged / 8) }

func FuzzWalker(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	eachVersion(func(_ *schemas, key, version int16, req kmsg.Request) {
		fill(r, reflect.ValueOf(req).Elem())
		f.Add(key, version, req.AppendTo(nil))
	})
	for _, b := range bombs() {
		if len(b.body) < 1<<16 {
			f.Add(b.key, b.version, b.body)
		}
	}
	s := newSchemas()
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		checkDecode(t, s, key, version, body)
	})
}
