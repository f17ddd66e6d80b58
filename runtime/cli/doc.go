// Package cli is the command line: one file per command, on cobra.
//
// The rules that hold for every command: the result goes to standard output and nothing else does; progress, hints and errors go to standard
// error; --output json prints a stable machine form; an error is one sentence with a hint where there is one, and its exit code says its class
// (exit.go). A command reads the world through [Env] only, so that tests run it in process.
package cli
