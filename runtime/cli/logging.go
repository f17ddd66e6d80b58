package cli

import (
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/millrace/millrace/runtime/config"
)

// logger writes to standard error: text for people, JSON for machines.
func (a *app) logger(c *config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	asText := c.LogFormat == "text"
	if c.LogFormat == "auto" {
		f, ok := a.env.Stderr.(*os.File)
		asText = ok && term.IsTerminal(int(f.Fd()))
	}
	if asText {
		return slog.New(slog.NewTextHandler(a.env.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.env.Stderr, options))
}
