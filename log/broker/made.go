package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/millrace/millrace/log/disk"
)

// madeMark is the metadata version up to which the directories of all topics have been made and synced, as a file:
//
//	+---------+---------+
//	| version | CRC32C  |
//	| 8 bytes | 4 bytes |
//	+---------+---------+
//
// It is what tells a directory that a crash kept from being made from one that was lost: only the first may be made empty at start.
type madeMark struct{ fs disk.FS }

const (
	madeFile     = "topics.made"
	madeTempFile = madeFile + ".tmp"
	madeSize     = 12
)

// load is the stored version, 0 on a new directory.
func (m madeMark) load() (uint64, error) {
	f, err := m.fs.Open(madeFile, disk.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", madeFile, err)
	}
	defer f.Close()
	var buf [madeSize]byte
	if _, err := f.ReadAt(buf[:], 0); err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", madeFile, err)
	}
	if crc32.Checksum(buf[:8], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(buf[8:]) {
		return 0, fmt.Errorf("cannot read %s: its checksum is wrong", madeFile)
	}
	return binary.BigEndian.Uint64(buf[:8]), nil
}

// store replaces the mark; it is on disk when store returns.
func (m madeMark) store(version uint64) error {
	if err := m.write(version); err != nil {
		return fmt.Errorf("cannot write %s: %w", madeFile, err)
	}
	return nil
}

func (m madeMark) write(version uint64) error {
	if err := m.fs.Remove(madeTempFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := m.fs.Open(madeTempFile, disk.Create)
	if err != nil {
		return err
	}
	var buf [madeSize]byte
	binary.BigEndian.PutUint64(buf[:8], version)
	binary.BigEndian.PutUint32(buf[8:], crc32.Checksum(buf[:8], crc32.MakeTable(crc32.Castagnoli)))
	_, err = f.WriteAt(buf[:], 0)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err := m.fs.Rename(madeTempFile, madeFile); err != nil {
		return err
	}
	return m.fs.SyncDir(".")
}
