package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/record"
	"github.com/millrace/millrace/log/segment"
)

func (a *app) debugCommand() *cobra.Command {
	return parent("debug", "Look into the files of a log", a.dumpLogCommand(), a.verifyLogCommand())
}

func (a *app) dumpLogCommand() *cobra.Command {
	var records bool
	cmd := &cobra.Command{
		Use: "dump-log SEGMENT.log|PARTITION_DIR", Short: "Print the batches of a segment, or of every segment of a partition", Args: cobra.ExactArgs(1),
		Long: "Print the batches of a segment, or of every segment of a partition: offsets, epoch, codec, CRC, producer, size, time. It only reads, and may " +
			"run beside the node. Exits with 1 if a batch is damaged.",
		RunE: func(cmd *cobra.Command, args []string) error {
			files := []segmentFile{{path: args[0]}}
			info, err := os.Stat(args[0])
			if err == nil && info.IsDir() {
				if files, err = findSegments(args[0]); err == nil && len(files) == 0 {
					err = fmt.Errorf("%s holds no segments (files named %s)", args[0], segment.FileName(0, segment.LogSuffix))
				}
			}
			if err != nil {
				return environmentError(err, "PARTITION_DIR is a directory below --data-dir; millrace debug verify-log DATA_DIR names them")
			}
			return a.dumpLog(files, records)
		},
	}
	cmd.Flags().BoolVar(&records, "records", false, "also the records, with keys, values and headers")
	return cmd
}

type dumpedSegment struct {
	File    string        `json:"file"`
	Size    int64         `json:"size"` // bytes of the file
	End     int64         `json:"end"`  // bytes of batches
	Tail    string        `json:"tail,omitempty"`
	Batches []dumpedBatch `json:"batches"`
}

type dumpedBatch struct {
	Position   int64        `json:"position"`
	BaseOffset int64        `json:"base_offset"`
	LastOffset int64        `json:"last_offset"`
	Count      int32        `json:"count"`
	Epoch      int32        `json:"leader_epoch"`
	Codec      string       `json:"codec"`
	Size       int          `json:"size"`
	Producer   int64        `json:"producer_id"` // -1: none
	PEpoch     int16        `json:"producer_epoch"`
	Sequence   int32        `json:"base_sequence"`
	FirstTime  int64        `json:"base_timestamp"` // ms since 1970
	LastTime   int64        `json:"max_timestamp"`
	Flags      []string     `json:"flags,omitempty"`
	Problem    string       `json:"problem,omitempty"`
	Records    []jsonRecord `json:"records,omitempty"`
}

func (a *app) dumpLog(files []segmentFile, records bool) error {
	damaged := 0
	dumped := []dumpedSegment{}
	out := bufio.NewWriter(a.env.Stdout)
	for _, f := range files {
		if a.output == outputTable {
			fmt.Fprintf(out, "%s\n", f.path)
		}
		d := dumpedSegment{File: f.path, Batches: []dumpedBatch{}}
		var tail, err error
		d.Size, d.End, tail, err = walkFile(f.path, func(s storedBatch) error {
			b := describeBatch(s)
			if b.Problem != "" {
				damaged++
			}
			if a.output == outputTable {
				a.printBatch(out, b)
				if records && b.Problem == "" {
					return a.printRecords(out, s.batch)
				}
				return nil
			}
			if records && b.Problem == "" {
				if err := b.addRecords(s.batch); err != nil {
					return err
				}
			}
			d.Batches = append(d.Batches, b)
			return nil
		})
		if err != nil {
			return errors.Join(fmt.Errorf("cannot read %s: %w", f.path, err), out.Flush())
		}
		if tail != nil {
			d.Tail = tail.Error()
			damaged++
		}
		dumped = append(dumped, d)
		if a.output == outputTable {
			fmt.Fprintf(out, "  %s\n", d.ending())
		}
	}
	err := out.Flush()
	if a.output == outputJSON {
		err = a.json(dumped)
	}
	if damaged > 0 && err == nil {
		err = fmt.Errorf("%s damaged", plural(damaged, "place"))
	}
	return err
}

func (d dumpedSegment) ending() string {
	text := fmt.Sprintf("%s bytes of batches", thousands(d.End))
	switch {
	case d.Tail != "":
		return text + fmt.Sprintf(", then %s bytes that are none: %s", thousands(d.Size-d.End), d.Tail)
	case d.Size > d.End:
		return text + fmt.Sprintf(", %s preallocated", thousands(d.Size-d.End))
	}
	return text
}

func describeBatch(s storedBatch) dumpedBatch {
	b := s.batch
	d := dumpedBatch{
		Position: s.position, BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(), Count: b.Count(), Epoch: b.LeaderEpoch(), Codec: b.Codec().String(),
		Size: len(b), Producer: b.ProducerID(), PEpoch: b.ProducerEpoch(), Sequence: b.BaseSequence(), FirstTime: b.BaseTimestamp(), LastTime: b.MaxTimestamp(),
	}
	if b.Transactional() {
		d.Flags = append(d.Flags, "transactional")
	}
	if b.Control() {
		d.Flags = append(d.Flags, "control")
	}
	if b.LogAppendTime() {
		d.Flags = append(d.Flags, "log-append-time")
	}
	if s.problem != nil {
		d.Problem = s.problem.Error()
	}
	return d
}

// printBatch prints one line; columns are wide enough for what is usual.
func (a *app) printBatch(out *bufio.Writer, b dumpedBatch) {
	state := "crc ok"
	if b.Problem != "" {
		state = "DAMAGED: " + b.Problem
	}
	producer := "no producer"
	if b.Producer != record.NoProducer {
		producer = fmt.Sprintf("producer %d/%d seq %d", b.Producer, b.PEpoch, b.Sequence)
	}
	fmt.Fprintf(out, "  at %-10d offsets %-20s %6d records  %9d B  epoch %-3d %-6s  %s  %-24s %s%s\n", b.Position,
		fmt.Sprintf("%d–%d", b.BaseOffset, b.LastOffset), b.Count, b.Size, b.Epoch, b.Codec, formatTime(b.LastTime), producer, state, strings.Join(append([]string{""}, b.Flags...), " "))
}

func (a *app) printRecords(out *bufio.Writer, b record.Batch) error {
	for r, err := range b.Records(0) {
		if err != nil {
			return err
		}
		line := fmt.Sprintf("      %d  %s  key %s  value %s", r.Offset, formatTime(r.Timestamp), quoted(r.Key), quoted(r.Value))
		for h := range r.Headers.All() {
			line += fmt.Sprintf("  %s=%s", quoted(h.Key), quoted(h.Value))
		}
		fmt.Fprintln(out, line)
	}
	return nil
}

// quoted is bytes as Go writes them: on one line, and harmless on a terminal.
func quoted(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

func (d *dumpedBatch) addRecords(b record.Batch) error {
	for r, err := range b.Records(0) {
		if err != nil {
			return err
		}
		out := jsonRecord{Offset: r.Offset, Timestamp: r.Timestamp}
		out.Key, out.KeyBase64 = textOrBytes(r.Key)
		out.Value, out.ValueBase64 = textOrBytes(r.Value)
		for h := range r.Headers.All() {
			header := jsonHeader{Key: strings.ToValidUTF8(string(h.Key), "\uFFFD")}
			header.Value, header.ValueBase64 = textOrBytes(h.Value)
			out.Headers = append(out.Headers, header)
		}
		out.KeyBase64, out.ValueBase64 = append([]byte(nil), out.KeyBase64...), append([]byte(nil), out.ValueBase64...)
		d.Records = append(d.Records, out)
	}
	return nil
}
