// Package mount is mount(2) with errors that say what was mounted where.
package mount

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Point is one mount.
type Point struct {
	Source, Target, FSType string
	Flags                  uintptr
	// Data are the file system's own options, with commas.
	Data string
}

// Mount makes the target folder and mounts. A target on which the same kind
// of file system is mounted already is left as it is.
func Mount(p Point) error {
	if err := os.MkdirAll(p.Target, 0o755); err != nil {
		return fmt.Errorf("mount %s on %s: %w", p.Source, p.Target, err)
	}
	err := unix.Mount(p.Source, p.Target, p.FSType, p.Flags, p.Data)
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount %s on %s (%s): %w", p.Source, p.Target, p.FSType, err)
	}
	return nil
}

// All mounts every point and joins the errors.
func All(points []Point) error {
	var errs []error
	for _, p := range points {
		errs = append(errs, Mount(p))
	}
	return errors.Join(errs...)
}

// Bind makes source appear at target as well.
func Bind(source, target string) error {
	for _, d := range []string{source, target} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("bind %s on %s: %w", source, target, err)
		}
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s on %s: %w", source, target, err)
	}
	return nil
}
