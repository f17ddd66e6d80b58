// Package cli is the command line: one file per command, on cobra.
//
//	os.Exit(cli.Main(os.Args[1:], cli.System()))
//
// The rules that hold for every command: the result goes to standard output and nothing else does; progress, hints and errors go to standard
// error; --output json prints one envelope (output.go) whether the command worked or not; an error is one sentence with a hint where there is one,
// and its exit code says its class (exit.go). What others wrote is printed on a terminal without its control characters. A command reads the world
// through [Env] only, so that tests run it in process: testdata holds a script for each group of commands, and the tree of all names and flags.
//
// # What it refuses to be
//
// It has no way of its own to a log: commands go through package client, over the network, also to a node on the same machine. The exceptions are
// start and demo, which are nodes, and debug, which reads files and never writes one. There are no profiles and there is no state in the home
// directory.
//
// # Goroutines and locks
//
// A command owns the goroutines it starts and waits for them, but for two that end with the process: the one that waits for the second interrupt,
// and the one that reads standard input, which nothing can interrupt. The locks are in a bench's meter, its log of acks, and the list of what
// produce wrote: each guards counters, and none is held across a call to the client.
package cli
