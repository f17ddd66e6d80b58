//go:build mutants

package mutants

import (
	"encoding/json/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestMutants runs each rule's test against the broken source. It must fail, and by failing, not by not compiling.
func TestMutants(t *testing.T) {
	for _, m := range All() {
		t.Run(m.ID, func(t *testing.T) {
			overlay := breakRule(t, m)
			cmd := exec.Command("go", "test", "-overlay", overlay, "-count=1", "-timeout=3m", "-run", "^("+m.Test+")$", m.Package)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			text := string(out)
			switch {
			case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
				t.Fatalf("the mutant does not compile:\n%s", text)
			case strings.Contains(text, "no tests to run"):
				t.Fatalf("there is no test %s in %s", m.Test, m.Package)
			case err == nil:
				t.Errorf("%s: no test noticed that it is broken", m.Rule)
			default:
				t.Logf("%s: noticed by %s", m.Rule, failed(text))
			}
		})
	}
}

// breakRule writes the broken source and an overlay that puts it in the place of the real one.
func breakRule(t *testing.T, m Mutant) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.Old); n != 1 {
		t.Fatalf("the line of %s stands %d times in %s", m.ID, n, m.File)
	}
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.Old, m.New, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.Abs(filepath.Join(root, m.File))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {real: broken}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// failed names the tests that failed.
func failed(output string) string {
	var names []string
	for line := range strings.Lines(output) {
		if rest, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
