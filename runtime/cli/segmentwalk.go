package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/segment"
)

// storedBatch is one batch in a segment file, as it was read.
type storedBatch struct {
	position int64        // bytes from the start of the file
	batch    record.Batch // valid until the next one is read
	problem  error        // what is wrong with it; nil if nothing
}

// walkSegment reads the batches of a segment file one after the other and never writes. It returns where the batches end and what is wrong with
// the bytes there: nil at the end of the file or where only preallocated zeros follow.
func walkSegment(f io.ReaderAt, size int64, each func(storedBatch) error) (end int64, tail error, err error) {
	var buf []byte
	var head [record.HeaderBytes]byte
	for at := int64(0); at < size; {
		n, err := f.ReadAt(head[:min(int64(len(head)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return at, nil, err
		}
		length, err := record.Size(head[:n])
		if err == nil && length > size-at {
			err = fmt.Errorf("a batch of %d bytes begins %d bytes before the end of the file", length, size-at)
		}
		if err != nil {
			zeros, readErr := onlyZeros(f, at, size)
			if zeros {
				err = nil
			}
			return at, err, readErr
		}
		buf = slices.Grow(buf[:0], int(length))[:length]
		if _, err := f.ReadAt(buf, at); err != nil {
			return at, nil, err
		}
		b := storedBatch{position: at, batch: record.Batch(buf)}
		b.problem = b.batch.CheckStored()
		if err := each(b); err != nil {
			return at, nil, err
		}
		at += length
	}
	return size, nil, nil
}

// zeroStep is how much is read at once in the search for something that is not zero.
const zeroStep = 1 << 20

func onlyZeros(f io.ReaderAt, from, to int64) (bool, error) {
	buf := make([]byte, zeroStep)
	for from < to {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if slices.ContainsFunc(buf[:n], func(b byte) bool { return b != 0 }) {
			return false, nil
		}
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return false, err
		}
		from += int64(n)
	}
	return true, nil
}

// segmentFile is a segment by name.
type segmentFile struct {
	path string
	base int64 // the first offset that may be in it
}

// findSegments returns the segments in a directory, by offset.
func findSegments(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []segmentFile
	for _, e := range entries {
		if base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix); ok && !e.IsDir() {
			files = append(files, segmentFile{filepath.Join(dir, e.Name()), base})
		}
	}
	slices.SortFunc(files, func(a, b segmentFile) int { return cmp.Compare(a.base, b.base) })
	return files, nil
}

// walkFile is walkSegment on a file by name.
func walkFile(path string, each func(storedBatch) error) (size, end int64, tail, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, 0, nil, errors.Join(err, f.Close())
	}
	end, tail, err = walkSegment(f, info.Size(), each)
	return info.Size(), end, tail, errors.Join(err, f.Close())
}
