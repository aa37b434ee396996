package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// appendBase is the kernel command line of every machine: lines of our own on
// the console, fewer of the kernel's.
const appendBase = "console=ttyS0 loglevel=6 panic=10 no_timer_check"

// args is QEMU's command line.
func (m Machine) args(t testing.TB, port int) []string {
	t.Helper()
	mem, cpus := m.Mem, m.CPUs
	if mem == 0 {
		mem = 1024
	}
	if cpus == 0 {
		cpus = 2
	}
	netdev := fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:22", port)
	if m.Metadata != "" {
		netdev += ",net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:" + m.Metadata
	}
	args := []string{
		"-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-m", strconv.Itoa(mem), "-smp", strconv.Itoa(cpus),
		"-netdev", netdev, "-device", "virtio-net-pci,netdev=n0",
		"-device", "virtio-rng-pci",
	}
	for _, s := range m.SMBIOS {
		args = append(args, "-smbios", s)
	}
	if m.Disk != "" {
		format := "raw"
		if strings.HasSuffix(m.Disk, ".qcow2") {
			format = "qcow2"
		}
		args = append(args, "-drive", "if=virtio,format="+format+",file="+m.Disk+",cache=unsafe")
	}
	args = append(args, m.boot(t)...)
	if m.UserData != "-" {
		args = append(args, readOnly(m.seed(t))...)
	}
	for _, d := range m.Drives {
		args = append(args, readOnly(d)...)
	}
	return append(args, m.Args...)
}

func readOnly(file string) []string {
	return []string{"-drive", "if=virtio,format=raw,readonly=on,file=" + file}
}

// boot says how the machine comes to its kernel.
func (m Machine) boot(t testing.TB) []string {
	t.Helper()
	var args []string
	if m.Firmware == "uefi" {
		args = append(args, "-bios", ovmf(t))
	}
	if m.Firmware != "" {
		if m.BootDisk {
			return args
		}
		return append(args, "-cdrom", Out(t, "ros.iso"))
	}
	line := appendBase
	if m.Disk != "" {
		line += " rancher.state.dev=LABEL=RANCHER_STATE rancher.state.autoformat=[/dev/vda]"
	}
	args = append(args, readOnly(Out(t, "ros.iso"))...)
	return append(args, "-kernel", Out(t, "vmlinuz"), "-initrd", Out(t, "initrd"), "-append", strings.TrimSpace(line+" "+m.Append))
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

// seed makes the NoCloud drive.
func (m Machine) seed(t testing.TB) string {
	t.Helper()
	user := m.UserData
	if user == "" {
		user = "#cloud-config\n"
	}
	files := map[string]string{
		"user-data": user,
		"meta-data": "instance-id: test-1\npublic-keys:\n  - " + PublicKey(t) + "\n" + m.MetaData,
	}
	if m.NetworkConfig != "" {
		files["network-config"] = m.NetworkConfig
	}
	return ISO(t, "cidata", files)
}

// ISO makes a disc with these files.
func ISO(t testing.TB, label string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for name, content := range files {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, label+".iso")
	cmd := exec.Command("xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", label, "-o", out, tree)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make drive %s: %v: %s", label, err, b)
	}
	return out
}
