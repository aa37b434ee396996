package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rancheros/image/cpio"
	"rancheros/image/tree"
)

// TestOwnKernelFromRAM boots an image with a kernel and a folder of modules that
// a person gives, as a network would: kernel and initrd, with the root image
// appended, and no drive. The kernel is ours, its modules those of the root
// image.
func TestOwnKernelFromRAM(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "modules")
	if b, err := exec.Command("unsquashfs", "-q", "-n", "-d", dir, Out(t, "root.squashfs"), "lib/modules").CombinedOutput(); err != nil {
		t.Fatalf("unsquashfs: %v: %s", err, b)
	}
	image := Variant(t, "own-kernel", "--kernel", Out(t, "vmlinuz"), "--modules", dir)
	v := Boot(t, Machine{Image: inRAM(t, image), NoDisc: true, UserData: "-", Append: "cc.hostname=from-ram cc.ssh_authorized_keys=['" + PublicKey(t) + "']"})
	v.Says("hostname", "from-ram")
	v.Says("lsblk -dno NAME -e 7,11 | wc -l", "0")
}

// inRAM makes a folder with the image's kernel and an initrd that has it all.
func inRAM(t *testing.T, image string) string {
	t.Helper()
	out := t.TempDir()
	copyFile(t, filepath.Join(image, "vmlinuz"), filepath.Join(out, "vmlinuz"))
	copyFile(t, filepath.Join(image, "initrd"), filepath.Join(out, "initrd"))
	root, err := tree.OnDisk(filepath.Join(image, "root.squashfs"))
	if err != nil {
		t.Fatal(err)
	}
	files := tree.New()
	files.AddFile("root.squashfs", 0o644, root, "")
	f, err := os.OpenFile(filepath.Join(out, "initrd"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := cpio.Write(f, files, 0); err != nil {
		t.Fatal(err)
	}
	return out
}
