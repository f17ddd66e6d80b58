package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/log/client"
)

// compressions are the codecs by the names of -z.
func compressions() map[string]client.Compression {
	return map[string]client.Compression{
		"none": client.NoCompression, "gzip": client.Gzip, "snappy": client.Snappy, "lz4": client.Lz4, "zstd": client.Zstd,
	}
}

func compressionNames() []string {
	return []string{"none", "gzip", "snappy", "lz4", "zstd"}
}

func findCompression(name string) (client.Compression, error) {
	codec, ok := compressions()[name]
	if !ok {
		return 0, usageError("a compression is one of %s, not %q", strings.Join(compressionNames(), ", "), name)
	}
	return codec, nil
}

// produceFlags are what `produce` was told.
type produceFlags struct {
	key, format, compression string
	headers                  []string
	partition                int32
	tombstone                bool
}

func (a *app) produceCommand() *cobra.Command {
	var f produceFlags
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Write standard input to a topic, a record a line", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeTopics(1),
		Long: "Write standard input to a topic, a record a line.\n\n-f says how a record looks: %k key, %v value, %p partition, %d time in ms, %h{1}{%k=%v } headers; " +
			"what stands between is read as it is.\nWhat was written is said on standard error.",
		Example: "  echo hello | millrace produce greetings\n  printf 'de:1\\nfr:2\\n' | millrace produce counts -f '%k:%v\\n'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd, func(ctx context.Context, c *client.Client) error {
				return a.produce(ctx, c, args[0], f, cmd.Flags().Changed("key"))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.key, "key", "k", "", "key of every record that the format gives none")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "key:value of a header of every record; may be repeated")
	flags.Int32VarP(&f.partition, "partition", "p", client.AnyPartition, "partition (default: by the key, else spread)")
	flags.StringVarP(&f.compression, "compression", "z", "none", strings.Join(compressionNames(), ", "))
	flags.StringVarP(&f.format, "format", "f", layoutValues, "how a record is read")
	flags.BoolVarP(&f.tombstone, "tombstone", "Z", false, "an empty value is written as null")
	completeFlag(cmd, "compression", completeFixed(compressionNames()...))
	return cmd
}

// written collects what the log has acked, by partition.
type written struct {
	mu    sync.Mutex
	parts map[int32]*writtenPartition
}

type writtenPartition struct {
	Partition int32 `json:"partition"`
	First     int64 `json:"first_offset"`
	Last      int64 `json:"last_offset"`
	Records   int64 `json:"records"`
}

func (w *written) add(r *client.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.parts[r.Partition]
	if p == nil {
		p = &writtenPartition{Partition: r.Partition, First: r.Offset, Last: r.Offset}
		w.parts[r.Partition] = p
	}
	p.First, p.Last = min(p.First, r.Offset), max(p.Last, r.Offset)
	p.Records++
}

// sorted is called when nothing is acked any more.
func (w *written) sorted() (list []*writtenPartition, records int64) {
	list = slices.SortedFunc(maps.Values(w.parts), func(a, b *writtenPartition) int { return cmp.Compare(a.Partition, b.Partition) })
	for _, p := range list {
		records += p.Records
	}
	return list, records
}

func (a *app) produce(ctx context.Context, c *client.Client, topic string, f produceFlags, hasKey bool) error {
	codec, err := findCompression(f.compression)
	if err != nil {
		return err
	}
	headers, err := f.parseHeaders()
	if err != nil {
		return err
	}
	in := a.env.Stdin
	if strings.HasSuffix(f.format, `\n`) || strings.HasSuffix(f.format, "\n") {
		in = &lastLine{in: in, last: '\n'}
	}
	reader, err := client.NewReader(in, f.format)
	if err != nil {
		return &Error{Code: ExitUsage, Err: err}
	}
	topics, err := findTopics(ctx, c, topic)
	if e, ok := errors.AsType[*Error](err); ok && e.Hint == hintTopicList {
		e.Hint += "; this one is made by: millrace topic create " + topic
	}
	if err != nil {
		return err
	}
	if n := int32(len(topics[0].Partitions)); f.partition >= n || f.partition < client.AnyPartition {
		return usageError("topic %s has the partitions 0 to %d, not %d", topic, n-1, f.partition)
	}
	p, err := c.NewProducer(client.ProducerConfig{Compression: codec})
	if err != nil {
		return err
	}
	defer p.Close()
	w := &written{parts: make(map[int32]*writtenPartition)}
	readErr := a.readRecords(ctx, reader, func(r *client.Record) {
		r.Topic = topic
		if f.partition >= 0 {
			r.Partition = f.partition
		}
		if hasKey && r.Key == nil {
			r.Key = []byte(f.key)
		}
		if f.tombstone && len(r.Value) == 0 {
			r.Value = nil
		}
		r.Headers = append(r.Headers, headers...)
		p.Produce(ctx, r, func(r *client.Record, err error) {
			if err == nil {
				w.add(r)
				if a.env.StdinTerminal {
					a.note("%s-%d @ %d", r.Topic, r.Partition, r.Offset)
				}
			}
		})
	})
	flushErr := flush(ctx, p)
	return errors.Join(readErr, flushErr, a.reportWritten(topic, w))
}

// lastLine ends the last line of its input, if it has no end: it is a record like the others.
type lastLine struct {
	in   io.Reader
	last byte // what was read last; a line end before anything was
}

// Read implements io.Reader.
func (l *lastLine) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if n > 0 {
		l.last = p[n-1]
	}
	if errors.Is(err, io.EOF) && n == 0 && l.last != '\n' && len(p) > 0 {
		p[0], l.last = '\n', '\n'
		return 1, nil
	}
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // it comes again
	}
	return n, err
}

// flushTimeout bounds the wait for acks after an interrupt.
const flushTimeout = 10 * time.Second

// flush waits for acks, after an interrupt for a while too.
func flush(ctx context.Context, p *client.Producer) error {
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		return p.Flush(late)
	}
	return p.Flush(ctx)
}

// readRecords passes records on until the input ends or ctx does: a read cannot be interrupted, so it has a goroutine of its own, which ends with
// the input or the process.
func (a *app) readRecords(ctx context.Context, reader *client.Reader, each func(*client.Record)) error {
	records := make(chan *client.Record)
	failed := make(chan error, 1)
	go func() {
		defer close(records)
		for {
			r, err := reader.Read()
			if err != nil {
				failed <- ignoreEOF(err)
				return
			}
			select {
			case records <- r:
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
	}()
	for {
		select {
		case r, ok := <-records:
			if !ok {
				return <-failed
			}
			each(r)
		case <-ctx.Done():
			return nil
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (f produceFlags) parseHeaders() ([]client.Header, error) {
	var headers []client.Header
	for _, text := range f.headers {
		k, v, ok := strings.Cut(text, ":")
		if !ok || k == "" {
			return nil, usageError("--header is key:value, not %q", text)
		}
		headers = append(headers, client.Header{Key: k, Value: []byte(v)})
	}
	return headers, nil
}

func (a *app) reportWritten(topic string, w *written) error {
	parts, records := w.sorted()
	var places []string
	for _, p := range parts {
		place := fmt.Sprintf("partition %d @ %d", p.Partition, p.First)
		if p.Last > p.First {
			place += fmt.Sprintf("–%d", p.Last)
		}
		places = append(places, place)
	}
	line := fmt.Sprintf("wrote %s to %s", plural(records, "record"), topic)
	if len(places) > 0 {
		line += ": " + strings.Join(places, ", ")
	}
	a.note("%s", line)
	if a.output == outputJSON {
		a.summary = line
		return a.json(map[string]any{"topic": topic, "records": records, "partitions": append([]*writtenPartition{}, parts...)})
	}
	return nil
}
