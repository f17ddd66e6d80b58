package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	cfg := Config{ApplicationID: "app", StateDir: t.TempDir()}
	first, static, err := identity(&cfg)
	if err != nil || !static {
		t.Fatal(static, err)
	}
	if again, _, err := identity(&cfg); err != nil || again != first {
		t.Errorf("after a restart %v (%v), was %v", again, err, first)
	}
	other := Config{ApplicationID: "other", StateDir: cfg.StateDir}
	if id, _, err := identity(&other); err != nil || id == first {
		t.Errorf("another application has the same identity (%v)", err)
	}
	path := filepath.Join(cfg.stateDir(), identityFile)
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := identity(&cfg); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged file: %v", err)
	}
	if err := CleanUp(cfg.StateDir, "app"); err != nil {
		t.Fatal(err)
	}
	if err := CleanUp(cfg.StateDir, "app"); err != nil {
		t.Errorf("cleaning up twice: %v", err)
	}
	if id, _, err := identity(&cfg); err != nil || id == first {
		t.Errorf("the identity outlived CleanUp (%v)", err)
	}
	none := Config{ApplicationID: "app"}
	if _, static, err := identity(&none); static || err != nil {
		t.Errorf("without a directory: static %v, %v", static, err)
	}
}
