package disk_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/log/disk"
)

func TestRealModes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "new", "data")
	fsys, err := disk.Open(root)
	must(t, err, fsys.Mkdir("d"))
	must(t, open(t, fsys, "d/a", disk.Create).Close())
	lock, err := fsys.Lock("lock")
	must(t, err, lock.Close())
	for name, want := range map[string]os.FileMode{".": 0o700 | os.ModeDir, "d": 0o700 | os.ModeDir, "d/a": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(root, name))
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestRealStaysInsideItsDirectory(t *testing.T) {
	root := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(outside, []byte("x"), 0o600), os.Symlink(outside, filepath.Join(root, "link")))
	fsys, err := disk.Open(root)
	must(t, err)
	if _, err := fsys.Open("link", disk.ReadWrite); err == nil {
		t.Error("a symbolic link led out of the directory")
	}
}

// The bytes of a preallocated file go out through the descriptor, written ones and zeros alike.
func TestRealDescriptorGoesToASocket(t *testing.T) {
	f := open(t, openReal(t), "a", disk.Create)
	must(t, f.Preallocate(1<<20))
	write(t, f, 100, []byte("hello"))
	d, ok := f.(disk.Descriptor)
	if !ok {
		t.Fatal("a real file is no Descriptor")
	}
	if _, ok := open(t, disk.NewMemory(), "a", disk.Create).(disk.Descriptor); ok {
		t.Error("a file in memory is a Descriptor")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_, err = c.(*net.TCPConn).ReadFrom(io.LimitReader(d.OSFile(), 1<<20))
			err = errors.Join(err, c.Close())
		}
		sent <- err
	}()
	c, err := l.Accept()
	must(t, err)
	got, err := io.ReadAll(c)
	must(t, err, <-sent, c.Close(), f.Sync(), f.Close())
	want := make([]byte, 1<<20)
	copy(want[100:], "hello")
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, and not those of the file", len(got))
	}
}

// TestHelperProcess is the other process of TestRealLockEndsWithTheProcess, and a test of nothing otherwise.
func TestHelperProcess(t *testing.T) {
	root := os.Getenv("DISK_TEST_LOCK")
	if root == "" {
		return
	}
	fsys, err := disk.Open(root)
	must(t, err)
	_, err = fsys.Lock("lock")
	must(t, err)
	_, err = os.Stdout.WriteString("locked\n")
	must(t, err)
	_, err = io.Copy(io.Discard, os.Stdin) // till killed, or till the parent is gone
	must(t, err)
}

func TestRealLockEndsWithTheProcess(t *testing.T) {
	root := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	cmd.Env = append(os.Environ(), "DISK_TEST_LOCK="+root)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	fsys, err := disk.Open(root)
	must(t, err)
	_, err = fsys.Lock("lock")
	var held *disk.LockedError
	if !errors.As(err, &held) || held.PID != cmd.Process.Pid {
		t.Errorf("error is %v, want a LockedError with process %d", err, cmd.Process.Pid)
	}
	must(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
	lock, err := fsys.Lock("lock")
	must(t, err, lock.Close())
}
