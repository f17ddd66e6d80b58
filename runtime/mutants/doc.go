// Package mutants breaks the rules of durability, one at a time, and demands that a named test notices: a rule whose breach no test sees is not
// held by any. It has no code of the product. `make mutants` runs it; the sources on disk are not touched (go test -overlay).
//
// To add a rule: a row in [All] with the line that keeps the rule, what replaces it, and the test that must fail.
package mutants
