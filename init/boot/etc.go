package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rancheros/paths"
)

// makeEtc makes /etc from the image: it is new at every boot, so that an
// upgrade cannot leave an old file behind.
func makeEtc(_ context.Context, _ *machine) error {
	return copyTree(paths.EtcDefaults, "/etc", false)
}

// copyTree copies files, folders and links of from into to, with their modes.
// A file that is there already stays, or with replace set becomes the same: it
// may be what a power cut left of an earlier copy.
func copyTree(from, to string, replace bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("copy %s to %s: %w", from, to, err)
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := copyOne(path, filepath.Join(to, rel), d, replace); err != nil {
			return fmt.Errorf("copy %s to %s: %w", from, to, err)
		}
		return nil
	})
}

func copyOne(from, to string, d fs.DirEntry, replace bool) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		err := os.Mkdir(to, info.Mode().Perm())
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		err = os.Symlink(target, to)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && (!replace || bytes.Equal(old, b)) {
		return nil
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
