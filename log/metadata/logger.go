package metadata

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger passes raft's messages on to slog, one level lower: what raft tells as Info is detail to us, and its warnings ("heartbeat timeout
// reached") are daily business; of a lone voter they are detail, too.
type raftLogger struct {
	hclog.Logger // for what raft never asks
	log          *slog.Logger
	name         string
	lone         bool // there is no other voter
}

func newRaftLogger(log *slog.Logger, lone bool) *raftLogger {
	return &raftLogger{Logger: hclog.NewNullLogger(), log: log.With("component", "raft"), name: "raft", lone: lone}
}

func (l *raftLogger) levelOf(level hclog.Level) slog.Level {
	switch level {
	case hclog.Error:
		return slog.LevelError
	case hclog.Warn:
		if l.lone {
			return slog.LevelDebug
		}
		return slog.LevelInfo
	case hclog.Info:
		return slog.LevelDebug
	default:
		return slog.LevelDebug - 4
	}
}

func (l *raftLogger) Log(level hclog.Level, message string, args ...any) {
	at := l.levelOf(level)
	if !l.log.Enabled(context.Background(), at) {
		return
	}
	for i, arg := range args {
		if f, ok := arg.(hclog.Format); ok { // a format and its values
			args[i] = fmt.Sprintf(f[0].(string), f[1:]...)
		}
	}
	l.log.Log(context.Background(), at, message, args...)
}

func (l *raftLogger) Trace(message string, args ...any) { l.Log(hclog.Trace, message, args...) }
func (l *raftLogger) Debug(message string, args ...any) { l.Log(hclog.Debug, message, args...) }
func (l *raftLogger) Info(message string, args ...any)  { l.Log(hclog.Info, message, args...) }
func (l *raftLogger) Warn(message string, args ...any)  { l.Log(hclog.Warn, message, args...) }
func (l *raftLogger) Error(message string, args ...any) { l.Log(hclog.Error, message, args...) }

func (l *raftLogger) enabled(level hclog.Level) bool {
	return l.log.Enabled(context.Background(), l.levelOf(level))
}

func (l *raftLogger) IsTrace() bool { return l.enabled(hclog.Trace) }
func (l *raftLogger) IsDebug() bool { return l.enabled(hclog.Debug) }
func (l *raftLogger) IsInfo() bool  { return l.enabled(hclog.Info) }
func (l *raftLogger) IsWarn() bool  { return l.enabled(hclog.Warn) }
func (l *raftLogger) IsError() bool { return l.enabled(hclog.Error) }

func (l *raftLogger) Name() string { return l.name }

func (l *raftLogger) With(args ...any) hclog.Logger {
	return &raftLogger{Logger: l.Logger, log: l.log.With(args...), name: l.name}
}

func (l *raftLogger) Named(name string) hclog.Logger { return l.ResetNamed(l.name + "." + name) }

func (l *raftLogger) ResetNamed(name string) hclog.Logger {
	return &raftLogger{Logger: l.Logger, log: l.log, name: name}
}
