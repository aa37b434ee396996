package root

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestReserveIsGivenUpWhenTheDiskIsFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if b, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, b)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	if full, err := reserve(dir); err != nil || full {
		t.Fatalf("empty disk: full %v, err %v", full, err)
	}
	if st, err := os.Stat(filepath.Join(dir, ".reserve")); err != nil || st.Size() != reserveBytes {
		t.Fatalf("reserve: %v, %v", st, err)
	}
	// The last byte of the disk is somebody's.
	_ = exec.Command("dd", "if=/dev/zero", "of="+filepath.Join(dir, "fill"), "bs=1M").Run()
	if full, err := reserve(dir); err != nil || !full {
		t.Fatalf("full disk: full %v, err %v", full, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 32<<20), 0o600); err != nil {
		t.Errorf("nothing can be written after the reserve was given up: %v", err)
	}
}
