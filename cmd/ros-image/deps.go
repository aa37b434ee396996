package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/image/qemu"
)

// A need is a program or file and the Debian package that has it.
type need struct{ path, pkg string }

var needs = []need{
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"qemu-img", "qemu-utils"},
	{"dpkg-deb", "dpkg"},
	{"xz", "xz-utils"},
	{"gcc", "gcc"},
	{"pkg-config", "pkg-config"},
	{"ssh", "openssh-client"},
	{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
	{"/usr/lib/x86_64-linux-gnu/libseccomp.a", "libseccomp-dev"},
	{"/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev"},
}

// testNeeds are what the tests use beside: real servers, firmwares and makers of
// drives.
var testNeeds = []need{
	{"xorriso", "xorriso"},
	{"genisoimage", "genisoimage"},
	{"mkfs.vfat", "dosfstools"},
	{"mcopy", "mtools"},
	{"cloud-localds", "cloud-image-utils"},
	{"mke2fs", "e2fsprogs"},
	{"sfdisk", "fdisk"},
	{"mmdebstrap", "mmdebstrap"},
	{"newuidmap", "uidmap"},
	{"cryptsetup", "cryptsetup-bin"},
	{"unsquashfs", "squashfs-tools"},
	{"dnsmasq", "dnsmasq-base"},
	{"ip", "iproute2"},
	{"/usr/sbin/hostapd", "hostapd"},
	{"/usr/sbin/wpa_supplicant", "wpasupplicant"},
	{"ping", "iputils-ping"},
	{"sysctl", "procps"},
	{"/bin/busybox", "busybox-static"},
	{"/usr/share/ovmf/OVMF.fd", "ovmf"},
}

// backports is where Debian 12 has a QEMU that runs kernel 6.12.
const backports = "bookworm-backports"

func newDeps() *cobra.Command {
	var tests bool
	c := &cobra.Command{
		Use:   "deps",
		Short: "Install by apt what is missing to build and to run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted := needs
			if tests {
				wanted = slices.Concat(needs, testNeeds)
			}
			return deps(cmd.Context(), wanted)
		},
	}
	c.Flags().BoolVar(&tests, "test", false, "what the tests use as well")
	return c
}

func deps(ctx context.Context, wanted []need) error {
	var missing []string
	for _, n := range wanted {
		if !isThere(n.path) {
			missing = append(missing, n.pkg)
		}
	}
	old := false
	if major, err := qemu.Version(ctx); err == nil {
		old = qemu.TooOld(major)
	} else {
		old = isBookworm()
	}
	if old && isBookworm() {
		fmt.Println("Debian 12's QEMU 7.2 makes kernel 6.12 panic: taking QEMU from " + backports)
		if err := addBackports(ctx); err != nil {
			return err
		}
		missing = slices.DeleteFunc(missing, func(p string) bool { return strings.HasPrefix(p, "qemu-") })
		if err := apt(ctx, "install", "-y", "--no-install-recommends", "-t", backports, "qemu-system-x86", "qemu-utils"); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Println("installing", strings.Join(missing, " "))
	if err := apt(ctx, "update", "-q"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

func isThere(name string) bool {
	if strings.HasPrefix(name, "/") {
		_, err := os.Stat(name)
		return err == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}

func isBookworm() bool {
	b, err := os.ReadFile("/etc/os-release")
	return err == nil && strings.Contains(string(b), "VERSION_CODENAME=bookworm")
}

// addBackports adds the suite beside the host's own, from the same mirror.
func addBackports(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)|$(CODENAME)", "Created-By: Packages").Output()
	if err != nil {
		return fmt.Errorf("apt-get indextargets: %w", err)
	}
	if strings.Contains(string(out), "|"+backports) {
		return nil
	}
	mirror := ""
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(line), "|"); f[0] == "Debian" {
			mirror = f[1]
			break
		}
	}
	if mirror == "" {
		return errors.New("apt knows no Debian mirror: add one to /etc/apt/sources.list.d")
	}
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", mirror, backports)
	cmd := root(ctx, "tee", "/etc/apt/sources.list.d/"+backports+".list")
	cmd.Stdin = strings.NewReader(line)
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("add %s to apt's sources: %w: %s", backports, err, b)
	}
	return apt(ctx, "update", "-q")
}

func apt(ctx context.Context, args ...string) error {
	cmd := root(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("apt-get %s: %w", args[0], err), errors.New("install these packages by hand: "+strings.Join(args[1:], " ")))
	}
	return nil
}

// root is a command run by root, with sudo if we are not.
func root(ctx context.Context, name string, args ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		return exec.CommandContext(ctx, name, args...)
	}
	return exec.CommandContext(ctx, "sudo", append([]string{name}, args...)...)
}
