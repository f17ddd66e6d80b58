package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// scanner keeps records in two stores and forwards what the scans give when it is asked.
type scanner struct {
	ctx     *streams.Context[string, string]
	rows    *streams.KeyValue[string, string]
	windows *streams.WindowValues[string, string]
}

func (p *scanner) Init(ctx *streams.Context[string, string]) (err error) {
	p.ctx = ctx
	if p.rows, err = ctx.KeyValue[string, string]("rows"); err != nil {
		return err
	}
	p.windows, err = ctx.Window[string, string]("windows")
	return err
}

func (p *scanner) Close() error { return nil }

func (p *scanner) Process(r streams.Record[string, string]) error {
	var all []string
	rows := func(s *streams.Scan[string, string]) error {
		for k, v := range s.All() {
			all = append(all, k+v)
		}
		return s.Err()
	}
	var err error
	switch r.Key {
	case "scan":
		err = rows(p.rows.Scan())
	case "backward":
		err = rows(p.rows.ScanBackward())
	case "range":
		err = rows(p.rows.Range("b", "c"))
	case "range-backward":
		err = rows(p.rows.RangeBackward("b", "c"))
	case "windows":
		s := p.windows.FetchAll(time.UnixMilli(0), time.UnixMilli(20))
		for w, v := range s.All() {
			all = append(all, fmt.Sprintf("%v=%s", w, v))
		}
		err = s.Err()
	default:
		_, err = p.rows.PutIfAbsent(r.Key, r.Value)
		if err == nil {
			_, err = p.windows.Put(r.Key, r.Time, r.Value)
		}
		return err
	}
	if err != nil {
		return err
	}
	r.Value = strings.Join(all, " ")
	return p.ctx.Forward(r)
}

func TestStoresCanBeScanned(t *testing.T) {
	s := play(t, func(b *streams.Builder) {
		b.AddStore(streams.KeyValueStore("rows", serde.String, serde.String))
		b.AddStore(streams.WindowStore("windows", serde.String, serde.String, ms(10), ms(100)))
		toOut(from(b, "in").Process(func() streams.Processor[string, string, string, string] { return new(scanner) },
			serde.String, serde.String, streams.Uses("rows", "windows"), streams.As("p")))
	})
	for _, r := range []string{"c:1@20", "a:1@10", "d:1@30", "b:1@10", "b:2@10"} {
		s.expect("in", r, "")
	}
	s.expect("in", "scan:@50", "scan:a1 b1 c1 d1@50")
	s.expect("in", "backward:@50", "backward:d1 c1 b1 a1@50")
	s.expect("in", "range:@50", "range:b1 c1@50")
	s.expect("in", "range-backward:@50", "range-backward:c1 b1@50")
	s.expect("in", "windows:@50", "windows:a@10/20=1 b@10/20=2 c@20/30=1@50")
	s.expect("in", "e:1@500", "")
	s.expect("in", "e:2@3", "")
	if got := s.d.DroppedBy("p")[streams.DroppedExpired]; got != 1 {
		t.Errorf("expired: %d", got)
	}
}
