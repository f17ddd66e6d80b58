package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/partition"
)

const hintDataDir = "DATA_DIR is what --data-dir of millrace start says"

func (a *app) verifyLogCommand() *cobra.Command {
	var records bool
	cmd := &cobra.Command{
		Use: "verify-log DATA_DIR", Short: "Check every batch of every partition in a data directory", Args: cobra.ExactArgs(1),
		Long: "Check every batch of every partition in a data directory: CRC, rising offsets and epochs, no holes between segments. It only reads. Exits with 1 " +
			"if there is a finding.\n\nWhat is torn at the end of the newest segment is none where the node runs or was killed, if it lies above what had been made " +
			"durable: nobody was told that it is there, and the next start cuts it off.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.verifyLog(args[0], records) },
	}
	cmd.Flags().BoolVar(&records, "records", false, "also decompress and look into every record")
	return cmd
}

// logFinding is one thing that is wrong, and where.
type logFinding struct {
	File     string `json:"file"`
	Position int64  `json:"position"` // bytes from the start of the file
	Offset   int64  `json:"offset"`   // of the first record in doubt; -1: unknown
	Problem  string `json:"problem"`
}

type verifiedLog struct {
	Dir        string              `json:"dir"`
	Clean      bool                `json:"clean"` // the node was stopped properly
	Partitions []verifiedPartition `json:"partitions"`
	Findings   []logFinding        `json:"findings"`
	Notes      []string            `json:"notes"`

	files disk.FS
	marks map[string]partition.DurableMark
}

type verifiedPartition struct {
	Dir      string `json:"dir"`
	Topic    string `json:"topic"`
	Segments int    `json:"segments"`
	Batches  int64  `json:"batches"`
	Records  int64  `json:"records"`
	Bytes    int64  `json:"bytes"`
	Start    int64  `json:"start"`
	End      int64  `json:"end"`
}

func (a *app) verifyLog(dir string, records bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return environmentError(fmt.Errorf("cannot read the data directory: %w", err), hintDataDir)
	}
	v := verifiedLog{Dir: dir, Partitions: []verifiedPartition{}, Findings: []logFinding{}, Notes: []string{}}
	if v.files, err = disk.Open(dir); err != nil {
		return environmentError(err, hintDataDir)
	}
	// Before the segments: beside a running node they can only hold more than this.
	found, err := partition.Inspect(v.files)
	if err != nil {
		return environmentError(err, "")
	}
	v.Clean, v.marks = found.Clean, found.Marks
	for _, e := range entries {
		if !e.IsDir() || partition.IsDeleted(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		files, err := findSegments(path)
		if err != nil {
			return environmentError(fmt.Errorf("cannot read %s: %w", path, err), "")
		}
		if len(files) == 0 {
			continue
		}
		if err := v.partition(path, files, records); err != nil {
			return environmentError(err, "")
		}
	}
	if len(v.Partitions) == 0 {
		if !found.Identified {
			return environmentError(fmt.Errorf("%s is no data directory: it holds neither meta.properties nor a partition", dir), hintDataDir)
		}
		v.Notes = append(v.Notes, "no partitions in "+dir)
	}
	return a.printVerifiedLog(v)
}

// partition checks the segments of one partition.
func (v *verifiedLog) partition(dir string, files []segmentFile, records bool) error {
	if err := v.quarantine(dir); err != nil {
		return err
	}
	p := verifiedPartition{Dir: dir, Topic: partition.TopicName(v.files, filepath.Base(dir)), Segments: len(files), Start: files[0].base, End: files[0].base}
	epoch := int32(-1)
	mark := v.marks[filepath.Base(dir)]
	for i, f := range files {
		if f.base != p.End && i > 0 {
			v.find(f.path, 0, p.End, "the segment begins at offset %d, the one before ends at %d", f.base, p.End)
		}
		p.End = max(p.End, f.base)
		sound := len(v.Findings) // those beyond it are about what lies behind the last batch that is whole
		size, end, tail, err := walkFile(f.path, func(s storedBatch) error {
			v.batch(f.path, s, &p, &epoch, records)
			if s.problem == nil {
				sound = len(v.Findings)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", f.path, err)
		}
		if tail != nil {
			v.find(f.path, end, p.End, "%v; the %d bytes from there on cannot be read", tail, size-end)
		}
		if i == len(files)-1 && !v.Clean {
			v.tornTail(sound, f.base, mark)
		}
	}
	if p.End < mark.Durable {
		v.find(files[len(files)-1].path, p.Bytes, p.End, "the log ends here, and was on disk up to offset %d", mark.Durable)
	}
	v.Partitions = append(v.Partitions, p)
	return nil
}

// tornTail makes notes of the findings about the end of the newest segment of a node that runs or was killed, where they lie above the mark.
func (v *verifiedLog) tornTail(from int, segment int64, mark partition.DurableMark) {
	kept := v.Findings[:from]
	for _, f := range v.Findings[from:] {
		if mark.Covers(segment, f.Position) {
			kept = append(kept, f)
			continue
		}
		v.Notes = append(v.Notes, fmt.Sprintf("%s:%d: offset %d: %s; it was never durable, and the next start cuts it off", f.File, f.Position, f.Offset, f.Problem))
	}
	v.Findings = kept
}

// batch checks one batch against those before it.
func (v *verifiedLog) batch(path string, s storedBatch, p *verifiedPartition, epoch *int32, records bool) {
	b := s.batch
	p.Batches++
	p.Bytes += int64(len(b))
	if s.problem != nil {
		v.find(path, s.position, p.End, "%v", s.problem)
		return // nothing it says can be trusted
	}
	p.Records += int64(b.Count())
	if b.BaseOffset() < p.End {
		v.find(path, s.position, b.BaseOffset(), "the batch begins at offset %d, the one before ends at %d", b.BaseOffset(), p.End)
	}
	if b.LeaderEpoch() < *epoch {
		v.find(path, s.position, b.BaseOffset(), "the leader epoch goes back from %d to %d", *epoch, b.LeaderEpoch())
	}
	p.End, *epoch = max(p.End, b.NextOffset()), max(*epoch, b.LeaderEpoch())
	if records {
		if err := b.CheckRecords(0); err != nil {
			v.find(path, s.position, b.BaseOffset(), "%v", err)
		}
	}
}

// quarantine reports the files that recovery has set aside.
func (v *verifiedLog) quarantine(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if partition.IsQuarantined(e.Name()) {
			v.find(filepath.Join(dir, e.Name()), 0, -1, "set aside: its bytes were not what had been written")
		}
	}
	return err
}

func (v *verifiedLog) find(file string, position, offset int64, format string, args ...any) {
	v.Findings = append(v.Findings, logFinding{file, position, offset, fmt.Sprintf(format, args...)})
}

func (a *app) printVerifiedLog(v verifiedLog) error {
	if err := a.printVerifiedTable(v); err != nil {
		return err
	}
	if len(v.Findings) > 0 {
		return &Error{Code: ExitRuntime, Err: errors.New(plural(len(v.Findings), "finding"))}
	}
	return nil
}

func (a *app) printVerifiedTable(v verifiedLog) error {
	if a.output == outputJSON {
		return a.json(v)
	}
	var rows [][]string
	for _, p := range v.Partitions {
		rows = append(rows, []string{
			orDash(p.Topic), filepath.Base(p.Dir), fmt.Sprint(p.Segments), fmt.Sprint(p.Batches), fmt.Sprint(p.Records), thousands(p.Bytes), fmt.Sprint(p.Start), fmt.Sprint(p.End),
		})
	}
	if len(rows) > 0 {
		if err := a.grid([]string{"TOPIC", "DIRECTORY", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "START", "END"}, rows); err != nil {
			return err
		}
	}
	for _, f := range v.Findings {
		fmt.Fprintf(a.env.Stdout, "%s:%d: offset %d: %s\n", f.File, f.Position, f.Offset, f.Problem)
	}
	for _, n := range v.Notes {
		a.note("note: %s", n)
	}
	if len(v.Findings) == 0 && len(v.Partitions) > 0 {
		fmt.Fprintln(a.env.Stdout, "\neverything is as it was written")
	}
	return nil
}
