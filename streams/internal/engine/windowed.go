package engine

import (
	"encoding/binary"
	"errors"
)

// A windowed key's bytes are Kafka's, as a sink writes them; all integers big-endian.
//
//	time and sliding window   key  start(8)
//	session                   key  end(8)  start(8)
const (
	windowKeyBytes  = 8
	sessionKeyBytes = 16
)

var errWindowedKey = errors.New("cannot decode windowed key: it is too short")

// WindowKind says how windows come about, and with it how their keys are written.
type WindowKind uint8

const (
	TimeWindows WindowKind = iota // tumbling and hopping
	SlidingWindows
	SessionWindows
)

// WindowedCodec writes windowed keys. Size is the length of a time or sliding window in ms: its end is not written.
type WindowedCodec[K any] struct {
	Key  Codec[K]
	Kind WindowKind
	Size int64
}

// Append appends the windowed key.
func (c WindowedCodec[K]) Append(dst []byte, v Windowed[K]) ([]byte, error) {
	longer, err := c.Key.Append(dst, v.Key)
	if err != nil {
		return dst, err
	}
	return appendWindow(longer, c.Kind, v.Window), nil
}

// Decode reads a windowed key.
func (c WindowedCodec[K]) Decode(b []byte) (Windowed[K], error) {
	var w Windowed[K]
	n := len(KeyOfWindowed(c.Kind, b))
	if n == 0 && len(b) < windowSuffix(c.Kind) {
		return w, errWindowedKey
	}
	var err error
	if w.Key, err = c.Key.Decode(b[:n:n]); err != nil {
		return w, err
	}
	w.Window = windowOf(c.Kind, c.Size, b[n:])
	return w, nil
}

func windowSuffix(kind WindowKind) int {
	if kind == SessionWindows {
		return sessionKeyBytes
	}
	return windowKeyBytes
}

// KeyOfWindowed is the part of a windowed key without the window: what chooses the partition.
func KeyOfWindowed(kind WindowKind, b []byte) []byte { return b[:max(0, len(b)-windowSuffix(kind))] }

func appendWindow(dst []byte, kind WindowKind, w Window) []byte {
	if kind == SessionWindows {
		dst = binary.BigEndian.AppendUint64(dst, uint64(w.EndMillis))
	}
	return binary.BigEndian.AppendUint64(dst, uint64(w.StartMillis))
}

func windowOf(kind WindowKind, size int64, suffix []byte) Window {
	if kind == SessionWindows {
		return Window{
			EndMillis:   int64(binary.BigEndian.Uint64(suffix)),
			StartMillis: int64(binary.BigEndian.Uint64(suffix[8:])),
		}
	}
	start := int64(binary.BigEndian.Uint64(suffix))
	return Window{StartMillis: start, EndMillis: start + size}
}

// windowedKey makes the bytes of a windowed key in the scratch. The key is not decoded.
func windowedKey(key []byte, kind WindowKind, w Window, s *Scratch) []byte {
	start := len(s.buf)
	s.buf = appendWindow(append(s.buf, key...), kind, w)
	return s.buf[start:len(s.buf):len(s.buf)]
}
