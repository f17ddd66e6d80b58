package cli

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/log/client"
)

// Names of formats beside the layouts of [client.Formatter].
const (
	formatJSON   = "json"   // an indented object for each record
	formatJSONL  = "jsonl"  // an object a line
	formatRaw    = "raw"    // the bytes of the values and nothing else
	formatPretty = "pretty" // for people

	// layoutValues is what a pipe gets: a value a line.
	layoutValues = `%v\n`
	// timeLayout is how times are printed: UTC, to the millisecond.
	timeLayout = "2006-01-02T15:04:05.000Z"
)

// printer appends a record to dst. It keeps nothing of the record.
type printer func(dst []byte, r *client.Record) []byte

// newPrinter makes what prints records by -f; "" is pretty on a terminal and one value a line elsewhere.
func (a *app) newPrinter(format string) (printer, error) {
	if format == "" {
		switch {
		case a.output == outputJSON:
			format = formatJSONL
		case a.env.Terminal:
			format = formatPretty
		default:
			format = layoutValues
		}
	}
	p, err := printerFor(format)
	if err != nil || !a.env.Terminal {
		return p, err
	}
	return func(dst []byte, r *client.Record) []byte { return append(dst, escapeControls(p(nil, r))...) }, nil
}

func printerFor(format string) (printer, error) {
	switch format {
	case formatJSON:
		return func(dst []byte, r *client.Record) []byte { return appendJSON(dst, r, jsontext.WithIndent("  ")) }, nil
	case formatJSONL:
		return func(dst []byte, r *client.Record) []byte { return appendJSON(dst, r) }, nil
	case formatRaw:
		return func(dst []byte, r *client.Record) []byte { return append(dst, r.Value...) }, nil
	case formatPretty:
		return appendPretty, nil
	}
	if !strings.Contains(format, "%") {
		return nil, usageError(`-f is json, jsonl, raw, pretty or a layout as '%%k:%%v\n', not %q`, format)
	}
	f, err := client.NewFormatter(format)
	if err != nil {
		return nil, &Error{Code: ExitUsage, Err: err, Hint: `%t topic, %p partition, %o offset, %k key, %v value, %h{%k=%v } headers, %d{strftime[%F %T]} time`}
	}
	return f.Append, nil
}

// jsonRecord is a record for machines. Bytes that are no UTF-8 are in the _base64 fields instead; null is null.
type jsonRecord struct {
	Topic       string       `json:"topic"`
	Partition   int32        `json:"partition"`
	Offset      int64        `json:"offset"`
	Timestamp   int64        `json:"timestamp"` // ms since 1970
	Key         *string      `json:"key"`
	KeyBase64   []byte       `json:"key_base64,omitempty"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"value_base64,omitempty"`
	Headers     []jsonHeader `json:"headers,omitempty"`
}

type jsonHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

func appendJSON(dst []byte, r *client.Record, options ...json.Options) []byte {
	out := jsonRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp}
	out.Key, out.KeyBase64 = textOrBytes(r.Key)
	out.Value, out.ValueBase64 = textOrBytes(r.Value)
	for _, h := range r.Headers {
		header := jsonHeader{Key: h.Key}
		header.Value, header.ValueBase64 = textOrBytes(h.Value)
		out.Headers = append(out.Headers, header)
	}
	data, err := json.Marshal(out, append(options, jsontext.AllowInvalidUTF8(true))...)
	if err != nil {
		panic("BUG: cannot print a record as JSON: " + err.Error())
	}
	return append(append(dst, data...), '\n')
}

func textOrBytes(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	text := string(b)
	return &text, nil
}

// appendPretty prints where a record is on one line, and its value below.
func appendPretty(dst []byte, r *client.Record) []byte {
	dst = fmt.Appendf(dst, "%s-%d @ %d  %s", r.Topic, r.Partition, r.Offset, formatTime(r.Timestamp))
	if r.Key != nil {
		dst = fmt.Appendf(dst, "  key %s", readable(r.Key))
	}
	for _, h := range r.Headers {
		dst = fmt.Appendf(dst, "  %s=%s", readable([]byte(h.Key)), readable(h.Value))
	}
	dst = append(dst, '\n')
	switch text := prettyValue(r.Value); {
	case r.Value == nil:
		return append(dst, "    (null)\n"...)
	default:
		for line := range strings.Lines(text) {
			dst = append(append(dst, "    "...), line...)
		}
		return append(dst, '\n')
	}
}

// prettyValue indents JSON objects and arrays and leaves anything else as it is.
func prettyValue(b []byte) string {
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		v := jsontext.Value(bytes.Clone(trimmed))
		if v.Indent(jsontext.WithIndent("  ")) == nil {
			return string(v)
		}
	}
	return readable(b)
}

// readable is text as it is, and bytes that are no text as Go writes them.
func readable(b []byte) string {
	if b == nil {
		return "(null)"
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}

// formatTime prints ms since 1970.
func formatTime(ms int64) string {
	if ms < 0 {
		return "no time"
	}
	return time.UnixMilli(ms).UTC().Format(timeLayout)
}

// escapeControls makes control characters visible, so that what somebody else wrote cannot move the cursor or change the terminal: all of C0 but
// line ends and tabs, DEL, C1, and bytes that are no UTF-8.
func escapeControls(b []byte) []byte {
	harmless := func(r rune, size int) bool {
		return r == '\n' || r == '\t' || r >= 0x20 && r < 0x7f || r > 0x9f && !(r == utf8.RuneError && size == 1)
	}
	var out []byte
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if ok := harmless(r, size); !ok && out == nil {
			out = append(make([]byte, 0, len(b)+16), b[:i]...)
		}
		switch {
		case harmless(r, size) && out != nil:
			out = append(out, b[i:i+size]...)
		case !harmless(r, size):
			for _, c := range b[i : i+size] {
				out = fmt.Appendf(out, `\x%02x`, c)
			}
		}
		i += size
	}
	if out == nil {
		return b
	}
	return out
}
