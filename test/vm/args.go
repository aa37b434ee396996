package vm

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/image/qemu"
)

// args is QEMU's command line.
func (m Machine) args(t testing.TB, port int) []string {
	t.Helper()
	major, err := qemu.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := qemu.Machine{
		Out: cmp.Or(m.Image, filepath.Dir(Out(t, "ros.iso"))), Memory: cmp.Or(m.Mem, 1024), CPUs: cmp.Or(m.CPUs, 2), Major: major,
		SSHPort: port, Disk: m.Disk, Append: m.Append, NoDisc: m.NoDisc, Once: true, More: m.Args,
	}
	for i, file := range m.Disks {
		q.More = append(q.More, "-drive", fmt.Sprintf("if=none,id=more%d,format=raw,file=%s", i, file), "-device", fmt.Sprintf("virtio-blk-pci,drive=more%d", i))
	}
	switch {
	case m.Recorded != nil:
		q.Cloud, q.MACs = m.Recorded.Cloud, m.Recorded.MACs
		q.Append = strings.TrimSpace(m.Recorded.Append + " " + q.Append)
		q.More = slices.Concat(m.Recorded.Args, q.More)
	case m.UserData != "-":
		q.Cloud = m.cloud(t)
	}
	if m.In != nil {
		q.Tap = m.In.Link
	}
	q.Cloud.Drives = append(q.Cloud.Drives, m.Drives...)
	if m.Monitor != "" {
		q.More = append(slices.Clone(q.More), "-qmp", "unix:"+m.Monitor+",server=on,wait=off")
	}
	switch m.Firmware {
	case "uefi":
		q.Firmware = ovmf(t)
	default:
		q.Firmware = m.Firmware
	}
	return q.Args()
}

// cloud makes what the datasource needs: a drive, or a metadata service.
func (m Machine) cloud(t testing.TB) qemu.Cloud {
	t.Helper()
	if m.UserData == "" {
		m.UserData = "#cloud-config\n"
	}
	u := qemu.User{Data: []byte(m.UserData), Keys: []string{PublicKey(t)}, Hostname: "given", ID: cmp.Or(m.ID, "test-1"), Network: []byte(m.NetworkConfig)}
	c, err := qemu.NewCloud(cmp.Or(m.Datasource, "nocloud"), t.TempDir(), Out(t, "ros-image"), u, func(label, dir, out string) error {
		b, err := exec.Command("xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", label, "-o", out, dir).CombinedOutput()
		if err != nil {
			t.Fatalf("make drive %s: %v: %s", label, err, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.Metadata != "" {
		c.Metadata = m.Metadata
	}
	return c
}

func ovmf(t testing.TB) string {
	t.Helper()
	for _, path := range []string{"/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "/usr/share/qemu/OVMF.fd"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("no UEFI firmware: apt-get install ovmf")
	return ""
}

// Lines joins lines, for user-data in tests.
func Lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// Variant builds another image of the same programs, in out/NAME, unless it is
// built, and returns its folder.
func Variant(t testing.TB, name string, args ...string) string {
	t.Helper()
	programs := filepath.Dir(Out(t, "ros-image"))
	out := filepath.Join(programs, name)
	cmd := exec.Command(Out(t, "ros-image"), append([]string{"build", "--quick", "--programs", programs, "--out", out}, args...)...)
	cmd.Dir = filepath.Dir(programs)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the image %s: %v\n%s", name, err, b)
	}
	return out
}

// FolderDisk makes a disk of so many MiB with an ext4 of that label that holds
// the files: name to content. A name with .sh at its end is executable.
func FolderDisk(t testing.TB, label string, mib int, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	img := filepath.Join(t.TempDir(), label+".img")
	out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-L", label, "-d", dir, "-E", "root_owner=0:0", img, fmt.Sprintf("%dM", mib)).CombinedOutput()
	if err != nil {
		t.Fatalf("make disk %s: %v: %s", label, err, out)
	}
	return img
}
