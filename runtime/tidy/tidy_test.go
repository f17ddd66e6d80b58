package tidy

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// Sizes: aim at 150 lines a file, explain at 400, stop at 800; a function ends before line 70. A few functions may be longer, never more than
// this share of all.
const (
	maxFileLines     = 800
	maxFunctionLines = 70
)

func parse(t *testing.T) []*File {
	t.Helper()
	files, err := Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files below %s: the walk is wrong", len(files), root)
	}
	return files
}

// ours is the path of an import below the module, or "".
func ours(path string) string {
	rest, ok := strings.CutPrefix(path, Module+"/")
	if !ok {
		return ""
	}
	return rest
}

func allowed(pkg string) ([]string, bool) {
	if strings.HasPrefix(pkg, "examples/") {
		return ExampleEdges(), true
	}
	edges, ok := Edges()[pkg]
	return edges, ok
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range parse(t) {
		edges, ok := allowed(f.Package)
		if !ok {
			t.Errorf("%s: package %s is not in edges.go: add it with what it may import", f.Path, f.Package)
			continue
		}
		if f.Test || slices.Contains(edges, everything) {
			continue
		}
		for _, path := range f.Imports() {
			if to := ours(path); to != "" && to != f.Package && !slices.Contains(edges, to) && !strings.HasPrefix(to, example(f.Package)) {
				t.Errorf("%s imports %s: not an edge of edges.go", f.Path, to)
			}
		}
	}
}

// example is the folder of the example that a package belongs to: its parts may import each other. Elsewhere it is no folder.
func example(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	if parts[0] != "examples" || len(parts) < 2 {
		return "no example"
	}
	return "examples/" + parts[1] + "/"
}

func TestEachModuleHasOneOwner(t *testing.T) {
	owners, tests := Owners(), TestModules()
	for _, f := range parse(t) {
		for _, path := range f.Imports() {
			first, _, _ := strings.Cut(path, "/")
			if !strings.Contains(first, ".") || ours(path) != "" || path == Module {
				continue
			}
			module, packages := owner(owners, path)
			switch {
			case module == "" && forTests(f) && slices.ContainsFunc(tests, func(m string) bool { return within(path, m) }):
			case module == "":
				t.Errorf("%s imports %s: no package owns it in edges.go", f.Path, path)
			case !forTests(f) && !slices.Contains(packages, f.Package):
				t.Errorf("%s imports %s: it belongs to %s", f.Path, path, strings.Join(packages, ", "))
			}
		}
	}
}

// forTests: test files, and packages that exist for tests (statetest, clienttest), which name their purpose.
func forTests(f *File) bool { return f.Test || strings.HasSuffix(f.Package, "test") }

func owner(owners map[string][]string, path string) (module string, packages []string) {
	for m, p := range owners {
		if within(path, m) && len(m) > len(module) {
			module, packages = m, p
		}
	}
	return module, packages
}

func within(path, module string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func TestSizes(t *testing.T) {
	for _, f := range parse(t) {
		if f.Lines > maxFileLines {
			t.Errorf("%s has %d lines, the limit is %d: split it by purpose", f.Path, f.Lines, maxFileLines)
		}
		if f.Test {
			continue
		}
		for _, d := range f.Syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || isTable(fn) {
				continue
			}
			lines := f.Set.Position(fn.End()).Line - f.Set.Position(fn.Pos()).Line + 1
			if lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, the limit is %d", f.Path, fn.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

// isTable says whether a function is data: one return of a literal.
func isTable(fn *ast.FuncDecl) bool {
	if len(fn.Body.List) != 1 {
		return false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	_, ok = ret.Results[0].(*ast.CompositeLit)
	return ok
}

func TestNames(t *testing.T) {
	drawers := []string{"util", "utils", "common", "base", "types", "helpers", "manager", "misc", "shared"}
	for _, f := range parse(t) {
		if slices.Contains(drawers, filepath.Base(f.Package)) {
			t.Errorf("%s: package %s is a drawer: name it after what it does", f.Path, f.Package)
		}
		for _, d := range f.Syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s has an init function: pass what it sets up", f.Path)
			}
		}
		for _, spec := range f.Syntax.Imports {
			if spec.Name != nil && spec.Name.Name != "_" && !f.Test && ours(strings.Trim(spec.Path.Value, `"`)) != "" {
				t.Errorf("%s imports %s under another name: rename the package", f.Path, spec.Path.Value)
			}
		}
	}
}

func TestEachPackageHasADoc(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range parse(t) {
		if f.Test {
			continue
		}
		documented[f.Package] = documented[f.Package] || f.Syntax.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: say in doc.go what it is and what it refuses to be", pkg)
		}
	}
}

// Sleeping makes a test slow and wrong; skipping makes it green. Both have better ways.
func TestNoSleepsNoStubs(t *testing.T) {
	stub := regexp.MustCompile(`(?i)\b(TODO|FIXME|XXX)\b|not implemented yet`)
	for _, f := range parse(t) {
		if f.Package == "runtime/tidy" {
			continue
		}
		for _, group := range f.Syntax.Comments {
			if stub.MatchString(group.Text()) {
				t.Errorf("%s: a comment announces unfinished work: %q", f.Set.Position(group.Pos()), strings.TrimSpace(group.Text()))
			}
		}
		if !f.Test {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Sleep" || usesVirtualTime(f) {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				t.Errorf("%s: a test sleeps: wait for a condition, or use virtual time", f.Set.Position(call.Pos()))
			}
			return true
		})
	}
}

// usesVirtualTime: in a synctest bubble a sleep costs nothing and is exact.
func usesVirtualTime(f *File) bool { return slices.Contains(f.Imports(), "testing/synctest") }

func TestTopLevel(t *testing.T) {
	allowed := []string{"runtime", "log", "streams", "connect", "plugins", "examples", "pipelines", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "bin"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s does not belong to the top level", e.Name())
		}
	}
}
