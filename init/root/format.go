package root

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/paths"
	"rancheros/sys/blkdev"
)

// blankBytes of zeros at the start, and as many at the end, make a disk blank.
// The original looked at the start only; RAID sets and spare partition tables
// lie at the end.
const blankBytes = 1 << 20

// prepare makes the state file system on a disk that asks for it or that s
// allows to format. Without one the Info is empty, and reasons say why the disks
// of the list would not do.
func prepare(ctx context.Context, s cloudconfig.State) (dev blkdev.Info, reasons, err error) {
	if dev, err := blkdev.ByLabel("/", paths.LabelB2D); err == nil {
		return dev, nil, nil
	}
	for _, path := range slices.Concat(b2dDisks, s.Autoformat) {
		if isB2D(path) {
			if err := formatB2D(ctx, path); err != nil {
				return blkdev.Info{}, nil, err
			}
			dev, err := blkdev.Probe(path)
			return dev, nil, err
		}
	}
	var why []error
	for _, path := range s.Autoformat {
		reason := notBlank(path)
		if errors.Is(reason, fs.ErrNotExist) {
			continue // the list names candidates: this machine calls its disks otherwise
		}
		if reason != nil {
			why = append(why, fmt.Errorf("%s is not formatted: %w", path, reason))
			continue
		}
		if err := format(ctx, path, paths.LabelState); err != nil {
			return blkdev.Info{}, nil, err
		}
		dev, err := blkdev.Probe(path)
		return dev, nil, err
	}
	return blkdev.Info{}, and(why...), nil
}

// format makes a file system on path.
func format(ctx context.Context, path, label string, more ...string) error {
	// Lazy initialisation: a big disk must not hold up the first boot.
	args := append([]string{"-q", "-t", "ext4", "-L", label, "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"}, more...)
	if out, err := exec.CommandContext(ctx, "mke2fs", append(args, path)...).CombinedOutput(); err != nil {
		return fmt.Errorf("format disk %s: %w: %s", path, err, out)
	}
	return nil
}

// notBlank says why a disk may not be formatted; nil means that it may.
func notBlank(path string) error {
	flags := os.O_RDONLY
	if st, err := os.Stat(path); err == nil && st.Mode()&fs.ModeDevice != 0 {
		flags |= unix.O_EXCL // refused while it is mounted or part of another device
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return errors.New("it is in use")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	dev, err := blkdev.Probe(path)
	switch {
	case err != nil:
		return err
	case dev.FSType != "":
		return fmt.Errorf("it holds %s", dev.FSType)
	case dev.ReadOnly:
		return errors.New("it is read-only")
	case dev.Size < 2*blankBytes:
		return errors.New("it is too small")
	}
	for _, at := range []int64{0, dev.Size - blankBytes} {
		zero, err := isZero(f, at)
		if err != nil {
			return err
		}
		if !zero {
			return fmt.Errorf("it holds data; if nobody needs that, `wipefs -a %s`, or write zeros over its first and last MiB", path)
		}
	}
	return nil
}

func isZero(r io.ReaderAt, at int64) (bool, error) {
	b := make([]byte, blankBytes)
	if n, err := r.ReadAt(b, at); n < len(b) {
		return false, err
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }), nil
}
