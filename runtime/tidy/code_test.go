package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// selector is the package and the name of pkg.Name, as it is written.
func selector(n ast.Node) (pkg, name string) {
	if sel, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name, sel.Sel.Name
		}
	}
	return "", ""
}

// each calls fn for every node of the files that ship.
func each(t *testing.T, fn func(f *File, n ast.Node)) {
	for _, f := range parse(t) {
		if !f.Test {
			ast.Inspect(f.Syntax, func(n ast.Node) bool { fn(f, n); return true })
		}
	}
}

// Errors are for the world; a panic is a mistake of ours, and says so.
func TestPanicsAreBugs(t *testing.T) {
	each(t, func(f *File, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return
		}
		if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" && !strings.HasPrefix(text(call.Args[0]), "BUG: ") {
			t.Errorf(`%s: a panic that does not begin with "BUG: ": return an error, or say whose mistake it is`, f.Set.Position(call.Pos()))
		}
	})
}

// text is the string literal that an expression begins with.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strings.Trim(e.Value, "`\"")
	case *ast.BinaryExpr:
		return text(e.X)
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return text(e.Args[0])
		}
	}
	return ""
}

// What is one per process cannot be two in a test.
func TestPackageVariablesAreNotAssigned(t *testing.T) {
	files := parse(t)
	vars := map[string]*ast.ValueSpec{} // by "package name"
	for _, f := range files {
		for _, d := range f.Syntax.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR || f.Test {
				continue
			}
			for _, spec := range gen.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					if name.Name == "_" {
						continue
					}
					vars[f.Package+" "+name.Name] = spec
				}
				if pkg, _ := selector(spec.Type); pkg == "sync" || pkg == "atomic" {
					t.Errorf("%s: a package variable of a type that is there to change", f.Set.Position(spec.Pos()))
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			for _, e := range assigned(n) {
				if name := packageVariable(f, vars, e); name != "" {
					t.Errorf("%s: the package variable %s is changed: pass it instead", f.Set.Position(n.Pos()), name)
				}
			}
			return true
		})
	}
}

// assigned are the expressions that a statement changes, or lets be changed by their address.
func assigned(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	}
	return nil
}

// packageVariable is the name of the package variable that e is or is a part of, or "".
func packageVariable(f *File, vars map[string]*ast.ValueSpec, e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok && pkg.Obj == nil {
				for _, p := range f.Imports() {
					if vars[ours(p)+" "+x.Sel.Name] != nil && path.Base(p) == pkg.Name {
						return pkg.Name + "." + x.Sel.Name
					}
				}
			}
			e = x.X
		case *ast.Ident:
			// An identifier is resolved within its file: one of another file is of the package, or unknown.
			if spec := vars[f.Package+" "+x.Name]; spec != nil && (x.Obj == nil || x.Obj.Decl == spec) {
				return x.Name
			}
			return ""
		default:
			return ""
		}
	}
}

// The pure core can be tested with any clock, any order and any failure only because it has none of its own.
func TestPurePackages(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	world := []string{"os", "os/exec", "net", "net/http", "io/fs", "math/rand", "math/rand/v2", "log/slog"}
	each(t, func(f *File, n ast.Node) {
		if !slices.Contains(Pure(), f.Package) {
			return
		}
		if pkg, name := selector(n); pkg == "time" && slices.Contains(clock, name) {
			t.Errorf("%s: %s is pure, time.%s is not: take the time as an argument", f.Set.Position(n.Pos()), f.Package, name)
		}
		if spec, ok := n.(*ast.ImportSpec); ok && slices.Contains(world, strings.Trim(spec.Path.Value, `"`)) {
			t.Errorf("%s: %s is pure and imports %s", f.Path, f.Package, spec.Path.Value)
		}
	})
}

// Each goroutine has one owner that starts it, stops it and waits; who owns none starts none.
func TestGoroutinesHaveOwners(t *testing.T) {
	starts := map[string]bool{}
	each(t, func(f *File, n ast.Node) {
		switch n := n.(type) {
		case *ast.GoStmt:
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Go" || len(n.Args) != 1 {
				return
			}
		default:
			return
		}
		starts[f.Package] = true
		if !slices.Contains(GoroutineOwners(), f.Package) {
			t.Errorf("%s: %s owns no goroutine in edges.go and starts one", f.Set.Position(n.Pos()), f.Package)
		}
	})
	for _, pkg := range GoroutineOwners() {
		if !starts[pkg] {
			t.Errorf("edges.go says that %s owns goroutines: it starts none", pkg)
		}
	}
}

// Some calls are never right here, whoever makes them.
func TestNothingIsForbidden(t *testing.T) {
	shells := []string{"sh", "bash", "/bin/sh", "/bin/bash", "cmd"}
	for _, f := range parse(t) {
		program := f.Syntax.Name.Name == "main" || f.Package == "runtime/cli"
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				t.Errorf("%s: a connection that trusts anybody", f.Set.Position(n.Pos()))
			}
			if spec, ok := n.(*ast.ImportSpec); ok && slices.Contains([]string{`"unsafe"`, `"math/rand"`, `"net/http/pprof"`, `"expvar"`}, spec.Path.Value) {
				t.Errorf("%s imports %s", f.Path, spec.Path.Value)
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch pkg, name := selector(call.Fun); {
			case pkg == "exec" && slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return slices.Contains(shells, text(e)) }):
				t.Errorf("%s: a command goes through a shell: start the program itself", f.Set.Position(n.Pos()))
			case f.Test || program:
			case pkg == "fmt" && strings.HasPrefix(name, "Print"), pkg == "os" && name == "Exit", pkg == "log" && strings.HasPrefix(name, "Fatal"):
				t.Errorf("%s: %s.%s in a library: return what happened", f.Set.Position(n.Pos()), pkg, name)
			}
			return true
		})
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
			if pkg, name := selector(n); pkg == "time" && name == "Sleep" && !usesVirtualTime(f) {
				t.Errorf("%s: a test sleeps: wait for a condition, or use virtual time", f.Set.Position(n.Pos()))
			}
			return true
		})
	}
}

// usesVirtualTime: in a synctest bubble a sleep costs nothing and is exact.
func usesVirtualTime(f *File) bool { return slices.Contains(f.Imports(), "testing/synctest") }
