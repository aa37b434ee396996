// Package root finds, checks, formats and mounts the state disk, on which all
// that must survive a reboot lies: /var, /home and /opt.
package root

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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

// blankBytes of zeros at the start make a disk blank. The original looks at as
// much.
const blankBytes = 1 << 20

// Mount finds the state disk that s describes, makes a file system on a blank
// disk if s allows it, checks and mounts it. It returns the device.
func Mount(ctx context.Context, s cloudconfig.State) (string, error) {
	if s.Dev == "" {
		return "", fmt.Errorf("%w: rancher.state.dev is not set", ErrAbsent)
	}
	if err := assemble(ctx, s); err != nil {
		return "", err
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

// find resolves s.Dev, formats a blank disk for it, or waits for it.
func find(ctx context.Context, s cloudconfig.State) (blkdev.Info, error) {
	dev, err := blkdev.Resolve("/", s.Dev)
	if err == nil {
		return dev, nil
	}
	for _, path := range s.Autoformat {
		made, err := format(ctx, path)
		if err != nil {
			return blkdev.Info{}, err
		}
		if made {
			return blkdev.Probe(path)
		}
	}
	if !s.Wait {
		return blkdev.Info{}, fmt.Errorf("%w: %s: %w", ErrAbsent, s.Dev, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dev, err = blkdev.WaitFor(ctx, "/", s.Dev)
	if err != nil {
		return blkdev.Info{}, fmt.Errorf("%w: %s did not appear in %s", ErrAbsent, s.Dev, patience)
	}
	return dev, nil
}

// format makes the state file system on path if path is a blank disk. A disk
// that holds anything is left alone.
func format(ctx context.Context, path string) (bool, error) {
	blank, err := isBlank(path)
	if err != nil || !blank {
		// A name in the list that is not there is normal: it lists candidates.
		return false, nil
	}
	// Lazy initialisation: a big disk must not hold up the first boot.
	cmd := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-L", paths.LabelState,
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("format blank disk %s: %w: %s", path, err, out)
	}
	return true, nil
}

func isBlank(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	b := make([]byte, blankBytes)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	for _, c := range b[:n] {
		if c != 0 {
			return false, nil
		}
	}
	return n == blankBytes, nil
}

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

// mountOn mounts dev and shows its folders at /.
func mountOn(dev blkdev.Info, s cloudconfig.State) error {
	kind := s.FSType
	if kind == "" || kind == "auto" {
		kind = dev.FSType
	}
	err := mount.Mount(mount.Point{Source: dev.Path, Target: paths.State, FSType: kind, Flags: unix.MS_NOATIME})
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

// assemble makes devices that are made of others appear.
func assemble(ctx context.Context, s cloudconfig.State) error {
	for _, a := range []struct {
		wanted bool
		argv   []string
	}{
		{s.MdadmScan, []string{"mdadm", "--assemble", "--scan"}},
		{s.LvmScan, []string{"vgchange", "--activate", "ay"}},
	} {
		if !a.wanted {
			continue
		}
		if out, err := exec.CommandContext(ctx, a.argv[0], a.argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(a.argv, " "), err, out)
		}
	}
	if !s.Cryptsetup {
		return nil
	}
	return unlock(ctx)
}

// unlock opens every LUKS device; a person types the passphrase on the console.
func unlock(ctx context.Context) error {
	devs, err := blkdev.List("/")
	if err != nil {
		return err
	}
	tty, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("ask for the passphrase: %w", err)
	}
	defer tty.Close()
	for _, d := range devs {
		if d.FSType != "crypto_LUKS" {
			continue
		}
		cmd := exec.CommandContext(ctx, "cryptsetup", "luksOpen", d.Path, "luks-"+filepath.Base(d.Path))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("unlock %s: %w", d.Path, err)
		}
	}
	return nil
}
