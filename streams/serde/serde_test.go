package serde_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json/jsontext"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams/serde"
)

// roundTrip encodes v behind a prefix, compares the bytes, decodes, spoils the input and compares the value.
func roundTrip[T any](t *testing.T, s serde.Serde[T], v T, want string) {
	t.Helper()
	b, err := s.Append([]byte("prefix"), v)
	if err != nil || !bytes.HasPrefix(b, []byte("prefix")) {
		t.Fatalf("Append(%v) = %q, %v", v, b, err)
	}
	b = b[len("prefix"):]
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("%T %v is written as %s, want %s", v, v, got, want)
	}
	got, err := s.Decode(b)
	if err != nil {
		t.Fatalf("Decode(%x): %v", b, err)
	}
	for i := range b {
		b[i] = '#'
	}
	if !reflect.DeepEqual(got, v) {
		t.Errorf("%T %v comes back as %v", v, v, got)
	}
}

// TestJavaBytes pins the bytes of Kafka's Java serialisers.
func TestJavaBytes(t *testing.T) {
	roundTrip(t, serde.String, "grün", "6772c3bc6e")
	roundTrip(t, serde.String, "", "")
	roundTrip(t, serde.Bytes, []byte{0, 255}, "00ff")
	roundTrip(t, serde.Bytes, []byte{}, "")
	roundTrip(t, serde.Bool, true, "01")
	roundTrip(t, serde.Bool, false, "00")
	roundTrip(t, serde.Int8, -2, "fe")
	roundTrip(t, serde.Uint8, 254, "fe")
	roundTrip(t, serde.Int16, -2, "fffe")
	roundTrip(t, serde.Uint16, 0x0102, "0102")
	roundTrip(t, serde.Int32, math.MinInt32, "80000000")
	roundTrip(t, serde.Uint32, 0x01020304, "01020304")
	roundTrip(t, serde.Int64, -2, "fffffffffffffffe")
	roundTrip(t, serde.Uint64, 0x0102030405060708, "0102030405060708")
	roundTrip(t, serde.Int, 258, "0000000000000102")
	roundTrip(t, serde.Uint, 258, "0000000000000102")
	roundTrip(t, serde.Float32, 1.5, "3fc00000")
	roundTrip(t, serde.Float64, -1.5, "bff8000000000000")
}

type order struct {
	ID    string         `json:"id"`
	Cents int64          `json:"cents"`
	Tags  map[string]int `json:"tags,omitempty"`
}

func TestJSON(t *testing.T) {
	text := `{"id":"a","cents":995,"tags":{"x":1,"y":2,"z":3}}`
	roundTrip(t, serde.JSON[order](), order{"a", 995, map[string]int{"z": 3, "x": 1, "y": 2}}, hex.EncodeToString([]byte(text)))
	s := serde.JSON[order]()
	for _, bad := range []string{"", "{", `{"id":1}`, `{"id":"a","id":"b"}`, `{} {}`} {
		if v, err := s.Decode([]byte(bad)); err == nil || !reflect.DeepEqual(v, order{}) {
			t.Errorf("Decode(%q) = %v, %v", bad, v, err)
		}
	}
	dst := []byte("kept")
	if b, err := serde.JSON[func()]().Append(dst, func() {}); err == nil || string(b) != "kept" {
		t.Errorf("a function is written as %q, %v", b, err)
	}
	if b, err := serde.JSON[string]().Append(dst, "\xff"); err == nil || string(b) != "kept" {
		t.Errorf("invalid UTF-8 is written as %q, %v", b, err)
	}
}

func refuses[T any](t *testing.T, s serde.Serde[T], inputs ...[]byte) {
	t.Helper()
	for _, b := range inputs {
		if v, err := s.Decode(b); err == nil {
			t.Errorf("%T takes %x as %v", s, b, v)
		}
	}
}

func TestWrongLength(t *testing.T) {
	long := make([]byte, 9)
	refuses(t, serde.Bool, nil, long[:2], []byte{2})
	refuses(t, serde.Int8, nil, long[:2])
	refuses(t, serde.Int16, nil, long[:1], long[:3])
	refuses(t, serde.Int32, nil, long[:3], long[:5])
	refuses(t, serde.Int64, nil, long[:7], long)
	refuses(t, serde.Float32, nil, long[:3], long[:5])
	refuses(t, serde.Float64, nil, long[:7], long)
}

func TestNull(t *testing.T) {
	nullable := serde.Nullable(serde.String)
	if !serde.AcceptsNull(nullable) || !serde.AcceptsNull(serde.Bytes) || serde.AcceptsNull(serde.String) {
		t.Error("AcceptsNull is wrong")
	}
	empty := ""
	if !serde.IsNull(nullable, nil) || serde.IsNull(nullable, &empty) || serde.IsNull(serde.String, "") {
		t.Error("IsNull is wrong")
	}
	if !serde.IsNull(serde.Bytes, nil) || serde.IsNull(serde.Bytes, []byte{}) {
		t.Error("IsNull is wrong for Bytes")
	}
	if v, err := nullable.Decode(nil); v != nil || err != nil {
		t.Errorf("null is %v, %v", v, err)
	}
	if v, err := nullable.Decode([]byte{}); v == nil || *v != "" || err != nil {
		t.Errorf("the empty string is %v, %v", v, err)
	}
	if v, err := serde.Bytes.Decode(nil); v != nil || err != nil {
		t.Errorf("null is %v, %v", v, err)
	}
	if v, err := serde.Bytes.Decode([]byte{}); v == nil || err != nil {
		t.Errorf("no bytes are %#v, %v", v, err)
	}
	text := "text"
	roundTrip(t, nullable, &text, hex.EncodeToString([]byte(text)))
	if _, err := serde.Nullable(serde.Int64).Decode([]byte{1}); err == nil {
		t.Error("a broken number is read")
	}
	if b, err := nullable.Append([]byte("kept"), nil); err == nil || string(b) != "kept" {
		t.Errorf("null is written as %q, %v", b, err)
	}
	if b, err := serde.Bytes.Append([]byte("kept"), nil); err == nil || string(b) != "kept" {
		t.Errorf("null is written as %q, %v", b, err)
	}
}

func TestFor(t *testing.T) {
	roundTrip(t, serde.For[string](), "a", "61")
	roundTrip(t, serde.For[[]byte](), []byte("a"), "61")
	roundTrip(t, serde.For[bool](), true, "01")
	roundTrip(t, serde.For[int](), 1, "0000000000000001")
	roundTrip(t, serde.For[int8](), 1, "01")
	roundTrip(t, serde.For[int16](), 1, "0001")
	roundTrip(t, serde.For[int32](), 1, "00000001")
	roundTrip(t, serde.For[int64](), 1, "0000000000000001")
	roundTrip(t, serde.For[uint](), 1, "0000000000000001")
	roundTrip(t, serde.For[uint8](), 1, "01")
	roundTrip(t, serde.For[uint16](), 1, "0001")
	roundTrip(t, serde.For[uint32](), 1, "00000001")
	roundTrip(t, serde.For[uint64](), 1, "0000000000000001")
	roundTrip(t, serde.For[float32](), 1.5, "3fc00000")
	roundTrip(t, serde.For[float64](), 1.5, "3ff8000000000000")
	type name string
	roundTrip(t, serde.For[name](), "a", hex.EncodeToString([]byte(`"a"`)))
	roundTrip(t, serde.For[any](), any("a"), hex.EncodeToString([]byte(`"a"`)))
}

type plainKey struct {
	A      string
	B      []int64
	C      *plainKey // a cycle
	hidden float64
	Out    float64 `json:"-"`
}

type sortable struct{ x float64 }

func (s sortable) MarshalText() ([]byte, error) { return []byte{'0' + byte(s.x)}, nil }

type embedsFloat struct{ inner }
type inner struct{ X [2]float32 }

func TestCheckKey(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string // empty: must be accepted
	}{
		"string":        {serde.CheckKey[string](), ""},
		"struct":        {serde.CheckKey[plainKey](), ""},
		"own marshaler": {serde.CheckKey[struct{ S sortable }](), ""},
		"float":         {serde.CheckKey[float64](), "float64"},
		"map":           {serde.CheckKey[order](), ".Tags is a map"},
		"interface":     {serde.CheckKey[struct{ A []any }](), ".A[] is a interface"},
		"any":           {serde.CheckKey[any](), "interface"},
		"embedded":      {serde.CheckKey[embedsFloat](), ".inner.X[] is a float32"},
		"time":          {serde.CheckKey[struct{ At time.Time }](), ".At is a time.Time"},
		"raw":           {serde.CheckKey[struct{ J jsontext.Value }](), ".J is raw JSON"},
		"float serde":   {serde.CheckKeySerde(serde.Float64), "float"},
		"float32 serde": {serde.CheckKeySerde(serde.Float32), "float"},
		"nullable":      {serde.CheckKeySerde(serde.Nullable(serde.Float32)), "float"},
		"json serde":    {serde.CheckKeySerde(serde.JSON[order]()), "Tags"},
		"string serde":  {serde.CheckKeySerde(serde.String), ""},
	} {
		switch {
		case c.says == "" && c.err != nil:
			t.Errorf("%s: %v", name, c.err)
		case c.says != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.says)):
			t.Errorf("%s: error %v, want one that says %q", name, c.err, c.says)
		}
	}
	_ = plainKey{hidden: 1} // not part of its JSON, so no obstacle
}

func TestWindowedKeys(t *testing.T) {
	b := serde.AppendWindowKey([]byte("#"), []byte("ab"), 258)
	if got := hex.EncodeToString(b); got != "23"+"6162"+"0000000000000102" {
		t.Errorf("window key %s", got)
	}
	if key, start, err := serde.ParseWindowKey(b[1:]); string(key) != "ab" || start != 258 || err != nil {
		t.Errorf("window key is read as %q, %d, %v", key, start, err)
	}
	b = serde.AppendSessionKey([]byte("#"), []byte("ab"), 1, 258)
	if got := hex.EncodeToString(b); got != "23"+"6162"+"0000000000000102"+"0000000000000001" {
		t.Errorf("session key %s", got)
	}
	if key, start, end, err := serde.ParseSessionKey(b[1:]); string(key) != "ab" || start != 1 || end != 258 || err != nil {
		t.Errorf("session key is read as %q, %d, %d, %v", key, start, end, err)
	}
	if _, _, err := serde.ParseWindowKey(make([]byte, 7)); err == nil {
		t.Error("7 bytes are a window key")
	}
	if _, _, _, err := serde.ParseSessionKey(make([]byte, 15)); err == nil {
		t.Error("15 bytes are a session key")
	}
	if _, _, _, err := serde.ParseSessionKey(serde.AppendSessionKey(nil, nil, 2, 1)); err == nil {
		t.Error("a session ends before it starts")
	}
}

// canonical: what Decode takes, Append must write back unchanged.
func canonical[T any](t *testing.T, s serde.Serde[T], b []byte) {
	t.Helper()
	v, err := s.Decode(b)
	if err != nil || serde.IsNull(s, v) {
		return
	}
	if again, err := s.Append(nil, v); err != nil || !bytes.Equal(again, b) {
		t.Errorf("%T reads %x and writes %x, %v", s, b, again, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\xff\xfe", "1234", "12345678", "1234567890123456", `{"id":"a","cents":1,"tags":{"x":1}}`} {
		f.Add([]byte(seed))
	}
	f.Add(serde.AppendSessionKey(nil, []byte("k"), 1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		canonical(t, serde.String, b)
		canonical(t, serde.Bytes, b)
		canonical(t, serde.Bool, b)
		canonical(t, serde.Int8, b)
		canonical(t, serde.Int16, b)
		canonical(t, serde.Uint32, b)
		canonical(t, serde.Int64, b)
		canonical(t, serde.Float32, b)
		canonical(t, serde.Float64, b)
		canonical(t, serde.Nullable(serde.Int32), b)
		s := serde.JSON[order]()
		if v, err := s.Decode(b); err == nil {
			text, err := s.Append(nil, v)
			if err != nil {
				t.Errorf("cannot write %v, read from %q: %v", v, b, err)
			}
			canonical(t, s, text)
		}
		if key, start, err := serde.ParseWindowKey(b); err == nil && !bytes.Equal(serde.AppendWindowKey(nil, key, start), b) {
			t.Errorf("window key %x is not written back", b)
		}
		if key, start, end, err := serde.ParseSessionKey(b); err == nil && !bytes.Equal(serde.AppendSessionKey(nil, key, start, end), b) {
			t.Errorf("session key %x is not written back", b)
		}
	})
}

func BenchmarkInt64(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = serde.Int64.Append(buf[:0], 42)
		if v, err := serde.Int64.Decode(buf); v != 42 || err != nil {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkJSONAppend(b *testing.B) {
	s := serde.JSON[order]()
	v := order{ID: "a-1234", Cents: 995}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = s.Append(buf[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}
