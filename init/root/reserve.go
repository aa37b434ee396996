package root

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rancheros/paths"
)

// reserveBytes are kept from everybody on the state disk, so that a machine
// whose containers have filled it can still boot: no engine starts without a
// few megabytes to write to.
const reserveBytes = 64 << 20

// Reserve keeps a file of that size on the state disk, or gives it up when the
// disk is full. It says whether it had to; somebody should make room then.
func Reserve() (full bool, err error) { return reserve(paths.State) }

func reserve(dir string) (full bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("reserve on the state disk: %w", err)
	}
	free := int64(st.Bfree) * st.Bsize
	file := filepath.Join(dir, ".reserve")
	_, err = os.Stat(file)
	switch there := err == nil; {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("reserve on the state disk: %w", err)
	case there && free < reserveBytes/2:
		if err := os.Remove(file); err != nil {
			return true, fmt.Errorf("give up the reserve on the state disk: %w", err)
		}
		return true, nil
	case !there && free > 4*reserveBytes:
		return false, allocate(file)
	}
	return free < reserveBytes/2, nil
}

// allocate takes the blocks; a file of zeros would be written out.
func allocate(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("reserve on the state disk: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes)
	if errors.Is(err, unix.EOPNOTSUPP) {
		// A file system that cannot: nothing is reserved.
		return errors.Join(f.Close(), os.Remove(file))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("reserve on the state disk: %w", err)
	}
	return nil
}
