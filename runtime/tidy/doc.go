// Package tidy holds no code of the product: its tests hold the tree to the rules of the project.
//
// The imports between our packages and the one package that may import a third-party module are data (edges.go); sizes and names are checked by
// parsing the files. The tests walk the tree themselves and start no other program: the test cache knows only the files that the test process
// opens, so a test that asks `go list` would be answered "(cached)" after another package broke a rule.
package tidy
