package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const events = `{"Action":"output","Package":"p","Test":"A","Output":"=== RUN A\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:3: needs a broker\n"}
{"Action":"output","Package":"p","Test":"B","Output":"--- SKIP: B (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"B"}
{"Action":"output","Package":"p","Test":"C","Output":"    c_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"C"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"pass","Package":"q","Elapsed":2}
plain words
`
	var out strings.Builder
	r := &report{out: &out, outputs: make(map[string]*strings.Builder)}
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if !r.finish() {
		t.Error("a failure is reported as success")
	}
	for _, want := range []string{"c_test.go:9: got 1, want 2", "FAIL\tp\t1.5s", "ok  \tq\t2.0s", "skipped:\n  p B: b_test.go:3: needs a broker", "1 passed, 1 failed, 1 skipped", "plain words"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}

func TestBuildFailureFails(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out, outputs: make(map[string]*strings.Builder)}
	const events = `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p"}
`
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if !r.finish() || !strings.Contains(out.String(), "syntax error") {
		t.Errorf("got:\n%s", out.String())
	}
}
