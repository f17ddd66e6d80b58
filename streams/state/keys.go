package state

import (
	"encoding/binary"
	"fmt"
)

// Changelog keys, as Kafka writes them; all integers big-endian.
//
//	key-value    key
//	window       key  start(8)  seq(4)       seq is 0, or for duplicates the number of the value among those of its key and time
//	session      key  end(8)    start(8)
const (
	windowSuffixBytes  = 12
	sessionSuffixBytes = 16
)

// AppendWindowKey appends a window's changelog key to dst.
func AppendWindowKey(dst, key []byte, start int64, seq uint32) []byte {
	dst = append(dst, key...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(start))
	return binary.BigEndian.AppendUint32(dst, seq)
}

// ParseWindowKey takes a window's changelog key apart. The key it returns is part of b.
func ParseWindowKey(b []byte) (key []byte, start int64, seq uint32, err error) {
	n := len(b) - windowSuffixBytes
	if n < 0 {
		return nil, 0, 0, fmt.Errorf("cannot read window key: %d bytes, need at least %d", len(b), windowSuffixBytes)
	}
	return b[:n:n], int64(binary.BigEndian.Uint64(b[n:])), binary.BigEndian.Uint32(b[n+8:]), nil
}

// AppendSessionKey appends a session's changelog key to dst.
func AppendSessionKey(dst, key []byte, start, end int64) []byte {
	dst = append(dst, key...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(end))
	return binary.BigEndian.AppendUint64(dst, uint64(start))
}

// ParseSessionKey takes a session's changelog key apart. The key it returns is part of b. A session that ends before it
// starts is an error.
func ParseSessionKey(b []byte) (key []byte, start, end int64, err error) {
	n := len(b) - sessionSuffixBytes
	if n < 0 {
		return nil, 0, 0, fmt.Errorf("cannot read session key: %d bytes, need at least %d", len(b), sessionSuffixBytes)
	}
	end = int64(binary.BigEndian.Uint64(b[n:]))
	start = int64(binary.BigEndian.Uint64(b[n+8:]))
	if end < start {
		return nil, 0, 0, fmt.Errorf("cannot read session key: it ends at %d, before its start %d", end, start)
	}
	return b[:n:n], start, end, nil
}
