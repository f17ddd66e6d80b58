# make demo    build bin/millrace and run the demo: embedded log, live data, a topology
# make test    everything that must pass before a change lands (installs kcat and a C compiler on Debian as root, or names them)
# make lint    gofmt, vet, staticcheck
# make fuzz    every fuzz target, FUZZTIME each (5m)
# make mutants each mutant of the durability rules must make its test fail
# make chaos   kills, stops and hostile clients, at length
# make bench   the Go benchmarks of the hot paths

export GOTOOLCHAIN = go1.27.4
export GOFLAGS = -buildvcs=false

FUZZTIME ?= 5m
TESTFLAGS ?=
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build demo test needs lint fuzz mutants chaos bench clean

build:
	@mkdir -p bin
	go build -o bin/millrace ./runtime/cmd/millrace

demo: build
	./bin/millrace demo $(DEMOFLAGS)

test: needs
	go vet ./...
	@bash .ci/test $(TESTFLAGS)

needs:
	@sh .ci/needs

lint:
	@unformatted=$$($$(go env GOROOT)/bin/gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

fuzz:
	@sh .ci/fuzz $(FUZZTIME)

mutants:
	go test -tags mutants -timeout 30m -run TestMutants -v ./runtime/mutants

chaos: build
	MILLRACE_CHAOS=long go test -count=1 -timeout 60m -v ./runtime/chaos

bench:
	go test -run '^$$' -bench . -benchmem ./log/... ./streams/...

clean:
	rm -rf bin
