package tidy

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

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
		if f.Test {
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

// A graph with edges that nobody uses says less than it seems to.
func TestEdgesAreUsed(t *testing.T) {
	packages := map[string]bool{}
	used := map[string]bool{}
	for _, f := range parse(t) {
		packages[f.Package] = true
		if f.Test {
			continue
		}
		for _, path := range f.Imports() {
			used[f.Package+" "+ours(path)] = true
			module, _ := owner(Owners(), path)
			used[f.Package+" "+module] = true
		}
	}
	for from, edges := range Edges() {
		if !packages[from] {
			t.Errorf("edges.go lists %s: there is no such package", from)
		}
		for _, to := range edges {
			if !used[from+" "+to] {
				t.Errorf("edges.go lists %s → %s: nothing uses it", from, to)
			}
		}
	}
	for module, owners := range Owners() {
		for _, pkg := range owners {
			if !used[pkg+" "+module] {
				t.Errorf("edges.go says that %s owns %s: it does not import it", pkg, module)
			}
		}
	}
}

// Arrows point down, so the graph of edges.go has no way back.
func TestEdgesHaveNoCycle(t *testing.T) {
	edges := Edges()
	const open, done = 1, 2
	state := map[string]int{}
	var visit func(pkg string, way []string)
	visit = func(pkg string, way []string) {
		switch way = append(way, pkg); state[pkg] {
		case open:
			t.Errorf("edges.go has a cycle: %s", strings.Join(way, " → "))
		case 0:
			state[pkg] = open
			for _, to := range edges[pkg] {
				visit(to, way)
			}
			state[pkg] = done
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(edges)) {
		visit(pkg, nil)
	}
	for pkg, to := range edges {
		for _, to := range to {
			if strings.HasPrefix(pkg, "log/") && !strings.HasPrefix(to, "log/") {
				t.Errorf("edges.go lists %s → %s: the log knows nothing above it", pkg, to)
			}
			if strings.HasPrefix(pkg, "streams") && strings.HasPrefix(to, "log/") && to != "log/client" {
				t.Errorf("edges.go lists %s → %s: streams know a log only as log/client", pkg, to)
			}
		}
	}
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
