// Init is /init of the initrd: it mounts the kernel's filesystems, loads
// modules, finds the root image and hands over to ros. Nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/sys/blkdev"
	"rancheros/sys/kmsg"
	"rancheros/sys/module"
	"rancheros/sys/mount"
)

const (
	newRoot = "/sysroot"
	// medium is where the partition or disc with the root image stays mounted.
	medium = paths.RunDir + "/medium"
	// rootWait is how long a disk may take to appear: USB and SAN are slow.
	rootWait = 60 * time.Second
)

// machine is what the steps learn.
type machine struct {
	modules *module.Set
	// image is the open root image; it may lie in the initrd, which goes away.
	image *os.File
}

var steps = []step.Step[*machine]{
	step.Must("load modules", loadModules),
	step.Must("find root image", findRoot),
	step.Must("mount root", mountRoot),
}

var kernelFS = []mount.Point{
	{Source: "proc", Target: "/proc", FSType: "proc", Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{Source: "sysfs", Target: "/sys", FSType: "sysfs", Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{Source: "devtmpfs", Target: "/dev", FSType: "devtmpfs", Flags: unix.MS_NOSUID, Data: "mode=0755"},
	{Source: "tmpfs", Target: "/run", FSType: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=0755"},
}

func main() {
	err := boot()
	// Only an error comes back from boot.
	kmsg.Write(kmsg.Error, "cannot start: %v", err)
	kmsg.Write(kmsg.Error, "the machine reboots in 30 s; `panic=0` on the kernel command line holds it")
	if strings.Contains(cmdline(), "panic=0") {
		select {}
	}
	<-time.After(30 * time.Second)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func boot() error {
	if err := mount.All(kernelFS); err != nil {
		return err
	}
	kmsg.Write(kmsg.Notice, "mark userspace")
	record, err := step.OpenRecord(paths.BootRecord)
	if err != nil {
		return err
	}
	m := &machine{}
	r := step.Runner{Log: kmsg.Logger(slog.LevelInfo), Record: record}
	if err := step.Run(context.Background(), r, "initramfs", m, steps); err != nil {
		return err
	}
	record.Close()
	return switchRoot()
}

// always are modules that no device asks for.
var always = []string{"loop", "squashfs", "overlay"}

func loadModules(_ context.Context, m *machine) error {
	set, err := module.Open("/")
	if err != nil {
		return err
	}
	m.modules = set
	var errs []error
	for _, name := range always {
		if err := set.Load(name, ""); err != nil && !errors.Is(err, module.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	if _, err := set.ColdPlug("/sys"); err != nil {
		// A device that does not work is not the one we boot from, or else the
		// next step says so.
		kmsg.Write(kmsg.Warning, "%v", err)
	}
	return errors.Join(errs...)
}

// findRoot opens the root image: in the initrd itself, or on the disc or
// partition that carries one.
func findRoot(ctx context.Context, m *machine) error {
	if f, err := os.Open("/root.squashfs"); err == nil {
		m.image = f
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	path := parameter("ros.image", "/root.squashfs")
	var last error
	_, err := blkdev.Wait(ctx, "/", func(dev blkdev.Info) bool {
		if dev.Label != paths.LabelISO && dev.Label != paths.LabelBoot {
			return false
		}
		last = m.open(dev, path)
		return last == nil
	})
	if err != nil {
		return fmt.Errorf("look for %s on a disc labelled %s or a partition labelled %s: %w",
			path, paths.LabelISO, paths.LabelBoot, errors.Join(err, last))
	}
	return nil
}

// fsModules are what the kernel needs to read a file system. vfat wants the
// code page and character set that it was configured with.
var fsModules = map[string][]string{
	"iso9660": {"isofs"},
	"ext4":    {"ext4"},
	"vfat":    {"vfat", "nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859_1"},
}

func (m *machine) open(dev blkdev.Info, path string) error {
	for _, name := range fsModules[dev.FSType] {
		if err := m.modules.Load(name, ""); err != nil && !errors.Is(err, module.ErrNotFound) {
			return err
		}
	}
	err := mount.Mount(mount.Point{Source: dev.Path, Target: medium, FSType: dev.FSType, Flags: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV})
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(medium, filepath.Clean("/"+path)))
	if err != nil {
		_ = unix.Unmount(medium, 0)
		return err
	}
	m.image = f
	return nil
}

// rootDirs and rootLinks are the tree around /usr.
var rootDirs = []string{"usr", "etc", "var", "home", "opt", "root", "mnt", "media", "srv", "tmp", "dev", "proc", "sys", "run"}

var rootLinks = map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}

// mountRoot makes the root: a tmpfs with the image at /usr.
func mountRoot(_ context.Context, m *machine) error {
	defer m.image.Close()
	if err := mount.Mount(mount.Point{Source: "root", Target: newRoot, FSType: "tmpfs", Data: "mode=0755"}); err != nil {
		return err
	}
	for _, d := range rootDirs {
		if err := os.Mkdir(filepath.Join(newRoot, d), 0o755); err != nil {
			return err
		}
	}
	for name, target := range rootLinks {
		if err := os.Symlink(target, filepath.Join(newRoot, name)); err != nil {
			return err
		}
	}
	loop, err := attach(m.image)
	if err != nil {
		return err
	}
	// Closed after the mount: with autoclear the device is gone at the last close.
	defer loop.Close()
	return mount.Mount(mount.Point{Source: loop.Name(), Target: newRoot + "/usr", FSType: "squashfs", Flags: unix.MS_RDONLY | unix.MS_NODEV})
}

// attach makes a loop device of the image. It goes away with its mount.
func attach(image *os.File) (*os.File, error) {
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("loop device for the root image: %w", err)
	}
	defer ctl.Close()
	n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, fmt.Errorf("find a free loop device: %w", err)
	}
	path := fmt.Sprintf("/dev/loop%d", n)
	loop, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("loop device for the root image: %w", err)
	}
	cfg := unix.LoopConfig{Fd: uint32(image.Fd())}
	cfg.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR
	copy(cfg.Info.File_name[:], "root.squashfs")
	if err := unix.IoctlLoopConfigure(int(loop.Fd()), &cfg); err != nil {
		loop.Close()
		return nil, fmt.Errorf("attach the root image to %s: %w", path, err)
	}
	return loop, nil
}

// switchRoot moves what is mounted, frees the initrd and becomes ros.
func switchRoot() error {
	for _, d := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := unix.Mount(d, newRoot+d, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s to the root: %w", d, err)
		}
	}
	freeInitrd()
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	err := unix.Exec(paths.Ros, append([]string{"init"}, os.Args[1:]...), []string{"PATH=/usr/sbin:/usr/bin", "TERM=linux", "HOME=/root"})
	return fmt.Errorf("start %s: %w", paths.Ros, err)
}

// freeInitrd gives the initrd's memory back. An image that lies in it stays
// until its loop device lets go.
func freeInitrd() {
	entries, err := os.ReadDir("/")
	if err != nil {
		return
	}
	for _, e := range entries {
		if path := "/" + e.Name(); path != newRoot && path != "/dev" && path != "/proc" && path != "/sys" && path != "/run" {
			_ = os.RemoveAll(path)
		}
	}
}

func cmdline() string {
	b, _ := os.ReadFile("/proc/cmdline")
	return string(b)
}

// parameter is a kernel parameter's value.
func parameter(name, otherwise string) string {
	for f := range strings.FieldsSeq(cmdline()) {
		if k, v, ok := strings.Cut(f, "="); ok && k == name {
			return v
		}
	}
	return otherwise
}
