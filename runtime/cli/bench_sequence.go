package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/log/client"
)

// The log of acks is text. Its first line names the run, each other line is one acked record; all numbers are decimal:
//
//	# millrace acks 1 run 3f2a91c0 topic kill-test partitions 3
//	PARTITION OFFSET SEQUENCE
//
// The value of a record is "RUN SEQUENCE " and padding. Sequences count from 0 in each partition.
const (
	ackLogMagic = "# millrace acks 1"
	// ackFlushInterval is how long an ack may wait in memory before it is in the file.
	ackFlushInterval = 50 * time.Millisecond
)

// ackLog is the file that acks are appended to.
type ackLog struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
	err  error // the first; nothing is written after it
}

func createAckLog(path, run, topic string, partitions int32) (*ackLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, &Error{Code: ExitEnvironment, Err: fmt.Errorf("cannot create the log of acks: %w", err), Hint: "--log names a file that is not there yet"}
	}
	l := &ackLog{file: f, buf: bufio.NewWriter(f)}
	fmt.Fprintf(l.buf, "%s run %s topic %s partitions %d\n", ackLogMagic, run, topic, partitions)
	l.err = l.buf.Flush()
	return l, l.err
}

func (l *ackLog) append(partition int32, offset, sequence int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		line := strconv.AppendInt(l.buf.AvailableBuffer(), int64(partition), 10)
		line = strconv.AppendInt(append(line, ' '), offset, 10)
		line = strconv.AppendInt(append(line, ' '), sequence, 10)
		_, l.err = l.buf.Write(append(line, '\n'))
	}
}

func (l *ackLog) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = l.buf.Flush()
	}
	return l.err
}

func (l *ackLog) close() error { return errors.Join(l.flush(), l.file.Close()) }

// keepFlushing writes acks out until ctx ends.
func (l *ackLog) keepFlushing(ctx context.Context) {
	ticker := time.NewTicker(ackFlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if l.flush() != nil {
				return
			}
		}
	}
}

// benchSequence writes numbered records and logs their acks, until the plan ends. It goes on through restarts of the broker: an idempotent
// producer retries for as long as it takes.
func (a *app) benchSequence(ctx context.Context, c *client.Client, p *benchPlan) error {
	if !p.idempotent || p.producers > 1 {
		return usageError("--sequence needs one idempotent producer")
	}
	p.keep = true
	return a.withTopic(ctx, c, p, func(partitions int32) error {
		run := randomName()
		acks, err := createAckLog(p.logFile, run, p.topic, partitions)
		if err != nil {
			return err
		}
		m := newMeter()
		watch, err := startWatch(p.pid)
		if err != nil {
			return errors.Join(err, acks.close())
		}
		a.note("run %s: acks go to %s; then: millrace bench verify --log %s", run, p.logFile, p.logFile)
		runErr := a.metered(ctx, m, watch.start, func() error {
			flushing, stop := context.WithCancel(ctx)
			var flusher sync.WaitGroup
			flusher.Go(func() { acks.keepFlushing(flushing) })
			err := p.writeSequence(ctx, c, m, acks, run, partitions)
			stop()
			flusher.Wait()
			return err
		})
		report, err := watch.report(m, benchReport{Bench: "sequence", Topic: p.topic, Partitions: int(partitions), Settings: p.settings()})
		return a.finish(p, m, report, errors.Join(ended(runErr), err, acks.close()))
	})
}

func (p *benchPlan) writeSequence(ctx context.Context, c *client.Client, m *meter, acks *ackLog, run string, partitions int32) error {
	producer, err := c.NewProducer(p.producerConfig())
	if err != nil {
		return err
	}
	defer producer.Close()
	limited, cancel := p.limited(ctx)
	defer cancel()
	padding := payload(p.size)
	pace := pacer{start: time.Now(), step: 1, rate: p.rate}
	for n := int64(0); producer.Err() == nil && (p.records == 0 || n < p.records); n++ {
		due, ok := pace.next(limited)
		if !ok {
			break
		}
		sequence := n / int64(partitions)
		value := appendSequence(nil, run, sequence)
		value = append(value, padding[:max(0, len(padding)-len(value))]...)
		r := client.NewRecord(p.topic, nil, value)
		r.Partition = int32(n % int64(partitions))
		producer.Produce(limited, r, func(r *client.Record, err error) {
			switch {
			case err == nil:
				acks.append(r.Partition, r.Offset, sequence)
				m.add(len(r.Value), max(time.Since(due), time.Microsecond))
			case limited.Err() == nil || !errors.Is(err, limited.Err()):
				m.fail(err)
			}
		})
	}
	if err := flush(ctx, producer); err != nil && ctx.Err() == nil && producer.Err() == nil {
		return nil // single failures are counted
	}
	return errors.Join(producer.Err(), ctx.Err())
}

func appendSequence(dst []byte, run string, sequence int64) []byte {
	return append(strconv.AppendInt(append(append(dst, run...), ' '), sequence, 10), ' ')
}

// parseSequence reads the number of a value of this run.
func parseSequence(value []byte, run string) (sequence int64, ok bool) {
	rest, ok := strings.CutPrefix(string(value[:min(len(value), 64)]), run+" ")
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, " ")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil
}
