package streams_test

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/streams"
	"github.com/millrace/millrace/streams/serde"
)

func TestBuildReturnsEveryMistakeWithItsLine(t *testing.T) {
	b := streams.NewBuilder()
	var lines []int
	here := func() {
		_, _, line, _ := runtime.Caller(1)
		lines = append(lines, line+1)
	}
	in := from(b, "in")
	here()
	streams.From(b, "in", serde.String, serde.String).GroupByKey().Count() // read twice
	here()
	in.GroupByKey().Window(streams.Tumbling(0)).Count().Suppress(streams.UntilWindowCloses()).ToStream()
	here()
	in.Split().Branch("x", nil)
	here()
	in.GroupByKey().Count(streams.As("no good"))
	here()
	in.MapValues(strings.ToUpper, streams.ValueSerde(serde.Int64))
	here()
	in.To("", serde.String, serde.String)
	here()
	in.TryMapValues[string](nil)
	here()
	from(b, "in3").Peek(func(string, string) {}, streams.OnError(streams.DeadLetter("")))
	here()
	in.Merge(in)
	here()
	in.Join(from(streams.NewBuilder(), "other"), plus, streams.Within(ms(1)))
	here()
	in.Repartition(streams.Partitions(-1))
	here()
	in.GroupByKey().Window(streams.Tumbling(1500))
	here()
	in.GroupByKey().Count(streams.As("dup")).ToStream().ToTable(streams.As("dup"))
	_, err := b.Build()
	if err == nil {
		t.Fatal("no error")
	}
	var got []string
	for _, l := range regexp.MustCompile(`build_test\.go:(\d+): `).FindAllStringSubmatch(err.Error(), -1) {
		got = append(got, l[1])
	}
	for _, line := range lines {
		if !slices.Contains(got, fmt.Sprint(line)) {
			t.Errorf("no error names line %d", line)
		}
	}
	if len(got) != len(lines) {
		t.Errorf("%d errors for %d mistakes:\n%v", len(got), len(lines), err)
	}
}

func TestBuildTwice(t *testing.T) {
	b := streams.NewBuilder()
	s := from(b, "in")
	if _, err := b.Build(); err != nil {
		t.Fatal(err)
	}
	s.MapValues(strings.ToUpper)
	if _, err := b.Build(); !errors.Is(err, streams.ErrBuilt) {
		t.Errorf("got %v", err)
	}
	if _, err := streams.NewBuilder().Build(); err == nil {
		t.Error("an empty topology builds")
	}
}
