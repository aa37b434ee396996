package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BusyboxTar makes the archive of a tiny root file system for containers.
func BusyboxTar(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "root/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("%v: apt-get install busybox-static", err)
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "echo", "cat", "httpd", "sleep", "ls"} {
		if err := os.Symlink("busybox", filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "bb.tar")
	if b, err := exec.Command("tar", "-C", filepath.Join(dir, "root"), "-cf", out, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, b)
	}
	return out
}

// TrySend pipes a file into a command over ssh.
func (v *VM) TrySend(file, command string) error {
	if err := v.connect(); err != nil {
		return err
	}
	s, err := v.client.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	s.Stdin = f
	if out, err := s.CombinedOutput(command); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

// Send is TrySend that must succeed.
func (v *VM) Send(file, command string) {
	v.t.Helper()
	if err := v.TrySend(file, command); err != nil {
		v.t.Fatal(err)
	}
}

// Says runs a command and wants its output to contain text.
func (v *VM) Says(command, text string) {
	v.t.Helper()
	if out := v.Run(command); !strings.Contains(out, text) {
		v.t.Errorf("%s does not say %q:\n%s", command, text, out)
	}
}

// Reaches says whether a mark comes in time.
func (v *VM) Reaches(mark string, timeout time.Duration) bool {
	return v.waits(timeout, func() bool { _, done := v.marks[mark]; return done })
}
