// Package root finds, checks, formats and mounts the state disk, on which all
// that must survive a reboot lies: /var, /home and /opt.
package root

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/paths"
	"rancheros/sys/blkdev"
	"rancheros/sys/mount"
)

// ErrAbsent says that there is no state disk: the machine runs from RAM.
var ErrAbsent = errors.New("no state disk")

// persistent are the folders of the state disk that are seen at /.
var persistent = []string{"var", "home", "opt"}

// Patience is how long to wait for a state disk that the config says is there.
const patience = 30 * time.Second

// Mount finds the state disk that s describes, makes a file system on a blank
// disk if s allows it, checks and mounts it. It returns the device.
func Mount(ctx context.Context, s cloudconfig.State) (string, error) {
	if s.Dev == "" {
		return "", fmt.Errorf("%w: rancher.state.dev is not set", ErrAbsent)
	}
	dev, err := find(ctx, s)
	if err != nil {
		return "", err
	}
	if err := check(ctx, dev); err != nil {
		return "", err
	}
	if err := mountOn(dev, s); err != nil {
		return "", err
	}
	return dev.Path, nil
}

// find looks for s.Dev, or waits for it, or makes it of a disk that it may
// format.
func find(ctx context.Context, s cloudconfig.State) (blkdev.Info, error) {
	a := &assembler{state: s}
	look := func() (blkdev.Info, error) {
		a.run(ctx)
		return resolve(s)
	}
	wait := func(dev blkdev.Info, err error) (blkdev.Info, error) {
		if err == nil || !s.Wait {
			return dev, err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if found, late := blkdev.Until(ctx, look); late == nil {
			return found, nil
		}
		return dev, fmt.Errorf("%w; it did not appear in %s", err, patience)
	}
	dev, err := look()
	if err != nil && a.incomplete {
		// A disk of the set may only be late. What is not there by now is broken.
		if dev, err = wait(dev, err); err != nil {
			a.degraded = true
			dev, err = look()
		}
	}
	if err == nil {
		return dev, nil
	}
	made, reasons, failed := prepare(ctx, s)
	if failed != nil || made.Path != "" {
		return made, failed
	}
	if dev, err = wait(dev, err); err == nil {
		return dev, nil
	}
	return dev, and(fmt.Errorf("%w: %w", ErrAbsent, err), a.err, reasons)
}

// and joins errors in one line: the record of boot has one for each step.
func and(errs ...error) error {
	var all error
	for _, err := range errs {
		switch {
		case all == nil:
			all = err
		case err != nil:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

// resolve finds the file system that s.Dev names. A disk or set of disks that
// it lies in may be named as well.
func resolve(s cloudconfig.State) (blkdev.Info, error) {
	dev, err := blkdev.Resolve("/", s.Dev)
	for err == nil && dev.Member() {
		inside := dev.Holders("/")
		if len(inside) != 1 {
			return dev, fmt.Errorf("%s: %s holds %s and is not opened: %s", s.Dev, dev.Path, dev.FSType, howToOpen(dev.FSType))
		}
		dev, err = blkdev.Resolve("/", "/dev/"+inside[0])
	}
	if err == nil && dev.FSType == "" && isAuto(s.FSType) {
		return dev, fmt.Errorf("%s: there is no file system on %s", s.Dev, dev.Path)
	}
	return dev, err
}

func isAuto(kind string) bool { return kind == "" || kind == "auto" }

// check replays the journal and mends what a power cut left; e2fsck -p does
// nothing on a clean file system. Other kinds check themselves when mounted.
func check(ctx context.Context, dev blkdev.Info) error {
	if !strings.HasPrefix(dev.FSType, "ext") {
		return nil
	}
	out, err := exec.CommandContext(ctx, "e2fsck", "-p", dev.Path).CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() < 4 {
		return nil // 1 and 2: errors were there and are corrected
	}
	if err != nil {
		return fmt.Errorf("check state disk %s: %w: %s; try `e2fsck %s` in the recovery console", dev.Path, err, out, dev.Path)
	}
	return nil
}

// Kind is the file system to mount a device as: what the config says, or what
// is on it.
func Kind(config string, dev blkdev.Info) string {
	if isAuto(config) {
		return dev.FSType
	}
	return config
}

// mountOn mounts dev and shows its folders at /.
func mountOn(dev blkdev.Info, s cloudconfig.State) error {
	err := mount.Mount(mount.Point{Source: dev.Path, Target: paths.State, FSType: Kind(s.FSType, dev), Flags: unix.MS_NOATIME})
	if err != nil {
		return err
	}
	base := filepath.Join(paths.State, filepath.Clean("/"+s.Directory))
	for _, d := range persistent {
		if err := mount.Bind(filepath.Join(base, d), "/"+d); err != nil {
			return err
		}
	}
	return nil
}
