package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"uuid"

	"github.com/millrace/millrace/log/disk"
)

const (
	lockFile      = ".lock"
	cleanFile     = ".clean"
	metaFile      = "meta.properties"
	metadataFile  = "partition.metadata"
	formatVersion = 1
	// maxSmallFileBytes bounds what is read of any of them.
	maxSmallFileBytes = 64 << 10
)

// readSmall reads a whole file; found is false if it is not there.
func readSmall(fsys disk.FS, name string, limit int64) (b []byte, found bool, err error) {
	f, err := fsys.Open(name, disk.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil {
		b, err = readAll(f, limit)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return b, true, nil
}

// properties reads lines of key=value (or key: value).
func properties(b []byte, separator string) map[string]string {
	p := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if k, v, ok := strings.Cut(line, separator); ok && !strings.HasPrefix(line, "#") {
			p[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return p
}

// readIdentity compares meta.properties with who opens the directory. found is false in a new directory.
func (d *Directory) readIdentity() (id uuid.UUID, found bool, err error) {
	b, found, err := readSmall(d.cfg.FS, metaFile, maxSmallFileBytes)
	if err != nil {
		return id, false, err
	}
	if !found {
		strays, err := d.Strays()
		if err == nil && len(strays) > 0 {
			err = fmt.Errorf("cannot open the log directory: %w", errNoIdentityButLogs)
		}
		return id, false, err
	}
	p := properties(b, "=")
	version, err := strconv.Atoi(p["version"])
	if err != nil {
		return id, true, fmt.Errorf("cannot read %s: version %q", metaFile, p["version"])
	}
	if version > formatVersion {
		return id, true, fmt.Errorf("%w: %s has version %d, this one reads up to %d", ErrNewerFormat, metaFile, version, formatVersion)
	}
	if p["cluster.id"] != d.cfg.ClusterID {
		return id, true, fmt.Errorf("%w: it is of cluster %q, this is %q", ErrWrongDirectory, p["cluster.id"], d.cfg.ClusterID)
	}
	if p["node.id"] != strconv.Itoa(int(d.cfg.NodeID)) {
		return id, true, fmt.Errorf("%w: it is of node %s, this is %d", ErrWrongDirectory, p["node.id"], d.cfg.NodeID)
	}
	if id, err = uuid.Parse(p["directory.id"]); err != nil {
		return id, true, fmt.Errorf("cannot read %s: directory.id %q", metaFile, p["directory.id"])
	}
	return id, true, nil
}

// makeIdentity comes last when a directory is made: marks.log is on disk by then, so that one without the other is damage.
func (d *Directory) makeIdentity() (uuid.UUID, error) {
	id := uuid.New()
	text := fmt.Sprintf("version=%d\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", formatVersion, d.cfg.ClusterID, d.cfg.NodeID, id)
	return id, d.writeFile(".", metaFile, []byte(text))
}

// consumeClean tells whether the last stop was clean, and sees to it that a crash from now on is not taken for one.
func (d *Directory) consumeClean() (bool, error) {
	b, found, err := readSmall(d.cfg.FS, cleanFile, maxSmallFileBytes)
	if err != nil || !found {
		return false, err
	}
	if err := d.cfg.FS.Remove(cleanFile); err != nil {
		return false, fmt.Errorf("cannot remove %s: %w", cleanFile, err)
	}
	if err := d.cfg.FS.SyncDir("."); err != nil {
		return false, fmt.Errorf("cannot sync the log directory: %w", err)
	}
	return string(b) == cleanText(d.id), nil
}

func cleanText(id uuid.UUID) string {
	return fmt.Sprintf("version=%d\ndirectory.id=%s\n", formatVersion, id)
}

func (d *Directory) leaveClean() error { return d.writeFile(".", cleanFile, []byte(cleanText(d.id))) }

// encodeMetadata is what a partition's directory says about itself.
func encodeMetadata(s Spec) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s\npartition: %d\ntopic: %s\n", s.ID.Topic, s.ID.Partition, s.Name)
}

func checkMetadata(b []byte, id ID) error {
	p := properties(b, ":")
	topic, err := uuid.Parse(p["topic_id"])
	if err != nil || p["version"] != "0" {
		return errMissingMetadata
	}
	if topic != id.Topic || p["partition"] != strconv.Itoa(int(id.Partition)) {
		return errForeignMetadata
	}
	return nil
}

// parseID reads the name of a partition's directory.
func parseID(name string) (ID, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return ID{}, false
	}
	topic, err1 := uuid.Parse(name[:i])
	n, err2 := strconv.ParseInt(name[i+1:], 10, 32)
	id := ID{Topic: topic, Partition: int32(n)}
	return id, err1 == nil && err2 == nil && n >= 0 && id.String() == name
}

const deletedInfix = ".deleted-"

func deletedName(id ID, now time.Time) string {
	return id.String() + deletedInfix + strconv.FormatInt(now.UnixMilli(), 10)
}

// parseDeleted reads the name that Delete gave a directory.
func parseDeleted(name string) (at time.Time, ok bool) {
	first, ms, ok := strings.Cut(name, deletedInfix)
	n, err := strconv.ParseInt(ms, 10, 64)
	if _, isID := parseID(first); !ok || !isID || err != nil || n < 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(n), true
}
