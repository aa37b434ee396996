package execute

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"rancheros/sys/blkdev"
	"rancheros/sys/module"
)

// Kernel is what appliers change of the running machine that is no file.
type Kernel interface {
	Hostname() (string, error)
	SetHostname(name string) error
	// Mounted are the mount points, as /proc/self/mounts has them.
	Mounted() ([]MountPoint, error)
	Mount(source, target, fstype string, flags uintptr, data string) error
	// Swaps are the files and devices that are swapped on.
	Swaps() ([]string, error)
	Swapon(path string) error
	// ForbidMetadata makes the clouds' metadata services unreachable.
	ForbidMetadata() error
	MetadataForbidden() bool
	// LoadModule loads a kernel module and what it needs.
	LoadModule(name, params string) error
	HasModule(name string) bool
	// AwaitDevice waits until a block device is there, or ctx ends.
	AwaitDevice(ctx context.Context, path string)
}

func (linux) AwaitDevice(ctx context.Context, path string) {
	_, _ = blkdev.WaitFor(ctx, "/", path) // not there: the caller looks again
}

func (linux) HasModule(name string) bool {
	_, err := os.Stat("/sys/module/" + name)
	return err == nil
}

func (linux) LoadModule(name, params string) error {
	set, err := module.Open("/")
	if err != nil {
		return err
	}
	return set.Load(name, params)
}

// A MountPoint is one line of /proc/self/mounts.
type MountPoint struct{ Source, Target, FSType string }

// linux is the kernel that we run on.
type linux struct{}

func (linux) Hostname() (string, error) { return os.Hostname() }

func (linux) SetHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set hostname %s: %w", name, err)
	}
	return nil
}

func (linux) Mounted() ([]MountPoint, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var all []MountPoint
	for line := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(line); len(f) >= 3 {
			all = append(all, MountPoint{unescape(f[0]), unescape(f[1]), f[2]})
		}
	}
	return all, nil
}

// unescape undoes what the kernel does to blanks in /proc/self/mounts.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func (linux) Mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

func (linux) Swaps() ([]string, error) {
	b, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return nil, err
	}
	var all []string
	for i, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 {
			all = append(all, unescape(f[0]))
		}
	}
	return all, nil
}

func (linux) Swapon(path string) error {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(p)), 0, 0); errno != 0 {
		return fmt.Errorf("swap on %s: %w", path, errno)
	}
	return nil
}
