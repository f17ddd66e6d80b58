package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/streams"
)

const usage = `usage: compare app [--cpuprofile FILE] CASE BROKERS RUN THREADS
       compare run --arm NAME --case CASE --brokers HOST:PORT --pid BROKER [--records N] -- APPLICATION...
       compare table FILE`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		defer os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "app":
		return app(ctx, args[1:])
	case "run":
		return run(ctx, args[1:])
	case "table":
		return table(args[1:])
	}
	return errors.New(usage)
}

// app is the application under test: the counterpart of KafkaStreamsApp.java, with the same arguments.
func app(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("app", flag.ContinueOnError)
	profile := flags.String("cpuprofile", "", "write a CPU profile")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 4 {
		return errors.New(usage)
	}
	name := flags.Arg(2)
	workers, err := strconv.Atoi(flags.Arg(3))
	if err != nil {
		return fmt.Errorf("cannot read number of threads: %w", err)
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		defer func() {
			pprof.StopCPUProfile()
			if closed := f.Close(); err == nil {
				err = closed
			}
		}()
	}
	topo, err := topology(flags.Arg(0), name)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log, err := client.New(client.Config{Brokers: strings.Split(flags.Arg(1), ","), Logger: logger})
	if err != nil {
		return err
	}
	defer log.Close()
	a, err := streams.New(topo, streams.Config{
		ApplicationID: name, Log: log, Workers: workers, CommitInterval: time.Second, Logger: logger,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
