package engine

import (
	"bytes"
	"reflect"
	"testing"
)

type text struct{}

func (text) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (text) Decode(b []byte) (string, error)             { return string(b), nil }

// TestChangeLayout prints the bytes of the three forms against the drawing in node_change.go.
func TestChangeLayout(t *testing.T) {
	c := NewCoder[string](text{})
	for _, test := range []struct{ old, new, want string }{
		{old: "ab", want: "ab\x00"},
		{new: "c", want: "c\x01"},
		{old: "ab", new: "c", want: "\x02cab\x02"},
	} {
		var u Update[string, string]
		u.Old.SetBytes(orNil(test.old))
		u.New.SetBytes(orNil(test.new))
		var s Scratch
		s.reset()
		got, err := encodeChange(&u, c, &s)
		if err != nil || string(got) != test.want {
			t.Errorf("old %q, new %q: got %q, %v, want %q", test.old, test.new, got, err, test.want)
		}
		oldBytes, newBytes, err := decodeChange(got)
		if err != nil || !bytes.Equal(oldBytes, orNil(test.old)) || !bytes.Equal(newBytes, orNil(test.new)) {
			t.Errorf("%q: got %q and %q, %v", got, oldBytes, newBytes, err)
		}
	}
}

func orNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func FuzzDecodeChange(f *testing.F) {
	for _, seed := range []string{"", "\x00", "ab\x00", "c\x01", "\x02cab\x02", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", "\x01\x02", "x\x03"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		oldBytes, newBytes, err := decodeChange(b)
		if err != nil {
			return
		}
		if oldBytes == nil && newBytes == nil {
			t.Fatalf("%q decodes to nothing", b)
		}
		var u Update[string, string]
		u.Old.SetBytes(oldBytes)
		u.New.SetBytes(newBytes)
		var s Scratch
		s.reset()
		again, err := encodeChange(&u, NewCoder[string](text{}), &s)
		if err != nil {
			t.Fatal(err)
		}
		o, n, err := decodeChange(again)
		if err != nil || !bytes.Equal(o, oldBytes) || !bytes.Equal(n, newBytes) {
			t.Fatalf("%q: %q and %q come back as %q and %q, %v", b, oldBytes, newBytes, o, n, err)
		}
	})
}

func FuzzDecodeMetadata(f *testing.F) {
	f.Add("")
	f.Add(encodeMetadata(-1, nil))
	f.Add(encodeMetadata(1234, []clock{{"node", 5}, {"", -1}}))
	f.Add("AgAAAAAAAAAA/////w==")
	f.Fuzz(func(t *testing.T, s string) {
		at, times, err := decodeMetadata(s)
		if err != nil || s == "" {
			return
		}
		again, more, err := decodeMetadata(encodeMetadata(at, times))
		if err != nil || again != at || !reflect.DeepEqual(times, more) {
			t.Fatalf("%d %v come back as %d %v, %v", at, times, again, more, err)
		}
	})
}

func FuzzWindowedCodec(f *testing.F) {
	f.Add([]byte("key\x00\x00\x00\x00\x00\x00\x00\x14"), uint8(TimeWindows))
	f.Add([]byte("key\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00\x0a"), uint8(SessionWindows))
	f.Add([]byte("short"), uint8(SlidingWindows))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		c := WindowedCodec[string]{Key: text{}, Kind: WindowKind(kind % 3), Size: 10}
		w, err := c.Decode(b)
		if err != nil {
			return
		}
		again, err := c.Append(nil, w)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q decodes to %+v, which is written as %q, %v", b, w, again, err)
		}
		if part := KeyOfWindowed(c.Kind, b); string(part) != w.Key {
			t.Fatalf("the key of %q is %q, not %q", b, part, w.Key)
		}
	})
}
