package root

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rancheros/sys/blkdev"
)

func diskFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 16<<20); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnlyABlankDiskIsFormatted(t *testing.T) {
	if _, err := exec.LookPath("mke2fs"); err != nil {
		t.Fatal("mke2fs is needed: apt-get install e2fsprogs")
	}
	blank := diskFile(t, nil)
	if made, err := format(t.Context(), blank); err != nil || !made {
		t.Fatalf("blank disk: made %v, err %v", made, err)
	}
	dev, err := blkdev.Probe(blank)
	if err != nil || dev.Label != "RANCHER_STATE" || dev.FSType != "ext4" {
		t.Errorf("blank disk became %+v, %v", dev, err)
	}
	// One byte within the first MiB makes it somebody's disk.
	full := diskFile(t, append(make([]byte, 1<<20-1), 'x'))
	if made, err := format(t.Context(), full); err != nil || made {
		t.Errorf("disk with data: made %v, err %v", made, err)
	}
	if made, err := format(t.Context(), filepath.Join(t.TempDir(), "absent")); err != nil || made {
		t.Errorf("absent disk: made %v, err %v", made, err)
	}
}

func TestACleanFileSystemPassesTheCheck(t *testing.T) {
	path := diskFile(t, nil)
	if _, err := format(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	dev, err := blkdev.Probe(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context(), dev); err != nil {
		t.Error(err)
	}
}
