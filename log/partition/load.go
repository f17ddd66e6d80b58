package partition

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/millrace/millrace/log/segment"
)

// contents is what is in a partition's directory.
type contents struct {
	bases       []int64 // of the log files, rising
	sizes       map[int64]int64
	snapshots   []int64 // rising
	quarantined []string
	leftovers   []string // temporary files, and indexes without a log
}

func (d *Directory) list(path string) (contents, error) {
	entries, err := d.cfg.FS.List(path)
	if err != nil {
		return contents{}, err
	}
	c := contents{sizes: make(map[int64]int64)}
	for _, e := range entries {
		if base, ok := segment.ParseFileName(e.Name, segment.LogSuffix); ok {
			c.bases = append(c.bases, base)
			c.sizes[base] = e.Size
		}
		if offset, ok := segment.ParseFileName(e.Name, snapshotSuffix); ok {
			c.snapshots = append(c.snapshots, offset)
		}
		if strings.HasSuffix(e.Name, quarantineSuffix) {
			c.quarantined = append(c.quarantined, e.Name)
		}
	}
	for _, e := range entries {
		base, isIndex := segment.ParseFileName(e.Name, segment.IndexSuffix)
		if !isIndex {
			base, isIndex = segment.ParseFileName(e.Name, segment.TimeSuffix)
		}
		if _, there := c.sizes[base]; isIndex && !there || strings.HasSuffix(e.Name, ".new") {
			c.leftovers = append(c.leftovers, e.Name)
		}
	}
	return c, nil
}

// loading is one log on its way from disk.
type loading struct {
	*Log
	contents
	mark    mark
	pieces  []*piece
	rewrite bool // files were removed or created: the directory wants a sync
}

// openLog opens a partition. Every error is an *OfflineError.
func (d *Directory) openLog(s Spec) (*Log, error) {
	l := &loading{Log: &Log{dir: d, id: s.ID, path: s.ID.String(), name: s.Name}}
	l.SetConfig(s.Config)
	l.epochs.Store(&epochs{})
	l.durable.Store(&mark{})
	l.mu.producers = newProducers()
	err := l.open()
	if err == nil {
		return l.Log, nil
	}
	for _, p := range l.pieces {
		p.Close()
	}
	if _, bad := errors.AsType[*segment.CorruptError](err); bad {
		err = l.damaged(err)
	}
	if offline, ok := errors.AsType[*OfflineError](err); ok {
		return nil, offline
	}
	return nil, &OfflineError{ID: s.ID, File: l.path, Offset: -1, Err: err}
}

func (l *loading) open() error {
	var err error
	if l.contents, err = l.dir.list(l.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errMissingOnLoad
		}
		return err
	}
	b, found, err := readSmall(l.dir.cfg.FS, l.path+"/"+metadataFile, maxSmallFileBytes)
	if err == nil && !found {
		err = errMissingMetadata
	}
	if err == nil {
		err = checkMetadata(b, l.id)
	}
	if err != nil {
		return err
	}
	if len(l.quarantined) > 0 {
		return &OfflineError{ID: l.id, File: l.path + "/" + l.quarantined[0], Offset: -1, Err: errors.New("it was found damaged before")}
	}
	var marked bool
	l.mark, marked = l.dir.marks.get(l.id)
	switch {
	case len(l.bases) > 0 && !marked:
		return &OfflineError{ID: l.id, File: marksFile, Offset: -1, Err: errNoMark}
	case l.mark == mark{} && (len(l.bases) == 0 || l.bases[0] > 0):
		return l.loadEmpty()
	case len(l.bases) == 0:
		return l.missing(l.mark.segment)
	}
	return l.load()
}

// loadEmpty opens a log of which nothing was ever durable, not even the entry of its first segment. Later segments whose entries survived are
// no use without it, and nobody was acked.
func (l *loading) loadEmpty() error {
	l.maintain.idle = len(l.bases) == 0
	for _, base := range l.bases {
		l.dir.cfg.Logger.Warn("dropped a segment behind the end of the log", "partition", l.id.String(), "base", base, "end", 0)
		if err := l.remove(base); err != nil {
			return err
		}
	}
	for _, offset := range l.snapshots {
		if err := l.dir.cfg.FS.Remove(l.path + "/" + segment.FileName(offset, snapshotSuffix)); err != nil {
			return err
		}
	}
	if l.loadEpochs() {
		l.epochs.Store(&epochs{}) // none of them has a record; the file changes with the next one that begins
	}
	if err := l.dropLeftovers(); err != nil {
		return err
	}
	return l.syncEntries()
}

// syncEntries makes removals durable: what was dropped must not come back behind what is appended next.
func (l *loading) syncEntries() error {
	if !l.rewrite {
		return nil
	}
	if err := l.dir.cfg.FS.SyncDir(l.path); err != nil {
		l.dir.fail(err)
		return err
	}
	return nil
}

func (l *loading) missing(base int64) error {
	return &OfflineError{ID: l.id, File: l.path + "/" + segment.FileName(base, segment.LogSuffix), Offset: base, Err: errors.New("the file is missing")}
}

func (l *loading) load() error {
	if err := errors.Join(l.dropDeleted(), l.dropLeftovers()); err != nil {
		return err
	}
	k := slices.Index(l.bases, l.mark.segment)
	if k < 0 {
		return l.missing(l.mark.segment)
	}
	readable := l.loadEpochs()
	for i, base := range l.bases[:k] {
		l.pieces = append(l.pieces, l.piece(segment.OpenSealed(l.segmentConfig(), base, l.sizes[base], l.bases[i+1])))
	}
	clean := l.dir.clean && k == len(l.bases)-1 && l.sizes[l.mark.segment] == l.mark.position
	var err error
	if clean {
		err = l.openClean()
	} else {
		err = l.recover(k)
	}
	if err != nil {
		return err
	}
	last := l.pieces[len(l.pieces)-1]
	l.Log.pieces.Store(&l.pieces)
	l.start.Store(max(l.mark.start, l.pieces[0].Base()))
	l.durable.Store(&mark{durable: last.Next(), segment: last.Base(), position: last.Size()})
	if err := l.age(last); err != nil {
		return err
	}
	if err := l.loadProducers(!readable); err != nil {
		return err
	}
	l.maintain.idle = clean
	if !clean {
		// The checkpoint may know an epoch that the log has lost, and the mark is about to pass its start.
		if err := l.dir.withReserve(l.saveEpochs); err != nil {
			return err
		}
	}
	return l.syncEntries()
}

func (l *loading) piece(s *segment.Segment) *piece {
	p := &piece{Segment: s}
	p.appended.Store(l.dir.cfg.Now().UnixMilli())
	return p
}

// age gives the active segment its age back: that of its first batch, unless that is from the future.
func (l *loading) age(p *piece) error {
	if p.Size() == 0 {
		return nil
	}
	_, h, err := p.Find(p.Base())
	if err != nil {
		return err
	}
	p.since = min(max(h.MaxTimestamp, 1), l.dir.cfg.Now().UnixMilli())
	return nil
}

func (l *loading) openClean() error {
	s, err := segment.OpenActive(l.segmentConfig(), l.mark.segment, l.mark.position, l.mark.durable)
	if err != nil {
		return err
	}
	l.pieces = append(l.pieces, l.piece(s))
	return nil
}

// recover reads everything above the mark, in segment k and those behind it. The first batch that is not right ends the log; what lies behind it
// was never acked.
func (l *loading) recover(k int) error {
	e := l.epochs.Load().below(l.mark.durable)
	at, next := segment.Mark{Offset: l.mark.durable, Position: l.mark.position}, l.mark.segment
	torn := false
	for _, base := range l.bases[k:] {
		if torn || base != next {
			l.dir.cfg.Logger.Warn("dropped a segment behind the end of the log", "partition", l.id.String(), "base", base, "end", next)
			if err := l.remove(base); err != nil {
				return err
			}
			torn = true
			continue
		}
		if base != l.mark.segment {
			at = segment.Mark{Offset: base}
		}
		s, r, err := segment.OpenRecovered(l.segmentConfig(), base, at, e.latest(), func(h segment.Header) {
			if h.Epoch > e.latest() {
				e = e.with(h.Epoch, h.Base)
			}
		})
		if err != nil {
			return err
		}
		l.pieces = append(l.pieces, l.piece(s))
		if r.Cut > 0 {
			torn = true
			l.dir.cfg.Logger.Warn("cut a torn tail", "partition", l.id.String(), "file", s.Path(), "position", r.Size, "bytes", r.Cut, "end", r.Next, "why", r.Why)
		}
		next = r.Next
	}
	l.epochs.Store(&e)
	return l.settleRecovered(k)
}

// settleRecovered brings what was recovered to disk before it counts as durable: so far it may be in the page cache only.
func (l *loading) settleRecovered(k int) error {
	for i, p := range l.pieces[k:] {
		if err := errors.Join(p.Trim(), p.Sync()); err != nil {
			l.dir.fail(err)
			return err
		}
		if k+i == len(l.pieces)-1 {
			p.Rest()
			break
		}
		p.Seal()
		if err := p.WriteIndexes(true); err != nil {
			return err
		}
		p.Settle()
	}
	l.rewrite = true
	return nil
}

func (l *loading) remove(base int64) error {
	l.rewrite = true
	return segment.OpenSealed(l.segmentConfig(), base, 0, base).Remove()
}

// dropDeleted finishes what DeleteBefore and retention began: segments below the durable start, but not the one that the durable mark is in (at
// its very end, if the next one was not synced yet).
func (l *loading) dropDeleted() error {
	for len(l.bases) > 1 && l.bases[1] <= l.mark.start && l.bases[0] < l.mark.segment {
		if err := l.remove(l.bases[0]); err != nil {
			return err
		}
		l.bases = l.bases[1:]
	}
	return nil
}

func (l *loading) dropLeftovers() error {
	for _, name := range l.leftovers {
		if err := l.dir.cfg.FS.Remove(l.path + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// loadEpochs tells whether the checkpoint was readable; it is not an error if it was not.
func (l *loading) loadEpochs() bool {
	b, found, err := readSmall(l.dir.cfg.FS, l.path+"/"+epochFile, maxEpochFileBytes)
	if err != nil || !found {
		return false
	}
	e, err := decodeEpochs(b)
	if err != nil {
		l.dir.cfg.Logger.Warn("the leader epoch checkpoint is made anew", "partition", l.id.String(), "err", err)
		return false
	}
	l.maintain.epochsOnDisk = e
	l.epochs.Store(&e)
	return true
}

// loadProducers makes the state of the producers, complete before anybody is served: from the newest good snapshot and the headers behind it. If
// the epochs are wanted too, all headers are read.
func (l *loading) loadProducers(epochsToo bool) error {
	from := l.pieces[0].Base()
	for _, offset := range slices.Backward(l.snapshots) {
		p, err := l.readSnapshot(offset)
		if err == nil {
			l.mu.producers, from = p, offset
			break
		}
		l.dir.cfg.Logger.Warn("dropped a producer snapshot", "partition", l.id.String(), "offset", offset, "err", err)
		if err := l.dir.cfg.FS.Remove(l.path + "/" + segment.FileName(offset, snapshotSuffix)); err != nil {
			return err
		}
		l.rewrite = true
		l.snapshots = l.snapshots[:len(l.snapshots)-1]
	}
	l.maintain.onDisk = l.snapshots
	first := from
	var e epochs
	if epochsToo {
		first = l.pieces[0].Base()
	}
	expiration := l.config.Load().ProducerIDExpiration.Milliseconds()
	for _, p := range l.pieces {
		if p.Next() <= first {
			continue
		}
		err := p.Scan(first, func(_ int64, h segment.Header) error {
			if epochsToo && h.Epoch > e.latest() {
				e = e.with(h.Epoch, h.Base)
			}
			if h.Base >= from {
				l.mu.producers.apply(h, expiration)
				l.mu.sinceTake += h.Size
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if epochsToo {
		l.epochs.Store(&e)
	}
	l.count.Store(int64(l.mu.producers.len()))
	return nil
}

var errSnapshotOutside = errors.New("it is outside of the log")

func (l *loading) readSnapshot(offset int64) (*producers, error) {
	if offset > l.End() || offset < l.Start() {
		return nil, errSnapshotOutside
	}
	b, found, err := readSmall(l.dir.cfg.FS, l.path+"/"+segment.FileName(offset, snapshotSuffix), maxSnapshotBytes)
	if err == nil && !found {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	return decodeProducers(b, offset)
}
