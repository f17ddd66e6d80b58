package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// maxFindings bounds how many findings are printed; all are counted.
const maxFindings = 20

func (a *app) benchVerifyCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "verify --log FILE", Short: "Check that every acked record of `bench produce --sequence` is in the log", Args: cobra.NoArgs,
		Long: "Read the topic of a `bench produce --sequence --log FILE` and say whether every acked record is there, at its offset, in order, once. " +
			"Exits with 4 if not.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usageError("--log FILE is needed: the file that `millrace bench produce --sequence --log FILE` wrote")
			}
			f, err := os.Open(path)
			if err != nil {
				return environmentError(fmt.Errorf("cannot read the log of acks: %w", err), "")
			}
			acks, err := readAcks(f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error { return a.verifyAcks(ctx, c, acks) })
		},
	}
	cmd.Flags().StringVar(&path, "log", "", "the log of acks")
	return cmd
}

// ackedRecord is one line of a log of acks.
type ackedRecord struct{ offset, sequence int64 }

// acked is what a log of acks says.
type acked struct {
	run, topic string
	partitions int32
	records    map[int32][]ackedRecord // by partition
	total      int64
}

// readAcks reads a log of acks. A last line without its end was cut off by a kill of the writer, and is no ack.
func readAcks(in io.Reader) (acked, error) {
	a := acked{records: make(map[int32][]ackedRecord)}
	r := bufio.NewReader(in)
	head, err := r.ReadString('\n')
	if n, _ := fmt.Sscanf(head, ackLogMagic+" run %s topic %s partitions %d", &a.run, &a.topic, &a.partitions); n != 3 || err != nil || a.partitions < 1 {
		return a, usageError("the file is no log of acks: it does not begin with %q", ackLogMagic)
	}
	for n := 2; ; n++ {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		var partition int32
		var rec ackedRecord
		if err == nil {
			var rest string
			if got, _ := fmt.Sscanf(line, "%d %d %d%s", &partition, &rec.offset, &rec.sequence, &rest); got != 3 || partition < 0 || partition >= a.partitions {
				err = errors.New("it is not PARTITION OFFSET SEQUENCE")
			}
		}
		if err != nil {
			return a, usageError("cannot read line %d of the log of acks: %w", n, err)
		}
		a.records[partition] = append(a.records[partition], rec)
		a.total++
	}
}

// verifyReport is what bench verify found.
type verifyReport struct {
	Topic      string   `json:"topic"`
	Run        string   `json:"run"`
	Acked      int64    `json:"acked"`
	Found      int64    `json:"found"`     // records of the run in the topic, acked or not
	Missing    int64    `json:"missing"`   // acked and not there
	Misplaced  int64    `json:"misplaced"` // another record is at the acked offset
	Duplicates int64    `json:"duplicates"`
	Disorder   int64    `json:"out_of_order"`
	Findings   []string `json:"findings"`
}

func (v *verifyReport) find(counter *int64, format string, args ...any) {
	*counter++
	if len(v.Findings) < maxFindings {
		v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
	}
}

func (v *verifyReport) bad() int64 { return v.Missing + v.Misplaced + v.Duplicates + v.Disorder }

func (a *app) verifyAcks(ctx context.Context, c *client.Client, acks acked) error {
	topics, err := findTopics(ctx, c, acks.topic)
	if err != nil {
		return err
	}
	intervals, err := findIntervals(ctx, c, topics, span{from: position{fromStart, 0}}, true)
	if err != nil {
		return err
	}
	found := make(map[int32][]ackedRecord)
	err = readIntervals(ctx, c, client.FetchConfig{}, intervals, func(r *client.Record) (bool, error) {
		if sequence, ok := parseSequence(r.Value, acks.run); ok {
			found[r.Partition] = append(found[r.Partition], ackedRecord{r.Offset, sequence})
		}
		return false, nil
	}, nil)
	if err != nil {
		return err
	}
	v := verifyReport{Topic: acks.topic, Run: acks.run, Acked: acks.total, Findings: []string{}}
	for p := range acks.partitions {
		v.compare(p, acks.records[p], found[p])
	}
	return a.printVerified(v)
}

// compare holds the records of a partition, in offset order, against what was acked.
func (v *verifyReport) compare(partition int32, acks, found []ackedRecord) {
	v.Found += int64(len(found))
	newest := int64(-1)
	seen := make(map[int64]int64, len(found)) // offset by sequence
	at := make(map[int64]int64, len(found))   // sequence by offset
	for _, r := range found {
		at[r.offset] = r.sequence
		if first, twice := seen[r.sequence]; twice {
			v.find(&v.Duplicates, "partition %d: sequence %d is at offset %d and again at %d", partition, r.sequence, first, r.offset)
			continue
		}
		seen[r.sequence] = r.offset
		if r.sequence < newest {
			v.find(&v.Disorder, "partition %d: sequence %d at offset %d comes after %d", partition, r.sequence, r.offset, newest)
		}
		newest = max(newest, r.sequence)
	}
	slices.SortFunc(acks, func(a, b ackedRecord) int { return cmp.Compare(a.offset, b.offset) })
	for _, r := range acks {
		offset, there := seen[r.sequence]
		switch sequence, ok := at[r.offset]; {
		case ok && sequence == r.sequence:
		case there:
			v.find(&v.Misplaced, "partition %d: sequence %d was acked at offset %d and is at %d", partition, r.sequence, r.offset, offset)
		default:
			v.find(&v.Missing, "partition %d: sequence %d, acked at offset %d, is not there", partition, r.sequence, r.offset)
		}
	}
}

func (a *app) printVerified(v verifyReport) error {
	if a.output == outputJSON {
		if err := a.json(v); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.env.Stdout, "topic %s, run %s: %s acked, %s found, %s missing, %s misplaced, %s duplicated, %s out of order\n", v.Topic, v.Run,
			thousands(v.Acked), thousands(v.Found), thousands(v.Missing), thousands(v.Misplaced), thousands(v.Duplicates), thousands(v.Disorder))
		if len(v.Findings) > 0 {
			fmt.Fprintln(a.env.Stdout, strings.Join(v.Findings, "\n"))
		}
	}
	if n := v.bad(); n > 0 {
		return &Error{Code: ExitAssertion, Err: fmt.Errorf("the log does not keep what it acked: %s", plural(n, "finding"))}
	}
	return nil
}
