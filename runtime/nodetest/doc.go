// Package nodetest is a whole node in one line of a test:
//
//	n := nodetest.New(t)
//
// It lives in a temporary directory, opens no socket unless asked, and ends with the test. It is what tests of topologies and of programs that
// use the log start from; tests of how a node dies start processes instead.
package nodetest
