package cli

import (
	"bytes"
	"encoding/json/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"io"

	"github.com/millrace/millrace/log/client"
)

func TestEscapeControls(t *testing.T) {
	for in, want := range map[string]string{
		"plain\n\ttext":          "plain\n\ttext",
		"\x1b[31mred\x1b[0m":     `\x1b[31mred\x1b[0m`,
		"over\rwritten\b\x7f":    `over\x0dwritten\x08\x7f`,
		"grüße 世界 🙂":             "grüße 世界 🙂",
		"c1 \u009b31m":           `c1 \xc2\x9b31m`,
		"not utf-8 \x9b31m \xff": `not utf-8 \x9b31m \xff`,
		"\uFFFD":                 "\uFFFD",
		"":                       "",
	} {
		if got := string(escapeControls([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzEscapeControls(f *testing.F) {
	for _, seed := range []string{"", "a", "\x1b]0;title\x07", "\u0085", "\xc2", "\n\t\r", "\xf0\x9f\x99"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out := escapeControls(in)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if !utf8.Valid(out) {
			t.Fatalf("%q is no UTF-8", out)
		}
		for _, r := range string(out) {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q holds %q", out, r)
			}
		}
	})
}

func TestAppendJSON(t *testing.T) {
	r := client.Record{Topic: "t", Offset: 7, Timestamp: 1000, Key: []byte{0xff, 0}, Headers: []client.Header{{Key: "n"}, {Key: "e", Value: []byte{}}, {Key: "b", Value: []byte{0xfe}}}}
	const want = `{"topic":"t","partition":0,"offset":7,"timestamp":1000,"key":null,"key_base64":"/wA=","value":null,` +
		`"headers":[{"key":"n","value":null},{"key":"e","value":""},{"key":"b","value":null,"value_base64":"/g=="}]}` + "\n"
	if got := string(appendJSON(nil, &r)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	r.Headers[0].Key = "\xff"
	if got := appendJSON(nil, &r); json.Unmarshal(got, new(map[string]any)) != nil {
		t.Errorf("a header that is no UTF-8 makes %q, which is no JSON", got)
	}
}

func TestAppendPretty(t *testing.T) {
	r := client.Record{Topic: "t", Offset: 7, Timestamp: 1000, Key: []byte("k"), Value: []byte(`{"a":[1]}`)}
	const want = "t-0 @ 7  1970-01-01T00:00:01.000Z  key k\n    {\n      \"a\": [\n        1\n      ]\n    }\n"
	if got := string(appendPretty(nil, &r)); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	r.Key, r.Value, r.Timestamp = nil, nil, -1
	if got := string(appendPretty(nil, &r)); got != "t-0 @ 7  no time\n    (null)\n" {
		t.Errorf("%q", got)
	}
	r.Value = []byte("{no json\x00\xff")
	if got := string(appendPretty(nil, &r)); got != "t-0 @ 7  no time\n    \"{no json\\x00\\xff\"\n" {
		t.Errorf("%q", got)
	}
}

func TestLastLine(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a\n", "a\n": "a\n", "a\nb": "a\nb\n", "\n": "\n"} {
		for _, reader := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			got, err := io.ReadAll(&lastLine{in: reader, last: '\n'})
			if string(got) != want || err != nil {
				t.Errorf("%q: %q, %v; want %q", in, got, err, want)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"orders", "orders-eu", "payments", "lines", "x"}
	for name, want := range map[string]string{
		"ordres": "orders", "Orders": "orders orders-eu", "payment": "payments", "order": "orders orders-eu", "lnies": "lines", "zzz": "", "": "x", "y": "x",
	} {
		if got := strings.Join(nearest(name, names), " "); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
