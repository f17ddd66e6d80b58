package metadata

import (
	"context"
	"io"
	"log/slog"

	"github.com/hashicorp/raft"
)

func discard() *slog.Logger        { return slog.New(slog.DiscardHandler) }
func testContext() context.Context { return context.Background() }

// sick is a store of every kind that fails at everything.
type sick struct{}

func (sick) FirstIndex() (uint64, error)         { return 0, errDisk }
func (sick) LastIndex() (uint64, error)          { return 0, errDisk }
func (sick) GetLog(uint64, *raft.Log) error      { return errDisk }
func (sick) StoreLog(*raft.Log) error            { return errDisk }
func (sick) StoreLogs([]*raft.Log) error         { return errDisk }
func (sick) DeleteRange(uint64, uint64) error    { return errDisk }
func (sick) Set([]byte, []byte) error            { return errDisk }
func (sick) SetUint64([]byte, uint64) error      { return errDisk }
func (sick) Get([]byte) ([]byte, error)          { return nil, errDisk }
func (sick) GetUint64([]byte) (uint64, error)    { return 0, errDisk }
func (sick) List() ([]*raft.SnapshotMeta, error) { return nil, errDisk }
func (sick) Write([]byte) (int, error)           { return 0, errDisk }
func (sick) Close() error                        { return errDisk }
func (sick) Cancel() error                       { return errDisk }
func (sick) ID() string                          { return "sick" }
func (sick) Open(string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return nil, nil, errDisk
}

func (sick) Create(raft.SnapshotVersion, uint64, uint64, raft.Configuration, uint64, raft.Transport) (raft.SnapshotSink, error) {
	return nil, errDisk
}
