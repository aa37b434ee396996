// Package udev has udevd look at the devices that were there before it.
package udev

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Udevd's own signs: it listens, and it has work.
const (
	control = "/run/udev/control"
	queue   = "/run/udev/queue"
)

// Main is `ros udev-settle`: it asks the kernel to announce all devices again
// and waits until udevd has done with them.
//
//	ros udev-settle                 with a udevd that runs
//	ros udev-settle --run UDEVD     become UDEVD, and do the rest beside it
func Main(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("udev-settle", flag.ContinueOnError)
	run := flags.Bool("run", false, "become the program that follows, and settle beside it")
	detach := flags.Bool("detach", false, "start the settling and return at once")
	timeout := flags.Duration("timeout", 30*time.Second, "how long to wait at most")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	var err error
	switch {
	case *run && flags.NArg() > 0:
		err = become(ctx, flags.Args())
	case *run || flags.NArg() > 0:
		fmt.Fprintln(os.Stderr, "udev-settle: usage: ros udev-settle [--timeout 30s] [--run UDEVD ARGS]")
		return 2
	case *detach:
		err = start("udev-settle", "--timeout", timeout.String())
	default:
		err = Settle(ctx, *timeout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "udev-settle:", err)
		return 1
	}
	return 0
}

// become starts the settling and turns into argv. The settling is not our
// child: udevd would never wait for one that it does not know.
func become(ctx context.Context, argv []string) error {
	// What an earlier udevd left would be taken for this one's.
	for _, name := range []string{control, queue} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "udev-settle", "--detach")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("start settling: %w", err)
	}
	if err := syscall.Exec(argv[0], argv, os.Environ()); err != nil {
		return fmt.Errorf("exec %s: %w", argv[0], err)
	}
	return nil
}

func start(args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// Settle waits for udevd, announces the devices of this machine and waits until
// they are done, for at most timeout.
func Settle(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := until(ctx, func() bool { return exists(control) }); err != nil {
		return fmt.Errorf("udevd does not run: no %s after %s", control, timeout)
	}
	if err := trigger("/sys"); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return !exists(queue) }); err != nil {
		return fmt.Errorf("udevd is not done with the devices after %s", timeout)
	}
	return nil
}

func until(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// trigger has the kernel announce every device below sys/devices for which a
// rule may do something: make a link, set an owner, know a name. Drivers are
// loaded by then, so buses stay silent: that is nine of ten events.
func trigger(sys string) error {
	err := filepath.WalkDir(filepath.Join(sys, "devices"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // devices come and go while we look
		}
		subsystem, err := os.Readlink(filepath.Join(path, "subsystem"))
		if err != nil || !slices.Contains(announced(), filepath.Base(subsystem)) {
			return nil
		}
		f, err := os.OpenFile(filepath.Join(path, "uevent"), os.O_WRONLY, 0)
		if err != nil {
			return nil
		}
		defer f.Close()
		_, _ = f.WriteString("add\n") // a device that will not is none of ours
		return nil
	})
	if err != nil {
		return fmt.Errorf("announce devices: %w", err)
	}
	return nil
}

// announced are the subsystems that rules are about.
func announced() []string {
	return []string{
		"block", "net", "input", "usb", "scsi_generic", "nvme", "virtio-ports", "misc", "rtc", "drm", "graphics", "sound",
		"hidraw", "video4linux", "usbmisc", "ptp", "tpm", "infiniband", "mmc", "iscsi_session",
	}
}
