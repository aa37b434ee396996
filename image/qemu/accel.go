// Package qemu boots the built image in QEMU for a person: with a console, a
// port for ssh, and the drives or metadata server of the cloud that the machine
// shall believe to be in.
package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Program is QEMU itself.
const Program = "qemu-system-x86_64"

// goodVersion is the first major version whose emulation runs kernel 6.12: older
// ones corrupt the flags after cmpxchg16b.
const goodVersion = 8

// Version is QEMU's major version.
func Version(ctx context.Context) (int, error) {
	out, err := exec.CommandContext(ctx, Program, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: apt-get install qemu-system-x86", Program, err)
	}
	_, rest, _ := strings.Cut(string(out), "version ")
	major, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0, fmt.Errorf("%s --version says %q", Program, strings.TrimSpace(string(out)))
	}
	return n, nil
}

// TooOld reports whether this QEMU cannot be trusted to emulate our kernel.
func TooOld(major int) bool { return major < goodVersion }

// probeLimit is how long a guest of one sector may take.
const probeLimit = 3 * time.Second

// sector is a boot sector that ends QEMU: it writes 16 to the port of
// isa-debug-exit, which makes the exit code 33.
var sector = [5]byte{0xb0, 0x10, 0xe6, 0xf4, 0xf4}

const sectorExit = 33

// KVM reports whether hardware virtualisation really runs a guest: /dev/kvm can
// be opened and still hang or fail inside another virtual machine.
func KVM(ctx context.Context) bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	dir, err := os.MkdirTemp("", "kvm-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	disk := make([]byte, 1<<20)
	copy(disk, sector[:])
	disk[510], disk[511] = 0x55, 0xaa
	img := filepath.Join(dir, "sector.img")
	if err := os.WriteFile(img, disk, 0o600); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	err = exec.CommandContext(ctx, Program, "-accel", "kvm", "-cpu", "max", "-nodefaults", "-display", "none", "-m", "64",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-drive", "format=raw,file="+img).Run()
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == sectorExit
}
