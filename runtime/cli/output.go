package cli

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
)

// Forms of a result.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// envelope is what --output json prints, once per command, whether it worked or not.
type envelope struct {
	Command string         `json:"command"`
	OK      bool           `json:"ok"`
	Summary string         `json:"summary,omitempty"`
	Result  any            `json:"result"`
	Error   *envelopeError `json:"error,omitempty"`
}

type envelopeError struct {
	Code    int    `json:"code"` // the exit code
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// table prints rows under a header, aligned; for --output json it keeps value for the envelope instead.
func (a *app) table(value any, header []string, rows [][]string) error {
	if a.output == outputJSON {
		return a.json(value)
	}
	return a.grid(header, rows)
}

// grid prints rows under a header (nil for none), aligned. What a stranger named (groups, clients) cannot drive the terminal.
func (a *app) grid(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.env.Stdout, 0, 0, 2, ' ', 0)
	if header != nil {
		fmt.Fprintln(w, strings.Join(header, "\t"))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = visible(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return w.Flush()
}

// visible is text on one line, without control characters.
func visible(text string) string {
	return string(escapeControls([]byte(strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text))))
}

// json keeps value as the result in the envelope, which is printed when the command has ended.
func (a *app) json(value any) error {
	a.result, a.hasResult = value, true
	return nil
}

// done is the result of a command that changed something: a sentence for people, value for machines.
func (a *app) done(value any, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if a.output == outputJSON {
		a.summary = text
		return a.json(value)
	}
	_, err := fmt.Fprintln(a.env.Stdout, text)
	return err
}

// printEnvelope ends a command under --output json: with its result, its error, or both (an assertion fails with the figures it is about).
func (a *app) printEnvelope(failure error) error {
	if a.output != outputJSON || a.streaming || !a.hasResult && failure == nil {
		return nil
	}
	e := envelope{Command: a.command, OK: failure == nil, Summary: a.summary, Result: a.result}
	if failure != nil {
		e.Error = &envelopeError{Code: exitCode(failure), Message: failure.Error()}
		if hinted, ok := errors.AsType[*Error](failure); ok {
			e.Error.Hint = hinted.Hint
		}
	}
	data, err := json.Marshal(e, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("cannot print the result: %w", err)
	}
	_, err = fmt.Fprintf(a.env.Stdout, "%s\n", data)
	return err
}

// note tells people about progress, on standard error; --quiet silences it.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.env.Stderr, format+"\n", args...)
	}
}
