package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"uuid"
)

// identityFile holds the id from which the instance ids of an instance's members derive: a UUID in text and a line feed.
const identityFile = "identity"

// stateDir is the application's own folder.
func (c *Config) stateDir() string { return filepath.Join(c.StateDir, c.ApplicationID) }

// identity is the instance's id. With a state directory it is the same after a restart, and static is true.
func identity(cfg *Config) (id uuid.UUID, static bool, err error) {
	if cfg.StateDir == "" {
		return uuid.NewV4(), false, nil
	}
	path := filepath.Join(cfg.stateDir(), identityFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id = uuid.NewV4()
		err = writeIdentity(path, id)
	case err == nil:
		if id, err = uuid.Parse(strings.TrimSpace(string(text))); err != nil {
			err = fmt.Errorf("%s is damaged (delete it to get a new identity): %w", path, err)
		}
	}
	if err != nil {
		return id, false, fmt.Errorf("cannot find the instance's identity: %w", err)
	}
	return id, true, nil
}

// writeIdentity writes the file beside its place and renames it, so that a crash leaves a whole one or none.
func writeIdentity(path string, id uuid.UUID) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), identityFile+"-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(id.String() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// CleanUp deletes what an application that does not run keeps on this machine: its identity. What it keeps in the log stays.
func CleanUp(stateDir, applicationID string) error {
	if stateDir == "" {
		return nil
	}
	cfg := Config{StateDir: stateDir, ApplicationID: applicationID}
	if err := os.Remove(filepath.Join(cfg.stateDir(), identityFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot clean up application %s: %w", applicationID, err)
	}
	if err := os.Remove(cfg.stateDir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot clean up application %s: %w", applicationID, err)
	}
	return nil
}
