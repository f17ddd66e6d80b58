package serde

import (
	"encoding/binary"
	"fmt"
)

// Windowed keys on a sink topic, as Kafka writes them; all integers big-endian.
//
//	time and sliding window   key  start(8)            the reader must know the window's size
//	session                   key  end(8)  start(8)
const (
	windowSuffixBytes  = 8
	sessionSuffixBytes = 16
)

// AppendWindowKey appends the windowed form of key to dst. start is in ms.
func AppendWindowKey(dst, key []byte, start int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, key...), uint64(start))
}

// ParseWindowKey takes the windowed form of a key apart. The key it returns is part of b.
func ParseWindowKey(b []byte) (key []byte, start int64, err error) {
	n := len(b) - windowSuffixBytes
	if n < 0 {
		return nil, 0, fmt.Errorf("cannot read windowed key: %d bytes, need at least %d", len(b), windowSuffixBytes)
	}
	return b[:n:n], int64(binary.BigEndian.Uint64(b[n:])), nil
}

// AppendSessionKey appends the form of key for the session [start, end], in ms, to dst.
func AppendSessionKey(dst, key []byte, start, end int64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, key...), uint64(end))
	return binary.BigEndian.AppendUint64(dst, uint64(start))
}

// ParseSessionKey takes the session form of a key apart. The key it returns is part of b. A session that ends before it
// starts is an error.
func ParseSessionKey(b []byte) (key []byte, start, end int64, err error) {
	n := len(b) - sessionSuffixBytes
	if n < 0 {
		return nil, 0, 0, fmt.Errorf("cannot read session key: %d bytes, need at least %d", len(b), sessionSuffixBytes)
	}
	end, start = int64(binary.BigEndian.Uint64(b[n:])), int64(binary.BigEndian.Uint64(b[n+8:]))
	if end < start {
		return nil, 0, 0, fmt.Errorf("cannot read session key: it ends at %d, before its start %d", end, start)
	}
	return b[:n:n], start, end, nil
}
