package client

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// logAdapter hands the library's messages to slog, one level down: what it calls information are transitions only its debugger wants.
type logAdapter struct{ logger *slog.Logger }

// levelTrace is below debug: the library logs every request there.
const levelTrace = slog.LevelDebug - 4

// Level implements kgo.Logger; it is asked before each message, so a changed slog level works at once.
func (a logAdapter) Level() kgo.LogLevel {
	ctx := context.Background()
	switch {
	case a.logger.Enabled(ctx, levelTrace):
		return kgo.LogLevelDebug
	case a.logger.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo
	case a.logger.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	case a.logger.Enabled(ctx, slog.LevelError):
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (a logAdapter) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := levelTrace
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	case kgo.LogLevelInfo:
		to = slog.LevelDebug
	}
	a.logger.Log(context.Background(), to, msg, keyvals...)
}
