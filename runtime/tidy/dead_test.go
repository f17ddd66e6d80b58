package tidy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// What is exported and used by nobody but the tests of its own package is dead, or should not be exported. Names are compared, not objects: a name
// that is used for something else hides a dead one, never the other way round. The packages that others program against are their users' to use.
func TestExportedNamesAreUsed(t *testing.T) {
	public := []string{"log/client", "streams", "streams/serde", "streams/state", "streams/topology", "streams/streamstest", "runtime/tidy"}
	// Methods that the standard library or a third party calls by way of an interface.
	called := []string{
		"Error", "Unwrap", "String", "Is", "Less", "Swap", "Push", "Pop", "Write", "Read", "Close", "Accept", "Addr", "Network", "LocalAddr", "RemoteAddr",
		"SetDeadline", "SetReadDeadline", "SetWriteDeadline", "CloseWrite", "Describe", "Collect", "Persist", "Release", "ServerAddr",
		"IsTrace", "IsDebug", "IsInfo", "IsWarn", "IsError",
	}
	files, early := parse(t), Early()
	used := map[string][]string{} // name → packages whose code, or whose tests of another package, use it
	declared := map[*ast.Ident]bool{}
	for _, f := range files {
		for id := range exported(f) {
			declared[id] = true
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.IsExported() && !declared[id] {
				by := f.Package
				if f.Test {
					by += " test"
				}
				if !slices.Contains(used[id.Name], by) {
					used[id.Name] = append(used[id.Name], by)
				}
			}
			return true
		})
	}
	for _, f := range files {
		if f.Test || slices.Contains(public, f.Package) || strings.HasPrefix(f.Package, "examples/") {
			continue
		}
		for id, what := range exported(f) {
			alive := slices.ContainsFunc(used[id.Name], func(by string) bool { return by != f.Package+" test" })
			if !alive && early[f.Package+" "+id.Name] != "" {
				delete(early, f.Package+" "+id.Name)
				continue
			}
			if !alive && !slices.Contains(called, id.Name) {
				t.Errorf("%s: nobody uses the %s %s: delete it, or unexport what only tests need", f.Set.Position(id.Pos()), what, id.Name)
			}
		}
	}
	for name := range early {
		t.Errorf("edges.go says that %s is not used yet: it is, or it is gone", name)
	}
}

// exported are the exported names that a file declares: functions, methods, types, fields, constants, variables.
func exported(f *File) map[*ast.Ident]string {
	names := map[*ast.Ident]string{}
	add := func(what string, ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names[id] = what
			}
		}
	}
	for _, d := range f.Syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add("function", d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					add("value", spec.Names...)
				case *ast.TypeSpec:
					add("type", spec.Name)
					if s, ok := spec.Type.(*ast.StructType); ok {
						for _, field := range s.Fields.List {
							add("field", field.Names...)
						}
					}
				}
			}
		}
	}
	return names
}
