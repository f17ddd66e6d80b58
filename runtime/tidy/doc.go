// Package tidy holds no code of the product: its tests hold the tree to the rules of the project.
//
// What may import what, who owns a third-party module or a goroutine, what must be pure, and what is longer than it should be and why, are data
// (edges.go). Sizes, names, docs, panics, package variables and forbidden calls are checked by parsing the files. The tests walk the tree themselves and start no other program: the test cache knows only the files that the test process
// opens, so a test that asks `go list` would be answered "(cached)" after another package broke a rule.
package tidy
