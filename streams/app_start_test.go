package streams_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

// TestAppReadFrom: a source without committed offsets begins where it says.
func TestAppReadFrom(t *testing.T) {
	for name, c := range map[string]struct {
		from streams.StartPoint
		want map[string]string
	}{
		"earliest": {streams.Earliest(), map[string]string{"old": "1", "young": "2", "after": "3"}},
		"latest":   {streams.Latest(), map[string]string{"after": "3"}},
		"back":     {streams.Back(10 * time.Minute), map[string]string{"young": "2", "after": "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.create(1, "in", "out")
			now := time.Now()
			b.produce("in", message{key: "old", value: "1", at: now.Add(-20 * time.Minute).UnixMilli()}, message{key: "young", value: "2", at: now.Add(-time.Minute).UnixMilli()})
			sb := streams.NewBuilder()
			streams.From(sb, b.topic("in"), serde.String, serde.String, streams.ReadFrom(c.from)).To(b.topic("out"), serde.String, serde.String)
			topo, err := sb.Build()
			b.must(err)
			a := b.run(topo, b.config("app"))
			a.running()
			b.produce("in", message{key: "after", value: "3", at: now.UnixMilli()})
			b.eventually("the last record", func() bool { return b.table("out")["after"] == "3" })
			a.shut()
			b.equal("what was read", b.table("out"), c.want)
		})
	}
}
