package tidy

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// Sizes: aim at 150 lines a file, explain at 400 (Unusual), stop at 800; a function ends before line 70. Interfaces of ours have five methods, or an explanation.
const (
	fileLines        = 400
	maxFileLines     = 800
	maxFunctionLines = 70
	maxMethods       = 5
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

func TestSizes(t *testing.T) {
	unusual := Unusual()
	explained := func(what string) bool {
		_, ok := unusual[what]
		delete(unusual, what)
		return ok
	}
	for _, f := range parse(t) {
		if f.Lines > maxFileLines || f.Lines > fileLines && !explained(f.Path) {
			t.Errorf("%s has %d lines: split it by purpose, or say in edges.go why not (up to %d)", f.Path, f.Lines, maxFileLines)
		}
		for _, d := range f.Syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				lines := f.Set.Position(d.End()).Line - f.Set.Position(d.Pos()).Line + 1
				if lines > maxFunctionLines && !isTable(d) && !explained(f.Path+" "+d.Name.Name) {
					t.Errorf("%s: %s has %d lines, the limit is %d", f.Path, d.Name.Name, lines, maxFunctionLines)
				}
			case *ast.GenDecl:
				for name, methods := range interfaces(d) {
					if methods > maxMethods && !f.Test && !explained(f.Package+" "+name) {
						t.Errorf("%s: %s has %d methods, the limit is %d: grow by optional interfaces", f.Path, name, methods, maxMethods)
					}
				}
			}
		}
	}
	for what := range unusual {
		t.Errorf("edges.go explains %s, which is not unusual", what)
	}
}

// interfaces are the numbers of methods that the interfaces of a declaration name themselves.
func interfaces(d *ast.GenDecl) map[string]int {
	found := map[string]int{}
	for _, spec := range d.Specs {
		if spec, ok := spec.(*ast.TypeSpec); ok {
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				for _, m := range i.Methods.List {
					found[spec.Name.Name] += len(m.Names)
				}
			}
		}
	}
	return found
}

// isTable says whether a function is data: one return of a literal.
func isTable(fn *ast.FuncDecl) bool {
	if fn.Body == nil || len(fn.Body.List) != 1 {
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
		if name := strings.TrimSuffix(filepath.Base(f.Path), ".go"); slices.Contains(drawers, name) {
			t.Errorf("%s is a drawer: name it after what is in it", f.Path)
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

// A package is understood from its doc.go: what it is, what it refuses to be, who owns its goroutines and locks. A program says it above main.
func TestEachPackageHasADoc(t *testing.T) {
	docs := map[string]string{}
	for _, f := range parse(t) {
		if f.Test {
			continue
		}
		docs[f.Package] += ""
		if f.Syntax.Name.Name == "main" || filepath.Base(f.Path) == "doc.go" {
			docs[f.Package] += f.Syntax.Doc.Text()
		} else if f.Syntax.Doc != nil {
			t.Errorf("%s has a package comment: it belongs into doc.go", f.Path)
		}
	}
	for pkg, doc := range docs {
		switch {
		case doc == "":
			t.Errorf("package %s has no doc.go: say what it is and what it refuses to be", pkg)
		case strings.HasPrefix(pkg, "log/") || strings.HasPrefix(pkg, "streams"):
			if !strings.Contains(doc, "goroutine") {
				t.Errorf("the doc of %s does not say who owns its goroutines", pkg)
			}
			if !strings.Contains(doc, "\n\t") {
				t.Errorf("the doc of %s has no example", pkg)
			}
		}
	}
}

// Each area has one current design, which ends with what is left.
func TestEachAreaHasADesign(t *testing.T) {
	for _, area := range []string{"log", "streams", "runtime"} {
		text, err := os.ReadFile(filepath.Join(root, area, "DESIGN.md"))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), "Next\n") {
			t.Errorf("%s/DESIGN.md has no section Next", area)
		}
	}
}

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
