package vm

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rancheros/image/deb"
	"rancheros/image/qemu"
)

// debianSuite is the Debian that ours is held to.
const debianSuite = "trixie"

// debianPackages are what a cloud's Debian has of that which provisioning
// touches. Locales are left out: generating one takes minutes in emulation.
var debianPackages = []string{
	"systemd", "systemd-sysv", "systemd-resolved", "udev", "dbus", "libpam-systemd", "linux-image-cloud-amd64", "initramfs-tools",
	"openssh-server", "sudo", "iproute2", "netplan.io", "chrony", "ca-certificates", "tzdata", "e2fsprogs", "fdisk", "cloud-guest-utils", "cloud-init",
}

// debianSetup runs in the new root, given as $1: what an image of a cloud has
// beside packages.
const debianSetup = `set -e
echo 'LABEL=debian / ext4 defaults 0 1' >"$1/etc/fstab"
echo localhost >"$1/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$1/etc/hosts"
: >"$1/etc/machine-id"
rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id"
chroot "$1" systemctl -q enable systemd-networkd systemd-resolved
chroot "$1" dpkg-query -W -f '${Package} ${Version}\n' cloud-init systemd openssh-server >&2
cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
cp "$1"/boot/initrd.img-* "$2/initrd"
`

// writeDisk makes the disk of the tree $1 in the file $2: one partition that is
// smaller than the machine's disk is going to be. What is mounted in the tree,
// such as /proc, is left out.
const writeDisk = `set -e
truncate -s 1600M "$2"
printf 'label: gpt\nstart=2048, name=root\n' | sfdisk -q "$2"
mkdir "$1.tree"
mount --bind "$1" "$1.tree"
e=0; mke2fs -q -t ext4 -L debian -m 0 -E offset=1048576,lazy_itable_init=1 -d "$1.tree" "$2" 1590M || e=$?
umount "$1.tree"
rmdir "$1.tree"
exit $e
`

// installDeb takes cloud-init's place in the tree $1 by the package $2.
const installDeb = `set -e
cp "$2" "$1/tmp/p.deb"
chroot "$1" apt-get install -y -q --no-install-recommends /tmp/p.deb >&2
rm "$1/tmp/p.deb"
`

// A debian is a folder with a Debian that boots.
type debian struct {
	dir  string // vmlinuz, initrd, root.tar, images
	disk string
}

// theirs is Debian with its own cloud-init. It is made once for the same
// packages and scripts and then kept in .cache.
func theirs(t testing.TB) debian {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	sources, err := deb.Sources(t.Context(), debianSuite)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(strings.Join(debianPackages, " ") + debianSetup + writeDisk + sources))
	dir, err := filepath.Abs(filepath.Join(top(), ".cache", fmt.Sprintf("debian-%x", sum[:8])))
	if err != nil {
		t.Fatal(err)
	}
	d := debian{dir, filepath.Join(dir, "theirs.img")}
	if _, err := os.Stat(dir); err == nil {
		return d
	}
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	mmdebstrap(t, "--variant=apt", "--include="+strings.Join(debianPackages, ","), "--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		hook(debianSetup, tmp), hook(writeDisk, filepath.Join(tmp, "theirs.img")),
		debianSuite, filepath.Join(tmp, "root.tar"), strings.TrimSpace(sources))
	if err := os.Rename(tmp, dir); err != nil {
		t.Fatal(err)
	}
	return d
}

// ours is the same Debian with our package in the place of cloud-init, kept for
// as long as the package is the same.
func ours(t testing.TB, d debian) debian {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	file := ourDeb(t)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	ours := debian{d.dir, filepath.Join(d.dir, fmt.Sprintf("ours-%x.img", sum[:8]))}
	if _, err := os.Stat(ours.disk); err == nil {
		return ours
	}
	old, err := filepath.Glob(filepath.Join(d.dir, "ours-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	mmdebstrap(t, "--variant=custom", "--format=null", "--skip=update,setup,cleanup", "--setup-hook=tar-in "+filepath.Join(d.dir, "root.tar")+" /",
		hook(installDeb, file), hook(writeDisk, ours.disk+".tmp"), debianSuite, "/dev/null")
	if err := os.Rename(ours.disk+".tmp", ours.disk); err != nil {
		t.Fatal(err)
	}
	return ours
}

// making is held while an image is made.
var making sync.Mutex

// ourDeb makes the package of the program that was built.
func ourDeb(t testing.TB) string {
	t.Helper()
	out, err := exec.Command(Out(t, "ros-image"), "deb", "--repo", top(), "--out", filepath.Dir(Out(t, "ros"))).CombinedOutput()
	if err != nil {
		t.Fatalf("ros-image deb: %v: %s", err, out)
	}
	file, err := filepath.Abs(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// hook is a script that mmdebstrap runs with the tree and arg.
func hook(script, arg string) string {
	return "--customize-hook=f() { " + script + "}; f \"$1\" '" + arg + "'"
}

// mmdebstrap makes a Debian, and says how far it is.
func mmdebstrap(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "mmdebstrap", args...)
	r, w := io.Pipe()
	cmd.Stderr = w
	var all bytes.Buffer
	var read sync.WaitGroup
	read.Go(func() {
		for s := bufio.NewScanner(io.TeeReader(r, &all)); s.Scan(); {
			if line, ok := strings.CutPrefix(s.Text(), "I: "); ok && !strings.Contains(line, "customize-hook") {
				t.Log("mmdebstrap: " + line)
			}
		}
	})
	err := cmd.Run()
	w.Close()
	read.Wait()
	if err != nil {
		t.Fatalf("mmdebstrap: %v; apt-get install mmdebstrap fdisk uidmap\n%s", err, all.String())
	}
}

// A debianMachine is how to boot a debian.
type debianMachine struct {
	// disk is a copy of the debian's, see newDisk.
	disk string
	// seed are the files of a NoCloud drive, by name; nil is no drive.
	seed map[string]string
	// data is a second disk.
	data string
	// cloud is a metadata service and its firmware instead of a seed.
	cloud  qemu.Cloud
	append string
	args   []string
}

// newDisk is a disk that starts as the debian's and has room to grow.
func (d debian) newDisk(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk.qcow2")
	b, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", d.disk, file, "3G").CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img: %v: %s", err, b)
	}
	return file
}

// start boots a debian and returns at once.
func (d debian) start(t testing.TB, m debianMachine) *VM {
	t.Helper()
	major, err := qemu.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	q := qemu.Machine{Out: d.dir, NoDisc: true, Memory: 1024, CPUs: 1, Major: major, SSHPort: port, Once: true, Cloud: m.cloud,
		Append: strings.TrimSpace("root=LABEL=debian rw " + m.append)}
	if m.seed != nil {
		q.Cloud.Drives = []string{seedDrive(t, m.seed)}
	}
	for n, disk := range []string{m.disk, m.data} {
		if disk != "" {
			format := map[bool]string{true: "qcow2", false: "raw"}[strings.HasSuffix(disk, ".qcow2")]
			q.More = append(q.More, "-drive", fmt.Sprintf("if=none,id=disk%d,cache=unsafe,format=%s,file=%s", n, format, disk),
				"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d,serial=disk%d", n, n))
		}
	}
	q.More = append(q.More, m.args...)
	return launch(t, "debian", port, q.Args(), (*exec.Cmd).Start)
}

// seedDrive is a NoCloud drive with these files.
func seedDrive(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "cidata.iso")
	b, err := exec.Command("xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", "cidata", "-o", out, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("xorriso: %v: %s", err, b)
	}
	return out
}

// debianBoot is how long one boot may take in emulation beside other work.
const debianBoot = 10 * time.Minute

// up waits until people can log in, and until cloud-init says that it is done.
func (v *VM) up() {
	v.t.Helper()
	for _, unit := range []string{"Started ssh.service", "Finished systemd-user-sessions.service"} {
		word, name, _ := strings.Cut(unit, " ")
		v.wait("systemd to have "+unit, debianBoot, func() bool {
			return slices.ContainsFunc(v.lines, func(l string) bool { return strings.Contains(l, word) && strings.Contains(l, name) })
		})
	}
	v.Eventually("true", "", time.Minute) // a change of its config restarts sshd
	v.as("if [ -e /usr/bin/cloud-init ]; then cloud-init status --wait; fi; systemctl is-system-running --wait; true")
}

// root runs a script as root and returns what it prints.
func (v *VM) root(script string) (string, error) {
	if err := v.connect(); err != nil {
		return "", err
	}
	s, err := v.client.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	s.Stdin = strings.NewReader(script)
	out, err := s.CombinedOutput("sudo -n sh -s 2>&1")
	return string(out), err
}

// powerOff shuts the machine down as a person does.
func (v *VM) powerOff() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	stop := context.AfterFunc(ctx, v.Kill)
	if _, err := v.root("systemctl poweroff"); err != nil {
		v.t.Logf("poweroff: %v", err) // the connection may end first
	}
	stop()
	v.WaitOff(3 * time.Minute)
}

// as runs a script as root, which must succeed, and returns what it prints.
func (v *VM) as(script string) string {
	v.t.Helper()
	out, err := v.root(script)
	if err != nil {
		v.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(out)
}

// says is Says for root.
func (v *VM) says(script, text string) {
	v.t.Helper()
	if out := v.as(script); !strings.Contains(out, text) {
		v.t.Errorf("%s does not say %q:\n%s", script, text, out)
	}
}
