package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// confirm asks for a word to be typed before something wide is destroyed. --yes answers it; without a terminal nobody can, and the command ends
// as a dry run that has changed nothing.
func (a *app) confirm(yes bool, effect, word string) error {
	if yes {
		return nil
	}
	if !a.env.StdinTerminal {
		return &Error{Code: ExitUsage, Err: errors.New(effect + ": nothing was done"), Hint: "--yes does it"}
	}
	fmt.Fprintf(a.env.Stderr, "%s\ntype %q to do it: ", effect, word)
	line, err := bufio.NewReader(a.env.Stdin).ReadString('\n')
	if strings.TrimSpace(line) != word {
		return &Error{Code: ExitUsage, Err: errors.Join(errors.New("not confirmed: nothing was done"), ignoreEOF(err))}
	}
	return nil
}
