// Command millrace is the one binary: the log, streams and the tools around them. `millrace help` lists the commands.
package main

import (
	"os"

	"github.com/millrace/millrace/runtime/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
