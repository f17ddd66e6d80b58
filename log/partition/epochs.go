package partition

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// epochStart says that records from offset start on were written in a leader epoch.
type epochStart struct {
	epoch int32
	start int64
}

// epochs are the leader epochs of a log, epoch and start rising strictly (KIP-101). Immutable.
type epochs []epochStart

const epochFile = "leader-epoch-checkpoint"

// maxEpochFileBytes bounds what is read of a checkpoint.
const maxEpochFileBytes = 16 << 20

func (e epochs) latest() int32 {
	if len(e) == 0 {
		return -1
	}
	return e[len(e)-1].epoch
}

// with returns the epochs after one that starts at an offset; entries that would begin there or later held no record.
func (e epochs) with(epoch int32, start int64) epochs {
	n := len(e)
	for n > 0 && e[n-1].start >= start {
		n--
	}
	return append(slices.Clone(e[:n]), epochStart{epoch, start})
}

// below returns the epochs without those that begin at end or later.
func (e epochs) below(end int64) epochs {
	n := len(e)
	for n > 0 && e[n-1].start >= end {
		n--
	}
	return e[:n]
}

// at returns the epoch of the record at an offset, -1 if it is not known.
func (e epochs) at(offset int64) int32 {
	i, _ := slices.BinarySearchFunc(e, offset, func(s epochStart, want int64) int {
		if s.start <= want {
			return -1
		}
		return 1
	})
	if i == 0 {
		return -1
	}
	return e[i-1].epoch
}

// end answers OffsetForLeaderEpoch: the largest epoch ≤ epoch and where the next one starts, or the log end. An epoch that is newer than all is
// unknown: (-1, -1). One that is older than all ends where the first one starts.
func (e epochs) end(epoch int32, logEnd int64) (int32, int64) {
	switch {
	case epoch < 0 || len(e) == 0 || epoch > e.latest():
		return -1, -1
	case epoch == e.latest():
		return epoch, logEnd
	}
	i, _ := slices.BinarySearchFunc(e, epoch, func(s epochStart, want int32) int {
		if s.epoch <= want {
			return -1
		}
		return 1
	})
	if i == 0 {
		return epoch, e[0].start
	}
	return e[i-1].epoch, e[i].start
}

// encode writes the checkpoint: Kafka's text, a version above Kafka's and a last line that tells a torn file.
//
//	1
//	2
//	0 0
//	3 1500
//	crc b794b2b2
func (e epochs) encode() []byte {
	b := fmt.Appendf(nil, "1\n%d\n", len(e))
	for _, s := range e {
		b = fmt.Appendf(b, "%d %d\n", s.epoch, s.start)
	}
	return fmt.Appendf(b, "crc %08x\n", checksum(b))
}

var errBadEpochs = errors.New("it is no leader epoch checkpoint")

func decodeEpochs(b []byte) (epochs, error) {
	at := bytes.LastIndex(b, []byte("crc "))
	if at < 0 || string(b[at:]) != fmt.Sprintf("crc %08x\n", checksum(b[:at])) {
		return nil, errBadEpochs
	}
	lines := strings.Split(string(b[:at]), "\n")
	if len(lines) < 3 || lines[0] != "1" || lines[len(lines)-1] != "" || lines[1] != strconv.Itoa(len(lines)-3) {
		return nil, errBadEpochs
	}
	e := make(epochs, 0, len(lines)-3)
	for _, line := range lines[2 : len(lines)-1] {
		first, second, _ := strings.Cut(line, " ")
		epoch, err1 := strconv.ParseInt(first, 10, 32)
		start, err2 := strconv.ParseInt(second, 10, 64)
		if err1 != nil || err2 != nil || epoch < 0 || start < 0 {
			return nil, fmt.Errorf("%w: %q", errBadEpochs, line)
		}
		if n := len(e); n > 0 && (int32(epoch) <= e[n-1].epoch || start <= e[n-1].start) {
			return nil, fmt.Errorf("%w: %q does not rise", errBadEpochs, line)
		}
		e = append(e, epochStart{int32(epoch), start})
	}
	return e, nil
}
